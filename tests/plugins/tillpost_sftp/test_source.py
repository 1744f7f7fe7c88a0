"""The source against OpenSSH's sshd: files are fetched, committed, then moved or deleted."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncssh
import attrs
import pytest

from tests.support.mounts import tmpfs
from tests.support.program import free_ports
from tests.support.source_rounds import NOW, Accept, ToldClock
from tillpost import Context, DocumentError, JournalFull, Stopped, TillpostError
from tillpost.model import Delivered, Document, DocumentTrouble, Misconfigured, NotSent
from tillpost_sftp import _make_source
from tillpost_sftp.settings import SourceSettings

from .conftest import Server


@attrs.define
class Rounds:
    """A source with what it hands over and reports."""

    source: Any
    clock: ToldClock
    home: Path
    state: Path
    accept: Accept = attrs.field(factory=Accept)
    reports: list[DocumentTrouble] = attrs.field(factory=list)
    stopping: threading.Event = attrs.field(factory=threading.Event)

    @property
    def bodies(self) -> dict[str, list[bytes]]:
        """What was handed over, by name."""
        return self.accept.by_name()

    def run(self, seconds: float = 0.0) -> Any:
        """One round, so many seconds after the one before."""
        self.clock.steady += seconds
        self.clock.wall += seconds
        self.reports.clear()
        return self.source.collect_documents(self.accept, self.reports.append, self.stopping)

    def settled(self) -> Any:
        """A round that sees what is there, and one that reads it."""
        self.run()
        return self.run(30.0)

    def put(self, name: str | bytes, content: bytes = b"<a/>") -> Path:
        path = Path(os.fsdecode(os.fsencode(self.home) + b"/" + os.fsencode(name)))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    def there(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.home)): p.read_bytes() for p in sorted(self.home.rglob("*")) if p.is_file()}

    def troubles(self) -> dict[str, str]:
        return {trouble.name: trouble.reason for trouble in self.reports}


@pytest.fixture
def rounds(sshd: Callable[..., Server], tmp_path: Path) -> Callable[..., Rounds]:
    def make(server: Server | None = None, **changes: Any) -> Rounds:
        server = server or sshd()
        given: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "host_key": server.host_key}
        settings = SourceSettings(
            **(given | server.login | {"path": server.path, "timeout": timedelta(seconds=10)} | changes)
        )
        clock = ToldClock()
        state = tmp_path / "state"
        state.mkdir(exist_ok=True)
        context = Context(
            pipeline="shop", folder=tmp_path, state=state, clock=clock, random=random.Random(1), budget=None,  # type: ignore[arg-type]
        )  # fmt: skip
        source: Any = _make_source(settings, context)
        server.closing.callback(source._drop.close)
        return Rounds(source, clock, server.home, state)

    return make


def test_a_file_is_fetched_once_it_is_settled_and_moved_once_it_is_committed(rounds: Callable[..., Rounds]) -> None:
    shop = rounds()
    shop.put("day.xml", b"<day/>")
    seen: list[bool] = []
    shop.accept.then = lambda document: seen.append((shop.home / "day.xml").exists())
    assert shop.run() == 1, "it waits"
    assert shop.run(29.0) == 1
    assert shop.bodies == {}
    assert shop.run(1.0) == 1
    assert shop.bodies == {"day.xml": [b"<day/>"]}
    assert seen == [True], "it was there until it was committed"
    assert shop.there() == {"done/day.xml": b"<day/>"}
    assert list(shop.state.iterdir()) == [], "no copy stays"
    assert shop.run(30.0) == 0


def test_by_choice_it_is_deleted(rounds: Callable[..., Rounds]) -> None:
    shop = rounds(after="delete")
    shop.put("day.xml")
    shop.put("bad.xml", b"?")

    def judge(document: Document) -> None:
        if document.name == "bad.xml":
            raise DocumentError("is no XML", document.name)

    shop.accept.then = judge
    shop.settled()
    assert shop.there() == {"failed/bad.xml": b"?"}, "what cannot be read is never deleted"


def test_a_file_that_still_grows_is_not_read_and_one_that_is_renamed_is(rounds: Callable[..., Rounds]) -> None:
    shop = rounds()
    for name in ("a.xml.part", "b.tmp", "c.xml~", ".hidden", "winscp.xml.filepart"):
        shop.put(name)
    growing = shop.put("day.xml", b"1")
    for number in range(4):
        assert shop.run(29.0) == 1, number
        growing.write_bytes(growing.read_bytes() + b"1")
    assert shop.run(29.0) == 1
    assert shop.run(30.0) == 1
    assert shop.bodies == {"day.xml": [b"11111"]}


def test_what_changes_while_it_is_fetched_is_read_later_as_a_whole(
    rounds: Callable[..., Rounds], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = rounds()
    path = shop.put("day.xml", b"1")
    fetch = shop.source._drop.fetch

    def fetched(*given: Any) -> str:
        sha256: str = fetch(*given)
        path.write_bytes(b"12")
        return sha256

    monkeypatch.setattr(shop.source._drop, "fetch", fetched)
    shop.settled()
    assert shop.bodies == {}
    monkeypatch.undo()
    shop.settled()
    assert shop.bodies == {"day.xml": [b"12"]}


@pytest.mark.parametrize("given", [b"<a/>", b"<a/>" * 3])
def test_a_file_of_another_size_than_the_server_says_is_not_read(
    rounds: Callable[..., Rounds], monkeypatch: pytest.MonkeyPatch, given: bytes
) -> None:
    """A gateway that ends a file early, or one that translates it: part of a day may read well."""
    shop = rounds()
    shop.put("day.xml", b"<a/><b/>")
    fetch = shop.source._drop.fetch

    def fetched(path: bytes, target: Path) -> str:
        sha256: str = fetch(path, target)
        target.write_bytes(given)
        return sha256

    monkeypatch.setattr(shop.source._drop, "fetch", fetched)
    shop.settled()
    assert shop.bodies == {}
    size = len(given)
    reason = f"cannot be read: the server says it has 8 bytes, and gives {size}; it is fetched again"
    assert shop.troubles() == {"day.xml": reason}
    assert shop.there() == {"day.xml": b"<a/><b/>"}
    monkeypatch.undo()
    shop.run(30.0)
    assert shop.bodies == {"day.xml": [b"<a/><b/>"]}
    assert shop.troubles() == {}


def test_what_changes_between_the_commit_and_the_move_stays_and_is_read_again(rounds: Callable[..., Rounds]) -> None:
    shop = rounds()
    path = shop.put("day.xml", b"1")
    shop.accept.then = lambda _: path.write_bytes(b"12") if len(shop.bodies["day.xml"]) == 1 else None
    shop.settled()
    assert shop.there() == {"day.xml": b"12"}
    shop.settled()
    assert shop.bodies == {"day.xml": [b"1", b"12"]}
    assert shop.there() == {"done/day.xml": b"12"}


def test_a_writer_that_goes_on_after_the_move_is_noticed_for_an_hour(
    rounds: Callable[..., Rounds], caplog: pytest.LogCaptureFixture
) -> None:
    shop = rounds()
    with shop.put("day.xml", b"1").open("ab") as writer:
        shop.settled()
        writer.write(b"2")
        writer.flush()
        shop.run(1.0)
        shop.run(30.0)
    assert shop.bodies == {"day.xml": [b"1", b"12"]}
    assert "written to after it was put away" in caplog.text
    (shop.home / "done" / "day.xml").write_bytes(b"123")
    shop.run(3700.0)
    shop.run(30.0)
    assert len(shop.bodies["day.xml"]) == 2, "the hour is over"


def test_the_same_name_each_night_overwrites_nothing(rounds: Callable[..., Rounds]) -> None:
    shop = rounds()
    for night in range(4):
        shop.put("export.xml", b"%d" % (night % 3))
        shop.settled()
    assert sorted(shop.there().values()) == [b"0", b"0", b"1", b"2"]
    assert all(name.startswith("done/export.xml") for name in shop.there())


def test_a_bad_file_is_set_aside_and_put_back_by_a_person(rounds: Callable[..., Rounds]) -> None:
    shop = rounds()
    shop.put("bad.xml", b"?")
    shop.put("good.xml", b"!")

    def judge(document: Document) -> None:
        if document.name == "bad.xml":
            raise DocumentError("is no XML", document.name)

    shop.accept.then = judge
    shop.settled()
    assert shop.there() == {"failed/bad.xml": b"?", "done/good.xml": b"!"}
    (trouble,) = shop.reports
    assert (trouble.name, trouble.retry_at) == ("bad.xml", None)
    assert trouble.place == str(shop.home / "failed" / "bad.xml")
    assert shop.source.retry_document("bad.xml", "0" * 64) is None, "another content"
    assert shop.source.retry_document("bad.xml", trouble.sha256) == shop.home / "bad.xml"
    assert shop.there() == {"bad.xml": b"?", "done/good.xml": b"!"}
    assert list(shop.state.iterdir()) == []


@pytest.mark.parametrize("error", [JournalFull("no room"), Stopped("now")])
def test_what_is_not_committed_stays_where_it_is(rounds: Callable[..., Rounds], error: TillpostError) -> None:
    shop = rounds()
    shop.put("day.xml")

    def full(_: Document) -> None:
        raise error

    shop.accept.then = full
    shop.run()
    with pytest.raises(type(error)):
        shop.run(30.0)
    assert shop.there() == {"day.xml": b"<a/>"}
    assert list(shop.state.iterdir()) == []


def test_a_document_the_flow_has_trouble_with_rests_and_the_next_goes_on(rounds: Callable[..., Rounds]) -> None:
    shop = rounds()
    shop.put("a.xml")
    shop.put("b.xml")

    def fails(document: Document) -> None:
        if document.name == "a.xml":
            raise OSError(5, "Input/output error")

    shop.accept.then = fails
    shop.settled()
    assert shop.there() == {"a.xml": b"<a/>", "done/b.xml": b"<a/>"}
    assert shop.troubles() == {"a.xml": "cannot be read: input/output error"}
    shop.run(1.0)
    assert len(shop.bodies["a.xml"]) == 1, "it rests"
    shop.run(2.0)
    assert len(shop.bodies["a.xml"]) == 2
    shop.accept.then = lambda _: None
    shop.run(60.0)
    assert shop.troubles() == {}


def test_a_file_that_cannot_be_moved_is_told_and_not_read_again(
    sshd: Callable[..., Server], rounds: Callable[..., Rounds]
) -> None:
    shop = rounds(sshd(sftp_options="-P rename"))
    shop.put("day.xml")
    shop.settled()
    (reason,) = shop.troubles().values()
    assert reason == f"was accepted, and cannot be moved to {shop.home}/done: the server does not permit it"
    shop.run(60.0)
    assert shop.bodies == {"day.xml": [b"<a/>"]}, "once"
    outcome = shop.source.probe_source()
    assert isinstance(outcome, (NotSent, Misconfigured))
    assert "files cannot be renamed" in outcome.reason


def test_what_is_no_file_is_told_and_the_own_folders_are_not(rounds: Callable[..., Rounds]) -> None:
    shop = rounds(done="")
    (shop.home / "done").mkdir()
    (shop.home / "failed").mkdir()
    (shop.home / "old").mkdir()
    (shop.home / "link.xml").symlink_to("/etc/hostname")
    assert shop.settled() == 0
    assert set(shop.troubles()) == {"old", "link.xml"}
    assert shop.bodies == {}


def test_an_empty_file_waits_and_is_told(rounds: Callable[..., Rounds]) -> None:
    shop = rounds()
    shop.put("day.xml", b"")
    shop.settled()
    assert "is empty" in shop.troubles()["day.xml"]
    shop.run(600.0)
    assert shop.bodies == {"day.xml": [b""]}


def test_names_of_any_bytes_are_read(rounds: Callable[..., Rounds]) -> None:
    shop = rounds()
    shop.put(b"caf\xe9 \xe2\x82\xac.xml", b"1")
    shop.put(b"n" * 255, b"2")
    shop.settled()
    assert sorted(shop.bodies) == ["caf\\xe9 €.xml", "n" * 255]
    shop.put(b"n" * 255, b"3")
    shop.settled()
    assert len(list((shop.home / "done").iterdir())) == 3


def test_a_pattern_chooses(rounds: Callable[..., Rounds]) -> None:
    shop = rounds(pattern="*.xml")
    shop.put("day.xml")
    shop.put("notes.txt")
    shop.settled()
    assert shop.there() == {"done/day.xml": b"<a/>", "notes.txt": b"<a/>"}


def test_a_large_file_arrives_whole(rounds: Callable[..., Rounds]) -> None:
    shop = rounds()
    content = random.Random(2).randbytes((3 << 20) + 12345)
    shop.put("day.zip", content)
    shop.settled()
    assert shop.bodies["day.zip"] == [content]


def test_a_stranger_is_not_spoken_to(rounds: Callable[..., Rounds]) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    shop = rounds(host_key=other)
    shop.put("day.xml")
    outcome = shop.run()
    assert isinstance(outcome, Misconfigured)
    assert "source.host_key expects" in outcome.reason
    assert asyncssh.import_public_key(other).get_fingerprint() in outcome.reason


def test_a_server_that_is_away_is_told_and_all_is_read_when_it_is_back(rounds: Callable[..., Rounds]) -> None:
    (port,) = free_ports(1)
    shop = rounds(port=port)
    outcome = shop.run()
    assert isinstance(outcome, NotSent)
    assert f"connection refused by 127.0.0.1:{port}" in outcome.reason


def test_a_folder_that_is_missing_is_told(rounds: Callable[..., Rounds]) -> None:
    outcome = rounds(path="/nowhere").run()
    assert isinstance(outcome, Misconfigured)
    assert "has no folder /nowhere; check source.path" in outcome.reason


def test_a_connection_that_is_lost_after_the_commit_reads_nothing_twice(
    rounds: Callable[..., Rounds], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = rounds()
    shop.put("day.xml")

    def lost(*_: Any) -> None:
        raise asyncssh.SFTPConnectionLost("gone")

    monkeypatch.setattr(shop.source._drop, "rename", lost)
    assert isinstance(shop.settled(), NotSent)
    monkeypatch.undo()
    assert shop.run(1.0) == 1
    assert shop.bodies == {"day.xml": [b"<a/>"]}
    assert shop.there() == {"done/day.xml": b"<a/>"}


def test_no_room_on_this_machine_is_told_as_ours(rounds: Callable[..., Rounds], tmp_path: Path) -> None:
    shop = rounds()
    shop.put("day.xml", bytes(3 << 20))
    with tmpfs(shop.state, "size=1m"):
        outcome = shop.settled()
        assert isinstance(outcome, NotSent)
        assert outcome.reason == f"{shop.state} cannot be written: no space left on device"
    assert shop.there() == {"day.xml": bytes(3 << 20)}


def test_b3_it_stops_while_the_server_says_nothing(rounds: Callable[..., Rounds]) -> None:
    """The server takes the connection, and never answers: SIGTERM is not kept waiting for `timeout`."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        shop = rounds(port=silent.getsockname()[1], timeout=timedelta(minutes=10))
        threading.Timer(0.3, shop.stopping.set).start()
        with pytest.raises(Stopped):
            shop.run()


def test_check_leaves_nothing_behind(rounds: Callable[..., Rounds]) -> None:
    shop = rounds()
    shop.put("day.xml")
    assert shop.source.probe_source() == Delivered()
    assert shop.there() == {"day.xml": b"<a/>"}


def test_check_says_when_nothing_may_be_written(sshd: Callable[..., Server], rounds: Callable[..., Rounds]) -> None:
    outcome = rounds(sshd(sftp_options="-R")).source.probe_source()
    assert isinstance(outcome, Misconfigured)
    assert outcome.reason.startswith("no file can be written into ")


def test_files_taken_since_are_found_for_a_journal_that_is_older(rounds: Callable[..., Rounds]) -> None:
    shop = rounds()
    shop.put("done/old.xml", b"old")
    os.utime(shop.home / "done" / "old.xml", (NOW - 9000, NOW - 9000))
    shop.put("done/new.xml", b"new")
    found = shop.source.find_taken(NOW - 3600)
    assert [document.name for document in found] == ["new.xml"]
    assert found[0].sha256 == Document.from_bytes("new.xml", b"new").sha256
