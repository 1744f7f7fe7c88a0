"""The searches of the status page: each uses an index and has a limit."""

from __future__ import annotations

import json
from typing import Any

from tillpost.journal.database import Database, Table
from tillpost.journal.tables.contact_lookups import OPEN_CONTACT
from tillpost.journal.tables.contacts import Contacts
from tillpost.journal.tables.files import FileState
from tillpost.journal.tables.receipt_rows import BY_STATE, COLUMNS, Entry, decode
from tillpost.model import IDENTIFIER_KINDS
from tillpost.model.customer import normalize_identifier

_FILE = (
    "name", "kind", "rows", "state", "reason", "written_at", "uploaded_at", "consumed_at", "confirmed_at", "alerted_at",
)  # fmt: skip


class Search(Table):
    """Searches for receipts, contacts and files."""

    def __init__(self, database: Database, contacts: Contacts) -> None:
        super().__init__(database)
        self._contacts = contacts

    def latest(self, state: str, limit: int, route: str = "") -> list[Entry]:
        """The receipts in a state (delivered ones: by a route) that were accepted last, the last first."""
        rows = self._database.read(
            f"SELECT {COLUMNS} FROM {BY_STATE} WHERE state = ? AND route = ? ORDER BY seq DESC LIMIT ?",  # noqa: S608 - ours
            (state, route, limit),
        )
        return [decode(self._database, row) for row in rows]

    def contacts_known_by(self, typed: str) -> list[str]:
        """The keys of the contacts with this identifier, as `kind:value` or as a value of any kind."""
        kind, colon, value = typed.strip().partition(":")
        asked = [(kind.strip(), value)] if colon and kind.strip() in IDENTIFIER_KINDS else []
        asked = asked or [(kind, typed) for kind in IDENTIFIER_KINDS]
        return sorted(
            {
                str(key)
                for kind, value in asked
                for (key,) in self._database.read(
                    "SELECT contact FROM identifiers WHERE kind = ? AND value = ?",
                    (kind, normalize_identifier(kind, value)),
                )
            }
        )

    def has_contact(self, key: str) -> bool:
        """Whether there is a contact of this local key."""
        return bool(self._database.read("SELECT 1 FROM contacts WHERE key = ?", (key,)))

    def open_contacts(self, limit: int) -> list[dict[str, Any]]:
        """Contacts without an id after a file, in conflict, or with unsaved fields; the last seen first.

        Without personal data: identifiers by kind and digest.
        """
        rows = self._database.read(
            "SELECT key, contact_id, file, conflict, unsaved, seen_at FROM contacts INDEXED BY contacts_open"  # noqa: S608 - ours
            f" WHERE {OPEN_CONTACT} ORDER BY seen_at DESC LIMIT ?",
            (limit,),
        )
        return [
            {
                "key": key,
                "state": "conflict" if conflict else "known" if contact_id else "pending",
                "identifiers": [str(known) for known in self._contacts.get(key).identifiers],
                "file": file,
                "reason": json.loads(conflict)["reason"] if conflict else "",
                "unsaved": json.loads(unsaved),
                "seen_at": seen_at,
            }
            for key, contact_id, file, conflict, unsaved, seen_at in rows
        ]

    def files(self, state: FileState, limit: int) -> list[dict[str, Any]]:
        """The files in a state without what is in them, the last written first."""
        names = self._database.read(
            "SELECT name FROM files INDEXED BY files_standing WHERE state = ? ORDER BY sequence DESC LIMIT ?",
            (state, limit),
        )
        rows = [
            row
            for (name,) in names
            for row in self._database.read(f"SELECT {', '.join(_FILE)} FROM files WHERE name = ?", (name,))  # noqa: S608 - ours
        ]
        return [dict(zip(_FILE, row, strict=True)) for row in rows]
