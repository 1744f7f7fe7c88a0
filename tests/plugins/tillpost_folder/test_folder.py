"""Real files in a real folder; time is told, not waited for."""

import errno
import os
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

import tillpost_folder
from tests.support.source_rounds import NOW, Accept, ToldClock
from tillpost import ConfigurationError, Context, DocumentError, JournalFull, Use
from tillpost.model import Document, DocumentTrouble
from tillpost_folder.settings import Settings


@attrs.define
class Rounds:
    """Runs rounds of a source; reports: what the last one was in trouble with."""

    source: Any
    reports: list[DocumentTrouble] = attrs.field(factory=list)
    stopping: threading.Event = attrs.field(factory=threading.Event)

    def collect_documents(self, accept: Any) -> Any:
        self.reports.clear()
        return self.source.collect_documents(accept, self.reports.append, self.stopping)

    def troubles(self) -> dict[str, str]:
        return {trouble.name: trouble.reason for trouble in self.reports}


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def clock() -> ToldClock:
    return ToldClock()


@pytest.fixture
def source(inbox: Path, clock: ToldClock) -> Callable[..., Any]:
    def make(**settings: Any) -> Any:
        context = Context(
            pipeline="p",
            folder=inbox,
            state=inbox.parent,
            clock=clock,
            random=random.Random(1),
            budget=lambda *_: pytest.fail("a source needs no budget"),
        )
        [made] = tillpost_folder.plugin.build([Use("source", Settings(**{"path": inbox, **settings}))], context)
        return Rounds(made)

    return make


def drop(folder: Path, name: str, content: str = "x", age: float = 60) -> Path:
    path = folder / name
    path.write_text(content)
    os.utime(path, (NOW - age, NOW - age))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.exists() else []


def test_whole_files_are_handed_over_oldest_first_and_moved_to_done(source: Any, inbox: Path) -> None:
    for name, age in [("b.xml", 10), ("a.xml", 10), ("old.xml", 99)]:
        drop(inbox, name, name, age)
    accept = Accept()
    assert source().collect_documents(accept) == 3
    assert accept.names == ["old.xml", "a.xml", "b.xml"]
    assert accept.bodies == [b"old.xml", b"a.xml", b"b.xml"]
    assert names(inbox) == []
    assert names(inbox / "done") == ["a.xml", "b.xml", "old.xml"]
    assert source().collect_documents(accept) == 0


def test_hidden_and_temporary_names_and_other_patterns_are_left(source: Any, inbox: Path) -> None:
    left = [".hidden.xml", "half.tmp", "half.part", "edit.xml~", "note.txt"]
    for name in [*left, "good.xml"]:
        drop(inbox, name)
    accept = Accept()
    assert source(pattern="*.xml").collect_documents(accept) == 1
    assert accept.names == ["good.xml"]
    assert names(inbox) == sorted(left)


def test_a_file_settles_before_it_is_taken(source: Any, inbox: Path, clock: ToldClock) -> None:
    drop(inbox, "new.xml", age=1.5)
    accept, folder = Accept(), source(settle=timedelta(seconds=2))
    assert folder.collect_documents(accept) == 1  # it is there, and waits
    assert accept.names == []
    clock.wall += 1
    folder.collect_documents(accept)
    assert accept.names == ["new.xml"]


def test_with_no_settling_a_file_is_taken_at_once(source: Any, inbox: Path) -> None:
    drop(inbox, "new.xml", age=0)
    accept = Accept()
    source(settle=timedelta(0)).collect_documents(accept)
    assert accept.names == ["new.xml"]


def test_a_file_from_the_future_is_watched_instead(source: Any, inbox: Path, clock: ToldClock) -> None:
    path = drop(inbox, "ahead.xml", age=-3600)
    accept, folder = Accept(), source()
    folder.collect_documents(accept)
    clock.steady += 1.5
    path.write_text("longer")
    os.utime(path, (NOW + 3601, NOW + 3601))
    folder.collect_documents(accept)
    clock.steady += 1.5
    folder.collect_documents(accept)
    assert accept.names == []  # it changed 1.5 s ago
    clock.steady += 1
    folder.collect_documents(accept)
    assert accept.bodies == [b"longer"]


