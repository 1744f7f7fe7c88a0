"""B16, B26: a full disk. Everything says it in one sentence, and what was accepted goes out all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from tests.support.mounts import fill, tmpfs
from tests.support.old_journals import of_schema
from tests.support.receipts import accept, found
from tillpost.errors import JournalError, JournalFull
from tillpost.journal import Journal, Move, State
from tillpost.journal.sqlite.doctor import backup, compact, repair, verify
from tillpost.journal.sqlite.schema import UPGRADES


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with tmpfs(tmp_path / "disk", "size=12m"):
        yield tmp_path / "disk"


def filled(disk: Path, journal: Journal) -> Path:
    """The disk is full to the last byte, and the journal has met it."""
    filler = fill(disk)
    for number in range(100, 400):
        try:
            accept(journal, *[found(number=f"{number}-{each}") for each in range(20)])
        except JournalFull:
            return filler
    raise AssertionError("it is not full")


def test_b26_what_was_accepted_goes_out_while_the_disk_is_full(disk: Path) -> None:
    journal = Journal(disk / "shop")
    accept(journal, *[found(number=str(number)) for number in range(300)])
    journal.tidy()
    assert (disk / "shop" / "journal.reserve").stat().st_size == (12 << 20) // 16
    filler = filled(disk, journal)
    accepted = journal.receipts.counts()[State.ACCEPTED]
    for seq in range(1, 301):
        journal.receipts.mark_sending(seq, 120.0)
        journal.receipts.settle([(seq, Move(state=State.DELIVERED, route="api"))], 121.0, "deliver")
    for _ in range(3):
        with pytest.raises(JournalFull, match="no room on the disk"):
            accept(journal, found(number="new"))
        journal.tidy()
    counts = journal.receipts.counts()
    assert (counts[State.DELIVERED], counts[State.ACCEPTED]) == (300, accepted - 300)
    filler.unlink()
    journal.tidy()
    accept(journal, found(number="new"))
    assert (disk / "shop" / "journal.reserve").stat().st_size == (12 << 20) // 16, "it is kept back again"
    journal.close()
    assert verify(disk / "shop").fine


def test_b26_another_command_does_not_take_the_room_of_deliveries(disk: Path) -> None:
    journal = Journal(disk / "shop")
    accept(journal, found())
    journal.tidy()
    filler = filled(disk, journal)
    other = Journal(disk / "shop")
    with pytest.raises(JournalFull):
        accept(other, found(number="other"))
    filler.unlink()
    accept(other, found(number="other"))
    other.close()
    journal.close()


def test_b16_a_journal_with_a_reserve_opens_on_a_full_disk(disk: Path) -> None:
    """As `run` does at a start: what is accepted can go out at once."""
    journal = Journal(disk / "shop")
    accept(journal, *[found(number=str(number)) for number in range(20)])
    journal.tidy()
    journal.close()
    fill(disk)
    journal = Journal(disk / "shop")
    journal.receipts.settle([(1, Move(state=State.DELIVERED, route="api"))], 121.0, "deliver")
    with pytest.raises(JournalFull):
        accept(journal, found(number="new"))
    journal.close()
    assert verify(disk / "shop").receipts == 20


def _opened(disk: Path) -> None:
    Journal(disk / "shop").close()


@pytest.mark.parametrize(
    "work",
    [
        _opened,
        lambda disk: Journal(disk / "new"),
        lambda disk: backup(disk / "shop", disk / "b.db", 1.0),
        lambda disk: compact(disk / "shop"),
        lambda disk: repair(disk / "shop", 1.0),
    ],
)
def test_b16_each_step_on_a_full_disk_is_one_sentence_and_harms_nothing(
    disk: Path, work: Callable[[Path], object]
) -> None:
    journal = Journal(disk / "shop")
    accept(journal, *[found(number=str(number)) for number in range(40)])
    journal.close()
    filler = fill(disk)
    said = ""
    try:
        work(disk)
    except JournalFull as error:
        said = str(error)
    assert not said or "no room" in said or "MiB" in said
    assert "\n" not in said
    filler.unlink()
    assert sorted(path.name for path in (disk / "shop").iterdir() if path.name.startswith("repair")) == []
    assert not (disk / "b.db").exists() or verify(disk / "shop").fine
    assert verify(disk / "shop").receipts == 40


@pytest.mark.parametrize("schema", [1, 13, 14])
def test_b16_an_upgrade_on_a_full_disk_is_one_sentence_and_is_made_when_there_is_room(
    disk: Path, tmp_path: Path, schema: int
) -> None:
    journal = Journal(tmp_path / "now")
    accept(journal, *[found(number=str(number)) for number in range(40)])
    journal.close()
    (disk / "shop").mkdir()
    of_schema(schema, tmp_path / "now" / "journal.db", disk / "shop" / "journal.db")
    filler = fill(disk)
    with pytest.raises(JournalFull, match="no room on the disk"):
        Journal(disk / "shop")
    filler.unlink()
    journal = Journal(disk / "shop")
    assert journal.receipts.counts()[State.ACCEPTED] == 40
    journal.close()


def test_b16_a_journal_of_a_newer_version_is_never_rewritten(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    with apsw.Connection(str(tmp_path / "journal.db")) as raw:
        raw.pragma("user_version", len(UPGRADES) + 1)
    raw.close()
    before = (tmp_path / "journal.db").read_bytes()
    for work in (compact, lambda folder: repair(folder, 1.0), verify, Journal):
        with pytest.raises(JournalError, match="written by a newer one"):
            work(tmp_path)
    assert (tmp_path / "journal.db").read_bytes() == before
