"""The journal of one pipeline: its durable memory."""

from __future__ import annotations

from pathlib import Path

from tillpost.journal.contacts import Contacts
from tillpost.journal.events import Events
from tillpost.journal.files import Files
from tillpost.journal.looks import Looks
from tillpost.journal.receipts import Receipts
from tillpost.journal.store import Store
from tillpost.journal.tenant import Tenants


class Journal:
    """Opened on a state folder: its tables, each with what can be done with it, share a file and its commits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._store = Store(folder / "journal.db")
        self.receipts = Receipts(self._store)
        self.contacts = Contacts(self._store)
        self.looks = Looks(self._store, self.contacts)
        self.files = Files(self._store)
        self.events = Events(self._store)
        self.tenant = Tenants(self._store)

    @property
    def spool_folder(self) -> Path:
        """Where the files of an outage are written."""
        return self.folder / "spool"

    def close(self) -> None:
        """Close the file."""
        self._store.close()
