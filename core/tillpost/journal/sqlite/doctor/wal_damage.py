"""What is wrong with the WAL, and with the end of a journal, as findings of the doctor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw

from tillpost.errors import StateFolderBusy
from tillpost.journal.sqlite.commit_mark import Mark
from tillpost.journal.sqlite.doctor.damage import Damage
from tillpost.journal.sqlite.locks import ExclusiveLock
from tillpost.journal.sqlite.wal_check import WalFault, early_end, examine_wal, wal_path

JOURNAL = "journal"
"""Stands for the table in findings about the files as a whole."""


def left_wal_fault(path: Path) -> WalFault | None:
    """What is wrong with the WAL an earlier process left; None while another process has the journal open."""
    try:
        with ExclusiveLock(path.parent, 0.0):
            return examine_wal(path)
    except StateFolderBusy:
        return None  # it was examined when that process opened it


def wal_damage(path: Path, fault: WalFault | None) -> Iterator[Damage]:
    """The finding about the WAL."""
    if fault is not None:
        yield Damage(table=JOURNAL, row=wal_path(path).name, reason=fault.reason, lost=fault.lost, remedy=fault.remedy)


def known_losses(connection: apsw.Connection) -> Iterator[Damage]:
    """What earlier findings have left, until a person has settled it."""
    for seq, what, step in connection.execute(
        "SELECT seq, what, next_step FROM losses WHERE settled_at IS NULL ORDER BY seq"
    ):
        yield Damage(table="losses", row=str(seq), reason=str(what), lost="as it says", remedy=str(step), note=True)


def end_damage(connection: apsw.Connection, mark: Mark | None) -> Iterator[Damage]:
    """The finding about the end of the journal. mark: as it was before the connection read."""
    if reason := early_end(connection, mark):
        yield Damage(
            table=JOURNAL, row="events", reason=reason, lost="what was committed after the last event",
            remedy="put back the newest journal.db with its WAL, or have the documents since then accepted again",
        )  # fmt: skip
