"""B17: the files of a journal change under the process that has them open. Nothing is acknowledged into nowhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from tests.support.engine import store_of
from tests.support.left_wal import killed
from tests.support.mounts import tmpfs
from tests.support.receipts import accept, found
from tillpost.errors import JournalDisplaced, JournalError
from tillpost.journal import Journal
from tillpost.journal.sqlite.doctor import verify


class Till:
    """Accepts receipts one by one; knows what was acknowledged, and what was refused."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder)
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self._next = 0

    def sell(self, count: int = 1) -> str:
        """What the last one was refused with; "" when it was acknowledged."""
        said = ""
        for _ in range(count):
            self._next += 1
            try:
                accept(self.journal, found(number=str(self._next), customer=f"c{self._next % 5}"))
            except JournalDisplaced as error:
                self.refused.append(str(self._next))
                said = str(error)
            else:
                self.acknowledged.append(str(self._next))
                said = ""
        return said


def numbers(folder: Path) -> set[str]:
    journal = Journal(folder)
    try:
        return {entry.number for entry in journal.receipts.find({})}
    finally:
        journal.close()


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    till = Till(tmp_path / "state" / "shop")
    till.sell(5)
    yield till
    with suppress(JournalError, OSError):
        till.journal.close()


def renamed(folder: Path) -> None:
    (folder / "journal.db").rename(folder / "elsewhere.db")


def replaced(folder: Path) -> None:
    killed(folder.parent / "other", 3)
    Journal(folder.parent / "other").close()
    (folder.parent / "other" / "journal.db").replace(folder / "journal.db")


def emptied(folder: Path) -> None:
    os.truncate(folder / "journal.db", 0)


def cut(folder: Path) -> None:
    os.truncate(folder / "journal.db", 8192)


def overwritten(folder: Path) -> None:
    (folder / "journal.db").write_bytes(b"\0" * (folder / "journal.db").stat().st_size)


def folder_renamed(folder: Path) -> None:
    folder.rename(folder.with_name("away"))


DISPLACEMENTS = [
    lambda folder: (folder / "journal.db").unlink(),
    renamed,
    replaced,
    emptied,
    cut,
    overwritten,
    folder_renamed,
    lambda folder: folder.parent.rename(folder.parent.with_name("gone")),
]


@pytest.mark.parametrize("displace", DISPLACEMENTS)
def test_b17_nothing_is_acknowledged_from_the_first_group_on(
    till: Till, tmp_path: Path, displace: Callable[[Path], object]
) -> None:
    displace(tmp_path / "state" / "shop")
    for _ in range(3):
        said = till.sell()
        assert "nothing more is acknowledged" in said
        assert "journal.db" in said
    with pytest.raises(JournalDisplaced):
        till.journal.tidy()
    assert "nothing more is acknowledged" in till.journal.write_problem()
    assert len(till.acknowledged) == 5


def test_b17_an_idle_line_notices_too(till: Till, tmp_path: Path) -> None:
    till.journal.tidy()
    renamed(tmp_path / "state" / "shop")
    with pytest.raises(JournalDisplaced, match="is not there any more"):
        till.journal.tidy()


@pytest.mark.parametrize(
    ("away", "back"),
    [
        ("state/shop/journal.db", "state/shop/elsewhere.db"),
        ("state/shop", "state/away"),
        ("state", "gone"),
    ],
)
def test_b17_it_goes_on_by_itself_when_what_was_moved_is_back(till: Till, tmp_path: Path, away: str, back: str) -> None:
    (tmp_path / away).rename(tmp_path / back)
    assert till.sell(2)
    (tmp_path / back).rename(tmp_path / away)
    assert till.sell(3) == ""
    till.journal.close()
    assert set(till.acknowledged) <= numbers(tmp_path / "state" / "shop")


