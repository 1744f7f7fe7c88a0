"""Lost and torn writes below SQLite: whatever was acknowledged is there after the power is back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from tests.support.disk import Disk
from tests.support.receipts import accept, found
from tillpost.errors import DiskFailed, JournalDamaged, NotCommitted
from tillpost.journal import Journal, Move, State
from tillpost.journal.sqlite import checkpoints, journal_file
from tillpost.journal.sqlite.connection import connect

SCHEDULES = 25
CUTS = 3
"""Power cuts a schedule, each judged by itself."""

Lost = list[str]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The WAL is carried into the file every few commits, so that cuts hit that as well."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT", 12)
    monkeypatch.setattr(checkpoints, "WAL_BOUND", 64 << 10)


def test_a_power_cut_at_any_write_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Torn and lost writes: what a commit had returned for is there, whole, after a cut at any write or sync."""
    assert [lost for seed in range(SCHEDULES) for lost in _run(tmp_path / str(seed), seed)] == []


def test_a_journal_that_does_not_sync_each_commit_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: with synchronous=NORMAL it finds acknowledged receipts gone."""

    def careless(path: Path) -> apsw.Connection:
        connection = connect(path)
        connection.pragma("synchronous", "normal")
        return connection

    monkeypatch.setattr(journal_file, "connect", careless)
    assert any(_run(tmp_path / str(seed), seed) for seed in range(SCHEDULES))


def test_a_failed_sync_followed_by_a_power_cut_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """fsync answers EIO: no second sync on that handle, the journal is reopened, and goes on without a loss."""
    assert [lost for seed in range(SCHEDULES) for lost in _run(tmp_path / str(seed), seed, failing=True)] == []


@pytest.mark.parametrize("rewritten", [True, False])
def test_a_power_cut_while_reopening_after_a_failed_sync_is_why_the_wal_is_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rewritten: bool
) -> None:
    """Frames of the failed sync, believed after reopening, are carried into the file, and the WAL cannot mend that."""
    if not rewritten:
        monkeypatch.setattr(journal_file, "rewrite_wal", lambda wal: None)
    chance, cuts = Random(0), list[Path]()
    first, refused = (
        [found(number=f"1-{each}") for each in range(30)],
        [found(number=f"2-{each}") for each in range(60)],
    )
    with Disk() as disk:
        journal = Journal(tmp_path / "state")
        accept(journal, *first)

        def fails_once(name: str) -> bool:
            if len(disk.files[name].pending) < 10:
                return False  # the sync of the WAL's header
            disk.fails = lambda name: False
            disk.before_call = cut
            return True

        def cut(number: int) -> None:
            for each in range(4):
                cuts.append(tmp_path / f"cut{number}-{each}")
                disk.cut(cuts[-1], chance)

        disk.fails = fails_once
        with pytest.raises(NotCommitted):
            accept(journal, *refused)
        disk.before_call = lambda number: None
        journal.close()
    known = {each.receipt.id: "accepted" for each in first}
    lost = [path.name for path in cuts if _missing(path, known)]
    assert len(cuts) > 100
    assert (lost == []) is rewritten, lost


def _run(folder: Path, seed: int, failing: bool = False) -> Lost:
    """A random schedule of commits, cut at random moments; what was acknowledged before each and is gone after it."""
    chance = Random(seed)
    folder.mkdir(parents=True)
    acknowledged: dict[str, str] = {}
    cuts: list[tuple[Path, dict[str, str]]] = []
    with Disk() as disk:
        moments = set(chance.sample(range(100, 1100), CUTS))  # making the tables takes about half of them

        def before_call(number: int) -> None:
            if number in moments:
                cuts.append((folder / f"cut{number}", dict(acknowledged)))
                disk.cut(cuts[-1][0], chance)

        disk.before_call = before_call
        journal = Journal(folder / "state")
        if failing:
            disk.fails = _sometimes(chance)
        for number in range(14):
            try:
                _commit(journal, number, acknowledged, chance)
            except DiskFailed:  # twice in a row: the pipeline stops, and is started again
                journal.close()
                journal = _started_again(folder / "state")
        disk.fails = lambda name: False
        assert disk.syncs_after_failure == 0
        end = folder / "end"
        disk.cut(end, chance)
        cuts.append((end, dict(acknowledged)))
        journal.close()
    return [f"seed {seed}: {path.name}: {lost}" for path, known in cuts for lost in _missing(path, known)]


def _started_again(folder: Path) -> Journal:
    while True:
        with suppress(DiskFailed):
            return Journal(folder)


def _sometimes(chance: Random) -> Callable[[str], bool]:
    return lambda name: chance.random() < 0.12


def _commit(journal: Journal, number: int, acknowledged: dict[str, str], chance: Random) -> None:
    """Accept a few receipts, or bring one a step further; what this returns for is acknowledged."""
    try:
        if acknowledged and chance.random() < 0.3:
            identity = chance.choice(sorted(acknowledged))
            entry = journal.receipts.get(identity)
            assert entry is not None
            if entry.state is State.ACCEPTED:
                journal.receipts.settle([(entry.seq, Move(state=State.DELIVERED, route="api"))], 200.0, "deliver")
                acknowledged[identity] = "delivered"
            return
        group = [found(number=f"{number}-{each}") for each in range(chance.randint(1, 12))]
        accept(journal, *group)
        acknowledged.update({each.receipt.id: "accepted" for each in group})
    except NotCommitted:
        pass  # it was reported: nothing was acknowledged


def _missing(folder: Path, known: dict[str, str]) -> Lost:
    if not known and not (folder / "journal.db").exists():
        return []
    try:
        journal = Journal(folder)
    except Exception as error:  # noqa: BLE001 - a journal that cannot be opened has lost everything
        return [f"cannot be opened: {error}"]
    lost = []
    try:
        for identity, state in known.items():
            entry = journal.receipts.get(identity)
            if entry is None or (state == "delivered" and entry.state != state):
                lost.append(f"{identity} ({state})")
            elif journal.bodies.get(entry.seq).id != identity:
                lost.append(f"{identity}: its content")
    except JournalDamaged as error:
        lost.append(f"damaged: {error}")
    finally:
        journal.close()
    try:
        whole: Any = sqlite3.connect(folder / "journal.db").execute("PRAGMA integrity_check").fetchone()
    except sqlite3.DatabaseError as error:
        whole = error
    return lost if whole == ("ok",) else [*lost, f"damaged: {whole}"]