def test_a_file_that_grows_while_it_is_read_stays_and_is_read_again(source: Any, inbox: Path) -> None:
    path = drop(inbox, "growing.xml", "half")

    def grow(_: Document) -> None:
        path.write_text("half and half")
        os.utime(path, (NOW - 30, NOW - 30))

    accept, folder = Accept(then=grow), source()
    folder.collect_documents(accept)
    assert names(inbox) == ["growing.xml"]
    accept.then = lambda _: None
    folder.collect_documents(accept)
    assert accept.bodies == [b"half", b"half and half"]
    assert names(inbox / "done") == ["growing.xml"]


def test_a_document_error_sets_the_file_aside_with_its_reason_and_the_next_goes_on(source: Any, inbox: Path) -> None:
    drop(inbox, "bad.xml", age=50)
    drop(inbox, "good.xml", age=40)

    def refuse(document: Document) -> None:
        if document.name == "bad.xml":
            raise DocumentError("has a DOCTYPE", document.name)

    source().collect_documents(Accept(then=refuse))
    assert names(inbox / "failed") == ["bad.xml", "bad.xml.reason.txt"]
    assert (inbox / "failed" / "bad.xml.reason.txt").read_text() == "bad.xml: has a DOCTYPE\n"
    assert names(inbox / "done") == ["good.xml"]


def test_any_other_error_leaves_the_file_and_the_next_goes_on(source: Any, inbox: Path) -> None:
    drop(inbox, "bad.xml", age=99)
    drop(inbox, "good.xml")

    def full(document: Document) -> None:
        if document.name == "bad.xml":
            raise OSError(errno.ENOSPC, "No space left on device")

    rounds = source()
    rounds.collect_documents(Accept(then=full))
    assert names(inbox) == ["bad.xml"]
    assert rounds.troubles() == {"bad.xml": "cannot be read: no space left on device"}


def test_what_cannot_be_committed_comes_out(source: Any, inbox: Path) -> None:
    drop(inbox, "good.xml")

    def full(_: Document) -> None:
        raise JournalFull("there is no room")

    with pytest.raises(JournalFull):
        source().collect_documents(Accept(then=full))
    assert names(inbox) == ["good.xml"]


def test_a_name_that_is_taken_gets_a_suffix(source: Any, inbox: Path) -> None:
    for content in ("one", "two", "three"):
        drop(inbox, "day.xml", content)
        source().collect_documents(Accept())
    assert names(inbox / "done") == ["day.xml", "day.xml.1", "day.xml.2"]
    assert [(inbox / "done" / name).read_text() for name in names(inbox / "done")] == ["one", "two", "three"]


def test_a_move_that_a_crash_cut_in_two_is_ended_by_the_next(source: Any, inbox: Path) -> None:
    """Both names are there then, of one file; it is never whole under neither, nor half under one."""
    drop(inbox, "day.xml", "one")
    (inbox / "done").mkdir()
    os.link(inbox / "day.xml", inbox / "done" / "day.xml")
    source().collect_documents(Accept())
    assert (names(inbox), names(inbox / "done")) == ([], ["day.xml"])


def test_a_file_that_vanishes_is_fine(source: Any, inbox: Path) -> None:
    path = drop(inbox, "fleeting.xml")
    accept = Accept(then=lambda _: path.unlink())
    assert source().collect_documents(accept) == 1
    assert names(inbox / "done") == []


def test_folders_and_links_are_not_entered(source: Any, inbox: Path, tmp_path: Path) -> None:
    (inbox / "sub").mkdir()
    drop(inbox / "sub", "inner.xml")
    outside = drop(tmp_path, "outside.xml")
    (inbox / "link.xml").symlink_to(outside)
    accept = Accept()
    assert source().collect_documents(accept) == 0
    assert accept.names == []


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_done_on_another_file_system(source: Any, inbox: Path) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        done = Path(other) / "done"
        if Path(other).stat().st_dev == inbox.stat().st_dev:
            pytest.skip("/dev/shm is the same file system here")
        for content in ("one", "two"):
            drop(inbox, "day.xml", content)
            source(done=done).collect_documents(Accept())
        assert names(inbox) == []
        assert names(done) == ["day.xml", "day.xml.1"]
        assert (done / "day.xml.1").read_text() == "two"


def test_settings_that_make_no_sense(source: Any, inbox: Path) -> None:
    with pytest.raises(ValueError, match="settle must not be negative"):
        source(settle=timedelta(seconds=-1))
    with pytest.raises(ConfigurationError, match="done: is the source's own folder"):
        source(done=inbox)