def test_b17_a_deleted_journal_is_saved_and_goes_on_from_the_saved_file(till: Till, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "shop"
    (folder / "journal.db").unlink()
    assert f"saved in {folder / 'journal.db.rescued'}: rename it to journal.db" in till.sell()
    assert (folder / "journal.db.rescued").stat().st_mode & 0o777 == 0o600
    (folder / "journal.db.rescued").rename(folder / "journal.db")
    assert till.sell(3) == ""
    till.journal.close()
    assert set(till.acknowledged) <= numbers(folder)
    assert verify(folder).fine


def test_b17_a_journal_that_was_deleted_with_everything_beside_it_is_saved_at_the_next_commit(
    till: Till, tmp_path: Path
) -> None:
    folder = tmp_path / "state" / "shop"
    for path in folder.glob("journal.db*"):
        path.unlink()
    assert "rescued" in till.sell()
    till.journal.close()
    (folder / "journal.db.rescued").rename(folder / "journal.db")
    assert set(till.acknowledged) <= numbers(folder)


def test_b17_an_older_copy_of_the_same_journal_is_not_the_right_file(till: Till, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "shop"
    store_of(till.journal)._file.writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    shutil.copy(folder / "journal.db", tmp_path / "yesterday.db")
    till.sell(4)
    store_of(till.journal)._file.writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    till.sell(2)
    shutil.copy(tmp_path / "yesterday.db", folder / "copy.db")
    (folder / "copy.db").replace(folder / "journal.db")
    assert till.sell()
    assert till.sell(), "it lacks what was acknowledged"
    saved = folder / "journal.db.rescued"
    saved.replace(folder / "journal.db")
    assert till.sell() == ""
    till.journal.close()
    assert set(till.acknowledged) <= numbers(folder)


@pytest.mark.parametrize("beside", ["-wal", "-shm"])
@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_b17_a_wal_or_shared_memory_that_is_gone_is_carried_into_the_journal(
    till: Till, tmp_path: Path, beside: str, how: str
) -> None:
    folder = tmp_path / "state" / "shop"
    path = folder / f"journal.db{beside}"
    if how == "deleted":
        path.unlink()
    else:
        (folder / "copy").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        (folder / "copy").replace(path)
    assert f"journal.db{beside}" in till.sell()
    assert till.sell(4) == "", "the journal itself is the right one"
    till.journal.close()
    assert set(till.acknowledged) <= numbers(folder)
    assert verify(folder).fine
    if (how, beside) == ("replaced", "-wal"):
        assert (folder / "journal.db-wal.foreign").exists(), "what took its place is kept"


def test_b17_a_disk_that_is_unmounted_under_the_process_and_mounted_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with tmpfs(state, "size=16m"):
        till = Till(state / "shop")
        till.sell(5)
        shelter = tmp_path / "shelter"
        shelter.mkdir()
        subprocess.run(["mount", "--move", str(state), str(shelter)], check=False, capture_output=True)
        if not os.path.ismount(shelter):  # a shared mount cannot be moved
            subprocess.run(["mount", "--bind", str(state), str(shelter)], check=True)
            subprocess.run(["umount", "-l", str(state)], check=True)
        try:
            assert "its disk is not mounted" in till.sell(2)
            assert not list(state.iterdir()), "nothing is written below the mount point"
            subprocess.run(["mount", "--bind", str(shelter), str(state)], check=True)
            assert till.sell(3) == ""
            till.journal.close()
            assert set(till.acknowledged) <= numbers(state / "shop")
        finally:
            subprocess.run(["umount", "-l", str(shelter)], check=False)


def test_b17_closing_a_displaced_journal_harms_no_other_file(till: Till, tmp_path: Path) -> None:
    """SQLite removes the WAL by its name when it closes: it may be that of the journal that took the place."""
    folder = tmp_path / "state" / "shop"
    folder.rename(folder.with_name("away"))
    killed(folder, 6)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    till.journal.close()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(numbers(folder)) == 6
    assert set(till.acknowledged) <= numbers(folder.with_name("away"))
