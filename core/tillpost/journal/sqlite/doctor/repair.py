"""Repair: a repaired and checked copy replaces the journal; the damaged one is kept beside it."""

from __future__ import annotations

from pathlib import Path

import apsw
import attrs

from tillpost.errors import JournalError
from tillpost.journal.sqlite.commit_mark import read_mark
from tillpost.journal.sqlite.connection import opened
from tillpost.journal.sqlite.doctor.damage import Damage, Progress, quarantine
from tillpost.journal.sqlite.doctor.examine import examine
from tillpost.journal.sqlite.doctor.gaps import go_ahead
from tillpost.journal.sqlite.doctor.reading import (
    exclusive_work,
    journal_path,
    kept_path,
    repaired_copy,
    work,
    writes_blocked,
)
from tillpost.journal.sqlite.doctor.salvage import problems
from tillpost.journal.sqlite.doctor.wal_damage import JOURNAL, end_damage
from tillpost.journal.sqlite.replace_file import replace_journal, sync
from tillpost.journal.tables import counters, losses

_ROUNDS = 5
"""Most rounds of repair: the repair of a row may show that another is damaged, at most once for each table."""


@attrs.frozen(kw_only=True)
class Repaired:
    """What was or would be repaired. kept: where the damaged journal is now; None when nothing was changed."""

    damages: list[Damage]
    pages: list[str]
    receipts: int
    kept: Path | None


def repair(folder: Path, now: float, dry: bool = False, progress: Progress = lambda text: None) -> Repaired:
    """Repair the journal of a state folder. The caller holds its RunLock, except for a dry run, which changes nothing.

    Raises StateFolderBusy while another command has the journal open, JournalFull when there is no room for two
    copies, JournalError when the repaired copy fails its check; then the journal is not changed.
    """
    path = journal_path(folder)
    if dry:
        with work(folder) as place, writes_blocked(path):
            return _fixed(path, place, now, progress, shared=True)[0]
    with exclusive_work(folder) as place:
        path = journal_path(folder)
        repaired, new = _fixed(path, place, now, progress)
        if not repaired.damages and not repaired.pages:
            return repaired
        sync(new)
        kept = kept_path(path, "damaged", now)
        replace_journal(path, new, kept)
        return attrs.evolve(repaired, kept=kept)


def _fixed(path: Path, place: Path, now: float, progress: Progress, shared: bool = False) -> tuple[Repaired, Path]:
    mark = read_mark(path)
    new, damages, pages = repaired_copy(path, place, progress, shared)
    with opened(new) as connection:
        connection.pragma("synchronous", "off")  # one sync at the end, before the swap
        damages += end_damage(connection, mark)
        with connection:
            for damage in damages:
                quarantine(connection, damage, now)
                if damage.table == JOURNAL and damage.lost != "nothing":
                    what = f"{damage.row}: {damage.reason}; lost: {damage.lost}"
                    losses.record(connection, now, what, f"{damage.remedy}; then `tillpost journal losses --settle`")
                    go_ahead(connection, mark.event if mark is not None else 0, now, what)
        damages += fix(connection, path.parent / "fallback", now, progress)
        progress("checking the repaired journal")
        if found_problems := problems(connection):
            raise JournalError(f"{path}: the repaired copy is damaged: {found_problems[0]}; nothing was changed")
        receipts = connection.execute("SELECT count(*) FROM receipts").get
    return Repaired(damages=damages, pages=pages, receipts=receipts, kept=None), new


def fix(connection: apsw.Connection, fallback: Path, now: float, progress: Progress) -> list[Damage]:
    """Repair every damaged row or move it to the quarantine; the pages must be undamaged and the schema the newest."""
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
            counters.recount(connection)  # for rows that were recreated
        done += found
    return done + [attrs.evolve(damage, remedy="cannot be repaired: a person must look at it") for damage in found]
