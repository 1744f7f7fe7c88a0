"""The states of files, without what is in the files: after an outage of days there are thousands, read often."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from tillpost.journal.database import ALL, List, Table
from tillpost.journal.tables.files import OPEN_FILES, FileState


@attrs.frozen(kw_only=True)
class FileStatus:
    """The state of a file."""

    name: str
    kind: str
    sequence: int
    state: FileState = attrs.field(converter=FileState)
    due: float
    reviewed: bool = attrs.field(converter=bool)
    consumed_at: float | None


@attrs.frozen
class StuckFile:
    """A file that has been reported as stuck: since when, and why."""

    name: str
    state: FileState = attrs.field(converter=FileState)
    alerted_at: float
    reason: str


_COLUMNS = tuple(field.name for field in attrs.fields(FileStatus))


class FileStates(Table):
    """Read from the index by state."""

    def in_states(self, *states: FileState) -> list[FileStatus]:
        """The files in these states, in the order of upload."""
        return self._select(states, "TRUE")

    def to_confirm(self, now: float) -> list[FileStatus]:
        """The uploaded files whose next check is due."""
        return self._select((FileState.UPLOADED, FileState.CONSUMED), "due <= ?", now)

    def unreviewed(self) -> list[FileStatus]:
        """The files that have not been reviewed before their upload."""
        return self._select((FileState.WRITTEN,), "reviewed = 0")

    def unconfirmed_contacts(self) -> list[FileStatus]:
        """The contacts files that are not confirmed."""
        return self._select(OPEN_FILES, "kind = 'contacts'")

    def to_upload(self, before: int | None, unreviewed: bool) -> list[FileStatus]:
        """The files to be uploaded. before: the sequence receipts files must be below; None: any."""
        clause = "(kind = 'contacts' OR sequence < ?) AND reviewed >= ?"
        return self._select((FileState.WRITTEN,), clause, ALL if before is None else before, 0 if unreviewed else 1)

    def needing(self, names: Iterable[str]) -> frozenset[str]:
        """The receipts files to be uploaded that name a contact which one of these contacts files creates."""
        rows = self._database.read(
            "SELECT DISTINCT r.file FROM contacts c JOIN receipts r ON r.contact = c.key"
            " WHERE c.created_by IN (SELECT value FROM json_each(?)) AND c.contact_id = '' AND r.state = 'written'",
            (List(names),),
        )
        return frozenset(str(file) for (file,) in rows)

    def _select(self, states: tuple[FileState, ...], clause: str, *values: Any) -> list[FileStatus]:
        # This is asked five times a second, and after an outage of days most files wait.
        marks = ", ".join("?" * len(states))
        rows = self._database.read(
            f"SELECT {', '.join(_COLUMNS)} FROM files WHERE state IN ({marks}) AND {clause}"  # noqa: S608 - ours
            " ORDER BY sequence, kind, position",
            (*states, *values),
        )
        return [FileStatus(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]

    def stuck(self) -> list[StuckFile]:
        """The files that are stuck, the longest first."""
        rows = self._database.read(
            "SELECT name, state, alerted_at, reason FROM files INDEXED BY files_alerted"
            " WHERE alerted_at IS NOT NULL ORDER BY alerted_at, name"
        )
        return [StuckFile(*row) for row in rows]

    def open_states(self) -> frozenset[FileState]:
        """The states of the files that are not confirmed; empty when all are."""
        exists = ", ".join(f"EXISTS (SELECT 1 FROM files WHERE state = '{state}')" for state in OPEN_FILES)  # noqa: S608
        (found,) = self._database.read(f"SELECT {exists}")
        return frozenset(state for state, there in zip(OPEN_FILES, found, strict=True) if there)

    def counts(self) -> dict[str, int]:
        """The number of files in each state."""
        found = dict(self._database.read("SELECT state, count(*) FROM files GROUP BY state"))
        return {state: int(found.get(state, 0)) for state in FileState}
