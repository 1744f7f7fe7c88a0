"""A file appears in a folder whole or not at all, on whatever the folder lies, and an absent share is no empty one."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.fallback_files import NAME
from tests.support.fallback_files import written as make_fallback_file
from tillpost.model import Delivered, FallbackFile, MaybeSent, Misconfigured, NotSent, Refused
from tillpost_directory import _make
from tillpost_directory.settings import Settings
from tillpost_directory.transfer import DirectoryTransfer, Share

BIG = bytes(range(256)) * (1 << 12)
Written = Callable[..., FallbackFile]


@pytest.fixture
def share(tmp_path: Path) -> Path:
    (tmp_path / "share" / "transactionImport").mkdir(parents=True)
    return tmp_path / "share"


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return partial(make_fallback_file, tmp_path / "fallback")


def to(path: Path) -> DirectoryTransfer:
    return _make(Settings(path=path), None)  # type: ignore[arg-type]


def files(share: Path) -> dict[str, bytes]:
    return {str(path.relative_to(share)): path.read_bytes() for path in share.rglob("*") if path.is_file()}


@pytest.mark.parametrize("content", [b"", b"<a/>", BIG], ids=["empty", "small", "1-MiB"])
def test_a_file_arrives_whole_under_its_name_alone(share: Path, written: Written, content: bytes) -> None:
    assert to(share).transfer(written(content)) == Delivered()
    assert files(share) == {f"transactionImport/{NAME}": content}


def test_it_is_found_while_it_is_there_and_not_sent_twice(share: Path, written: Written) -> None:
    file, transfer = written(), to(share)
    assert transfer.find_transferred(file) is False
    transfer.transfer(file)
    assert transfer.find_transferred(file) is True
    there = share / "transactionImport" / NAME
    before = there.stat().st_mtime_ns, there.stat().st_ino
    assert transfer.transfer(file) == Delivered(reason="it was there already")
    assert (there.stat().st_mtime_ns, there.stat().st_ino) == before
    there.unlink()
    assert transfer.find_transferred(file) is False


def test_another_file_of_that_name_is_left_alone(share: Path, written: Written) -> None:
    (share / "transactionImport" / NAME).write_bytes(b"of another")
    assert isinstance(to(share).transfer(written()), Refused)
    assert files(share) == {f"transactionImport/{NAME}": b"of another"}


class Raced(DirectoryTransfer):
    """Another file of that name appears between the look and the rename."""

    def rename(self, folder: Share, temporary: str, final: str) -> None:
        Path(final).write_bytes(b"of another")
        super().rename(folder, temporary, final)


def test_the_rename_writes_over_nothing(share: Path, written: Written) -> None:
    assert isinstance(Raced(Settings(path=share)).transfer(written()), Refused)
    assert files(share)[f"transactionImport/{NAME}"] == b"of another"


def test_a_share_without_hard_links_gets_a_rename(
    share: Path, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "no hard links here")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    assert to(share).transfer(written(BIG)) == Delivered()
    assert files(share) == {f"transactionImport/{NAME}": BIG}


@pytest.mark.parametrize("kept", ["nothing", "an empty mount point"])
def test_a_share_that_is_away_is_neither_written_to_nor_taken_for_read(
    share: Path, written: Written, kept: str
) -> None:
    file, transfer = written(), to(share)
    assert transfer.transfer(file) == Delivered()
    share.rename(share.with_name("unmounted"))
    if kept != "nothing":
        share.mkdir()
    for outcome in (transfer.transfer(file), transfer.find_transferred(file)):
        assert isinstance(outcome, NotSent)
        assert "share" in outcome.reason
    assert not share.exists() or list(share.iterdir()) == []


@contextmanager
def somebody_else() -> Iterator[None]:
    """Permissions hold for root only when it is not root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_may_not_be_written_is_a_setting() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary)
        base.chmod(0o755)
        (base / "share" / "transactionImport").mkdir(parents=True)
        (base / "share" / "transactionImport").chmod(0o555)
        file = make_fallback_file(base / "fallback")
        with somebody_else():
            outcome = to(base / "share").transfer(file)
        assert isinstance(outcome, Misconfigured)
        assert "transfer.path" in outcome.reason
        (base / "share" / "transactionImport").chmod(0o755)


def test_no_room_is_tried_again(share: Path, written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: object, sink: object, *_: object) -> None:
        sink.write(b"half")  # type: ignore[attr-defined]
        raise OSError(errno.ENOSPC, "no space")

    file = written(BIG)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        assert to(share).transfer(file) == NotSent(reason=f"{share}: No space left on device")
    assert list(files(share)) == [f"transactionImport/.{NAME}.part"]
    assert to(share).transfer(file) == Delivered()
    assert files(share) == {f"transactionImport/{NAME}": BIG}


def test_a_part_that_passes_for_the_whole_is_found_by_its_size(
    share: Path, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(BIG)
    monkeypatch.setattr(shutil, "copyfileobj", lambda source, sink, *_: sink.write(source.read(1000)))
    assert to(share).transfer(file) == NotSent(reason=f"1000 of {len(BIG)} bytes of {NAME} arrived")
    assert files(share) == {}


def test_what_an_earlier_attempt_left_is_not_written_over(share: Path, written: Written) -> None:
    """A crash between the two halves of the rename leaves two names of one file, and a reader may be in it."""
    file, folder = written(BIG), share / "transactionImport"
    (folder / f".{NAME}.part").write_bytes(BIG)
    (folder / NAME).hardlink_to(folder / f".{NAME}.part")
    assert to(share).transfer(file) == Delivered(reason="it was there already")
    assert files(share) == {f"transactionImport/{NAME}": BIG}
    (folder / f".{NAME}.part").write_bytes(b"being read")
    with (folder / f".{NAME}.part").open("rb") as reader:
        (folder / NAME).unlink()
        assert to(share).transfer(file) == Delivered()
        assert reader.read() == b"being read"


class BrokenRename(DirectoryTransfer):
    """The real transfer, whose rename is answered by an error before or after it was done."""

    when = ""
    away = False
    read = False

    def rename(self, folder: Share, temporary: str, final: str) -> None:
        if self.when == "after":
            super().rename(folder, temporary, final)
        there = Path(final)
        if self.read:
            there.unlink()
        if self.away:
            there.parent.rename(there.parent.with_name("away"))
        raise OSError(errno.EIO, "no answer")


@pytest.mark.parametrize(
    ("when", "away", "read", "expected"),
    [
        ("after", False, False, Delivered),
        ("after", False, True, Delivered),
        ("before", False, False, NotSent),
        ("after", True, False, MaybeSent),
        ("before", True, False, MaybeSent),
    ],
)
def test_a_lost_answer_to_the_rename_is_judged_by_looking(
    share: Path, written: Written, when: str, away: bool, read: bool, expected: type
) -> None:
    broken = BrokenRename(Settings(path=share))
    broken.when, broken.away, broken.read = when, away, read
    file = written(BIG)
    assert type(broken.transfer(file)) is expected
    if away:
        (share / "away").rename(share / "transactionImport")
    assert isinstance(to(share).transfer(file), Delivered)
    assert files(share) == {f"transactionImport/{NAME}": BIG}


def test_a_fallback_file_that_changed_here_is_not_sent(share: Path, written: Written) -> None:
    file = written(b"whole file")
    file.path.write_bytes(b"half")
    assert isinstance(to(share).transfer(file), Refused)
    file.path.unlink()
    assert isinstance(to(share).transfer(file), Refused)
    assert files(share) == {}
