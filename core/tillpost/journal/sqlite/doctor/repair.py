"""Repair: a copy of the journal is repaired, proved, and takes its place; the damaged one stays beside it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import apsw
import attrs

from tillpost.errors import JournalError
from tillpost.journal.sqlite.doctor.damage import Damage, quarantine
from tillpost.journal.sqlite.doctor.examine import examine
from tillpost.journal.sqlite.doctor.reading import WORK, journal_path, repaired_copy, work, writes_blocked
from tillpost.journal.sqlite.doctor.salvage import problems
from tillpost.journal.sqlite.locks import ExclusiveLock
from tillpost.journal.sqlite.replace_file import finish_replacement, replace_journal, sync
from tillpost.journal.tables import counters

_ROUNDS = 5
"""Putting a row right may show that another is wrong; more rounds than tables that name each other are a fault."""


@attrs.frozen(kw_only=True)
class Repaired:
    """What was, or would be, repaired. kept: where the damaged journal is now; None when nothing was changed."""

    damages: list[Damage]
    pages: list[str]
    receipts: int
    kept: Path | None


def repair(
    folder: Path, now: float, dry: bool = False, progress: Callable[[str], None] = lambda text: None
) -> Repaired:
    """Put the journal of a state folder right. The caller holds its RunLock, but for a dry run, which changes nothing.

    Raises StateFolderBusy while another command has the journal open, JournalFull when there is no room for two
    copies, JournalError when the repaired copy does not prove whole; then the journal is as it was.
    """
    path = journal_path(folder)
    if dry:
        with work(folder) as place, writes_blocked(path):
            return _fixed(path, place, now, progress)[0]
    with ExclusiveLock(folder):
        finish_replacement(folder / "journal.db")
        path = journal_path(folder)
        for left in folder.glob(f"{WORK}*"):
            shutil.rmtree(left, ignore_errors=True)
        with work(folder) as place:
            repaired, new = _fixed(path, place, now, progress)
            if not repaired.damages and not repaired.pages:
                return repaired
            sync(new)
            kept = _kept(path, now)
            replace_journal(path, new, kept)
            return attrs.evolve(repaired, kept=kept)


def _kept(path: Path, now: float) -> Path:
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"{path.name}.damaged-{stamp}{f'-{number}' if number else ''}" for number in count())
    return next(kept for name in names if not (kept := path.with_name(name)).exists())


def _fixed(path: Path, place: Path, now: float, progress: Callable[[str], None]) -> tuple[Repaired, Path]:
    new, damages, pages = repaired_copy(path, place, progress)
    connection = apsw.Connection(str(new))
    try:
        connection.pragma("synchronous", "off")  # one sync at the end, before the swap
        with connection:
            for damage in damages:
                quarantine(connection, damage, now)
        damages += fix(connection, path.parent / "fallback", now, progress)
        progress("proving the repaired journal")
        if said := problems(connection):
            raise JournalError(f"{path}: the repaired copy does not prove whole: {said[0]}; nothing was changed")
        receipts = connection.execute("SELECT count(*) FROM receipts").get
    finally:
        connection.close(True)
    return Repaired(damages=damages, pages=pages, receipts=receipts, kept=None), new


def fix(connection: apsw.Connection, fallback: Path, now: float, progress: Callable[[str], None]) -> list[Damage]:
    """Put every row right or into the quarantine; what was wrong. The pages are whole, the schema the newest."""
    done: list[Damage] = []
    for _ in range(_ROUNDS):
        found = [damage for damage in examine(connection, fallback, progress) if not damage.note]
        if not found:
            return done
        with connection:
            for damage in found:
                quarantine(connection, damage, now)
                if damage.fix is not None:
                    damage.fix(connection, now)
            counters.recount(connection)  # rows that were made again
        done += found
    return done + [attrs.evolve(damage, remedy="no repair helps: a person must look at it") for damage in found]
