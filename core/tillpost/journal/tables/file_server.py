"""What is known of the file server: whether it can be used, since when, and why not."""

from __future__ import annotations

import attrs

from tillpost.journal.database import Table


@attrs.frozen(kw_only=True)
class FileServer:
    """One row. Seconds since 1970.

    failures: calls in a row that have failed. refused: it answers and refuses our settings. since: when it was first
    known to be as it is, usable or not. checked_at: when it was asked last.
    """

    failures: int = 0
    reason: str = ""
    refused: bool = False
    since: float
    checked_at: float

    @property
    def is_down(self) -> bool:
        """Whether a person is told: it refuses our settings, or failed more than once in a row."""
        return self.refused or self.failures > 1


class FileServers(Table):
    """The one row of the table file_server."""

    def get(self) -> FileServer | None:
        """The row; None when the file server was never asked."""
        names = [field.name for field in attrs.fields(FileServer)]
        rows = self._database.read(f"SELECT {', '.join(names)} FROM file_server")  # noqa: S608 - names of ours
        if not rows:
            return None
        known = dict(zip(names, rows[0], strict=True))
        return FileServer(**known | {"refused": bool(known["refused"])})

    def put(self, server: FileServer) -> None:
        """Store the row."""
        sql = (
            "INSERT INTO file_server (one, failures, reason, refused, since, checked_at) VALUES (1, ?, ?, ?, ?, ?)"
            " ON CONFLICT (one) DO UPDATE SET failures = excluded.failures, reason = excluded.reason,"
            " refused = excluded.refused, since = excluded.since, checked_at = excluded.checked_at"
        )
        values = (server.failures, server.reason, int(server.refused), server.since, server.checked_at)
        self._database.write(lambda transaction: transaction.execute(sql, values))

    def forget(self) -> None:
        """Delete the row: the pipeline has no file server any more."""
        self._database.write(lambda transaction: transaction.execute("DELETE FROM file_server"))
