"""Verify: checks every page, row and checksum of a journal, and its fallback files, without changing anything."""

from __future__ import annotations

from pathlib import Path

import apsw
import attrs

from tillpost.journal.sqlite.doctor.damage import Damage, Progress
from tillpost.journal.sqlite.doctor.examine import examine
from tillpost.journal.sqlite.doctor.reading import reading
from tillpost.journal.sqlite.doctor.wal_damage import end_damage, known_losses
from tillpost.journal.sqlite.platform import protection, unsuitable_folder
from tillpost.journal.sqlite.schema import UPGRADES


@attrs.frozen(kw_only=True)
class Verified:
    """The result. damages: of rows and pages; pages: the messages of SQLite's check.

    protection: from the WAL-reset bug, "" when SQLite has none; folder: why it must not be used, or "".
    quarantined: rows that earlier repairs took out.
    """

    receipts: int
    schema: int
    newest: int
    pages: list[str]
    damages: list[Damage]
    quarantined: int
    sqlite: str
    protection: str
    folder: str

    @property
    def fine(self) -> bool:
        """Whether nothing needs a person."""
        return not self.pages and all(each.note for each in self.damages) and bool(self.protection) and not self.folder


def verify(folder: Path, progress: Progress = lambda text: None) -> Verified:
    """Verify the journal of a state folder, also while `run` uses it."""
    with reading(folder, progress) as read:
        connection = read.connection
        damages = [*read.damages, *end_damage(connection, read.mark)]
        damages += known_losses(connection)
        damages += examine(connection, folder / "fallback", progress)
        return Verified(
            receipts=connection.execute("SELECT count(*) FROM receipts").get,
            schema=read.schema,
            newest=len(UPGRADES),
            pages=read.pages,
            damages=damages,
            quarantined=connection.execute("SELECT count(*) FROM quarantine").get,
            sqlite=apsw.sqlite_lib_version(),
            protection=protection(apsw.sqlite_lib_version()),
            folder=unsuitable_folder(folder),
        )
