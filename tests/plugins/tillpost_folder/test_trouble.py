"""A file in trouble: the others go on, it is named with the reason, and tried again after growing waits."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

import tillpost_folder
from tests.support.mounts import ext4, tmpfs
from tests.support.program import needed
from tillpost import Context, DocumentError, Stopped, Use
from tillpost.model import Document, DocumentTrouble, Misconfigured, NotSent
from tillpost_folder import inbox as inbox_module
from tillpost_folder.move import REASON, fit, move
from tillpost_folder.scan import Seen
from tillpost_folder.settings import Settings
from tillpost_folder.source import _document

NOW = 1_780_000_000.0


@attrs.define
class Clock:
    now: float = NOW

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        raise AssertionError("the folder source does not wait")


@attrs.define
class Inbox:
    """A source on a folder, what it handed over and what it was in trouble with in the last round."""

    path: Path
    clock: Clock = attrs.field(factory=Clock)
    bad: set[str] = attrs.field(factory=set)
    read: list[str] = attrs.field(factory=list)
    reports: list[DocumentTrouble] = attrs.field(factory=list)
    stopping: threading.Event = attrs.field(factory=threading.Event)
    source: Any = None

    def made(self, **settings: Any) -> Any:
        context = Context(
            pipeline="p", folder=self.path, state=self.path.parent, clock=self.clock, random=Random(1),
            budget=lambda *_: pytest.fail("a source needs no budget"),
        )  # fmt: skip
        [self.source] = tillpost_folder.plugin.build([Use("source", Settings(path=self.path, **settings))], context)
        return self.source

    def drop(self, name: str, content: bytes = b"x", age: float = 60) -> Path:
        path = self.path / name
        path.write_bytes(content)
        os.utime(path, (self.clock.now - age, self.clock.now - age))
        return path

    def round(self) -> Any:
        self.reports.clear()
        return (self.source or self.made()).collect_documents(self._accept, self.reports.append, self.stopping)

    def _accept(self, document: Document) -> dict[str, int]:
        self.read.append(document.name)
        if document.name in self.bad:
            raise DocumentError("is bad", document.name)
        return {}

    def troubles(self) -> dict[str, str]:
        return {trouble.name: trouble.reason for trouble in self.reports if trouble.retry_at is not None}


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    (tmp_path / "inbox").mkdir()
    return Inbox(tmp_path / "inbox")


def test_the_waits_grow_and_a_change_is_tried_at_once(inbox: Inbox) -> None:
    (inbox.path / "pipe").mkdir()
    tries: list[float] = []
    for _ in range(2000):
        inbox.round()
        tries.append(inbox.reports[0].retry_at or 0.0)
        inbox.clock.now += 1
    waits = [after - before for before, after in zip(sorted(set(tries)), sorted(set(tries))[1:], strict=False)]
    assert waits[:4] == [4, 8, 16, 32]
    assert max(waits) == 300
    (inbox.path / "pipe").rmdir()
    inbox.round()
    assert inbox.reports == []


def test_what_was_put_away_since_a_moment_is_found_and_what_was_before_is_not(inbox: Inbox) -> None:
    inbox.clock.now = time.time()
    inbox.made(pattern="*.xml")
    inbox.drop("old.xml", age=7200)
    inbox.drop("1.xml")
    before = time.time() - 0.1
    inbox.round()
    (inbox.path / "done" / "1.xml.gz").write_bytes(b"packed")
    (inbox.path / "done" / "grown.xml").write_bytes(b"written to there, and read again anyway")
    assert [document.name for document in inbox.source.find_taken(before)] == ["1.xml"]
    assert inbox.source.find_taken(time.time() + 1) == ()


def test_names_that_are_too_long_or_not_utf_8_are_moved(inbox: Inbox) -> None:
    names = ["a" * 255, "é" * 127, os.fsdecode(b"\xff" * 255)]
    for name in names:
        inbox.drop(name)
        inbox.round()
        inbox.drop(name, b"other")
        inbox.round()
    assert inbox.troubles() == {}
    done = sorted(os.fsencode(path.name) for path in (inbox.path / "done").iterdir())
    assert len(done) == 6
    assert all(len(name) <= 255 for name in done)
    assert inbox.read[-1] == "\\xff" * 255


def test_a_bad_file_with_a_long_name_has_its_reason_beside_it(inbox: Inbox) -> None:
    inbox.bad = {"a" * 255}
    inbox.drop("a" * 255)
    inbox.round()
    assert {path.name for path in (inbox.path / "failed").iterdir()} == {"a" * 255, fit("a" * 255, REASON)}


def test_two_bad_files_of_one_name_each_have_their_reason(inbox: Inbox) -> None:
    inbox.bad = {"bad.xml"}
    for content in (b"1", b"2"):
        inbox.drop("bad.xml", content)
        inbox.round()
    names = sorted(path.name for path in (inbox.path / "failed").iterdir())
    assert names == ["bad.xml", "bad.xml.1", f"bad.xml.1{REASON}", f"bad.xml{REASON}"]
    assert inbox.reports[0].place == str(inbox.path / "failed" / "bad.xml.1")


def test_it_is_put_back_under_the_name_it_had(inbox: Inbox) -> None:
    inbox.bad = {"bad.xml"}
    for content in (b"1", b"2"):
        inbox.drop("bad.xml", content)
        inbox.round()
    second = inbox.reports[0].sha256
    assert inbox.source.retry_document("bad.xml", "0" * 64) is None
    assert inbox.source.retry_document("bad.xml", second) == inbox.path / "bad.xml"
    assert sorted(path.name for path in (inbox.path / "failed").iterdir()) == ["bad.xml", f"bad.xml{REASON}"]
    assert (inbox.path / "bad.xml").read_bytes() == b"2"


def test_an_empty_file_waits_is_told_and_is_read_in_the_end(inbox: Inbox) -> None:
    inbox.drop("empty", b"", age=1)
    assert (inbox.round(), inbox.reports) == (1, [])
    inbox.clock.now += 15
    assert inbox.round() == 0
    assert "is empty" in inbox.troubles()["empty"]
    inbox.clock.now += 600
    inbox.round()
    assert (inbox.read, inbox.troubles()) == (["empty"], {})


def test_b3_it_stops_between_two_files_and_within_one(inbox: Inbox) -> None:
    for name in ("a", "b"):
        inbox.drop(name)
    inbox.stopping.set()
    inbox.round()
    assert inbox.read == []
    inbox.stopping.clear()
    original = Seen.at

    def stop(path: Path) -> Any:
        inbox.stopping.set()
        return original(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Seen, "at", stop)
        inbox.round()
    assert inbox.read == ["a"]
    with pytest.raises(Stopped):
        _document(inbox.path / "b", "b", inbox.stopping)


def test_a_file_that_becomes_a_link_while_it_is_looked_at_is_not_followed(inbox: Inbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (inbox.path / "a").symlink_to(secret)
    with pytest.raises(OSError, match="symbolic link") as caught:
        _document(inbox.path / "a", "a", threading.Event())
    assert caught.value.errno == errno.ELOOP


@pytest.mark.parametrize("folder", ["done", "failed"])
def test_a_folder_that_is_a_link_or_not_ours_is_refused_before_anything_is_read(inbox: Inbox, folder: str) -> None:
    inbox.drop("a")
    elsewhere = inbox.path.parent / "elsewhere"
    elsewhere.mkdir()
    (inbox.path / folder).symlink_to(elsewhere)
    answer = inbox.round()
    assert isinstance(answer, Misconfigured)
    assert "is a link" in answer.reason
    (inbox.path / folder).unlink()
    (inbox.path / folder).mkdir()
    if os.geteuid() == 0:
        os.chown(inbox.path / folder, 65534, 65534)
        answer = inbox.round()
        assert isinstance(answer, Misconfigured)
        assert "belongs to another user (uid 65534" in answer.reason
        os.chown(inbox.path / folder, 0, 0)
    assert inbox.read == []
    assert inbox.round() == 1


def test_a_link_in_place_of_the_copys_temporary_name_is_not_written_through(inbox: Inbox) -> None:
    victim = inbox.path.parent / "victim"
    victim.write_text("precious")
    with tmpfs(inbox.path.parent / "archive", "size=4m"):
        done = inbox.path.parent / "archive" / "done"
        done.mkdir()
        (done / ".a.part").symlink_to(victim)
        assert move(inbox.drop("a", b"receipts"), done) == done / "a"
        assert (done / "a").read_bytes() == b"receipts"
        assert victim.read_text() == "precious"


def test_a_file_that_cannot_be_taken_away_leaves_no_copy_for_each_try(inbox: Inbox) -> None:
    needed("chattr", "e2fsprogs", root=True)
    with ext4(inbox.path.parent / "disk", inbox.path.parent / "image", 8):
        path = inbox.path.parent / "disk" / "a"
        path.write_bytes(b"receipts")
        os.system(f"chattr +i {path}")
        done = inbox.path / "done"
        try:
            for _ in range(3):
                with pytest.raises(PermissionError):
                    move(path, done)
            assert list(done.iterdir()) == []
        finally:
            os.system(f"chattr -i {path}")
        assert move(path, done) == done / "a"


def test_a_read_only_folder_is_told_and_nothing_is_read_twice(inbox: Inbox) -> None:
    with tmpfs(inbox.path, "size=4m"):
        for name in ("a", "b"):
            inbox.drop(name)
        os.system(f"mount -o remount,ro {inbox.path}")
        for _ in range(20):
            assert inbox.round() == 0
            inbox.clock.now += 1
        assert inbox.read == ["a", "b"]
        assert set(inbox.troubles()) == {"a", "b"}
        assert "read-only file system" in inbox.troubles()["a"]
        os.system(f"mount -o remount,rw {inbox.path}")
        inbox.clock.now += 300
        assert inbox.round() == 2
        assert inbox.read == ["a", "b"]


@pytest.fixture
def fstab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "fstab"
    monkeypatch.setattr(inbox_module, "_FSTAB", path)
    return path


def test_b24_a_share_of_fstab_that_was_never_mounted_is_missed_at_the_first_round(inbox: Inbox, fstab: Path) -> None:
    fstab.write_text(f"# shares\n//server/shop {inbox.path.parent} cifs ro 0 0\n//server/x /x cifs noauto 0 0\n")
    inbox.drop("a")
    answer = inbox.round()
    assert isinstance(answer, NotSent)
    assert f"is below {inbox.path.parent}, which /etc/fstab says is mounted, and it is not" in answer.reason
    assert inbox.read == []


def test_b24_a_folder_for_done_whose_share_is_away_is_not_made_in_its_mount_point(inbox: Inbox) -> None:
    archive = inbox.path.parent / "archive"
    inbox.made(done=archive / "done")
    with tmpfs(archive, "size=4m"):
        inbox.drop("a")
        assert inbox.round() == 1
        inbox.round()
    inbox.drop("b")
    answer = inbox.round()
    assert isinstance(answer, NotSent)
    assert "nothing is mounted there now" in answer.reason
    assert list(archive.iterdir()) == []
    assert inbox.read == ["a"]


def test_b24_a_folder_that_is_made_again_on_the_same_disk_is_read(inbox: Inbox) -> None:
    inbox.round()
    for child in inbox.path.iterdir():
        child.rmdir()
    inbox.path.rmdir()
    assert isinstance(inbox.round(), NotSent)
    inbox.path.mkdir()
    inbox.drop("a")
    assert inbox.round() == 1
