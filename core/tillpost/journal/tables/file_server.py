"""What is known of the file server: whether it can be used, since when, and why not."""

from __future__ import annotations

from enum import IntEnum

import attrs

from tillpost.journal.database import Table


class Refusal(IntEnum):
    """What the file server has refused for our settings: nothing, a probe, or the transfer of a file."""

    NONE = 0
    PROBE = 1
    TRANSFER = 2


@attrs.frozen(kw_only=True)
class FileServer:
    """One row. Seconds since 1970.

    failures: probes in a row that have failed; a transfer that fails counts as one. since: when it was first known to
    be as it is, usable or not. checked_at: when it was asked last.
    """

    failures: int = 0
    reason: str = ""
    refused: Refusal = attrs.field(default=Refusal.NONE, converter=Refusal)
    since: float
    checked_at: float

    @property
    def is_down(self) -> bool:
        """Whether a person is told: it refuses our settings, or failed more than once in a row."""
        return self.refused is not Refusal.NONE or self.failures > 1


class FileServers(Table):
    """The one row of the table file_server."""

    def get(self) -> FileServer | None:
        """The row; None when the file server was never asked."""
        names = [field.name for field in attrs.fields(FileServer)]
        rows = self._database.read(f"SELECT {', '.join(names)} FROM file_server")  # noqa: S608 - names of ours
        if not rows:
            return None
        return FileServer(**dict(zip(names, rows[0], strict=True)))

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
