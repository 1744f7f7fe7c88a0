"""The journal of one pipeline: its durable memory."""

from __future__ import annotations

from pathlib import Path

from tillpost.journal.alerts import Alerts
from tillpost.journal.answers import Answers
from tillpost.journal.contacts import Contacts
from tillpost.journal.events import Events
from tillpost.journal.files import Files
from tillpost.journal.ground import narrow
from tillpost.journal.in_hand import InHand
from tillpost.journal.jump import latest, move_pending
from tillpost.journal.looks import Looks
from tillpost.journal.numbers import Numbers
from tillpost.journal.receipts import Receipts
from tillpost.journal.retention import Retention
from tillpost.journal.store import Store
from tillpost.journal.tenant import Tenants
from tillpost.journal.tills import Tills
from tillpost.journal.watched import Watched


class Journal:
    """Opened on a state folder: its tables, each with what can be done with it, share a file and its commits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._store = Store(folder / "journal.db")
        self.receipts = Receipts(self._store)
        self.answers = Answers(self._store)
        self.contacts = Contacts(self._store)
        self.looks = Looks(self._store, self.contacts)
        self.files = Files(self._store)
        self.events = Events(self._store)
        self.tenant = Tenants(self._store)
        self.tills = Tills(self._store)
        self.numbers = Numbers(self._store)
        self.alerts = Alerts(self._store)
        self.watched = Watched(self._store)
        self.retention = Retention(self._store)
        self.in_hand = InHand(folder / "in_hand")

    @property
    def spool_folder(self) -> Path:
        """Where the files of an outage are written."""
        return self.folder / "spool"

    def narrow(self, least: int) -> bool:
        """Whether the journal's disk has less room than so many bytes."""
        return narrow(self.folder, least)

    def tidy(self) -> None:
        """Cut the WAL back when a reader that had pinned it is gone; costs next to nothing when there is none."""
        self._store.tidy()

    def latest(self) -> float:
        """The latest wall time at which something is known to have been; later than now after a jump back."""
        return latest(self._store)

    def clock_jumped(self, seconds: float, now: float) -> None:
        """The wall clock was set by so much: what is due later moves with it. now: the time it shows."""
        self._store.write(lambda connection: move_pending(connection, seconds, now))

    def close(self) -> None:
        """Close the files."""
        self.in_hand.close()
        self._store.close()
