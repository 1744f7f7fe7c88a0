"""The journal of one pipeline: its durable memory."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from tillpost.errors import JournalError, describe
from tillpost.journal.queries.ages import Ages
from tillpost.journal.queries.alert_inputs import AlertInputs
from tillpost.journal.queries.backlogs import Backlogs
from tillpost.journal.queries.newest import Newest
from tillpost.journal.queries.receipt_numbers import ReceiptNumbers
from tillpost.journal.queries.search import Search
from tillpost.journal.queries.sizes import Sizes, measure
from tillpost.journal.sqlite.crash_marks import CrashMarks
from tillpost.journal.sqlite.platform import narrow, room, trouble
from tillpost.journal.sqlite.read_only import Reading
from tillpost.journal.sqlite.store import Store
from tillpost.journal.tables.alerts import Alerts
from tillpost.journal.tables.clock_change import latest, move_pending
from tillpost.journal.tables.contact_lookups import ContactLookups
from tillpost.journal.tables.contacts import Contacts
from tillpost.journal.tables.day_totals import DayTotals
from tillpost.journal.tables.destination import Destinations
from tillpost.journal.tables.events import Events
from tillpost.journal.tables.files import Files
from tillpost.journal.tables.idempotency_keys import IdempotencyKeys
from tillpost.journal.tables.mappings import Mappings
from tillpost.journal.tables.receipts import Receipts
from tillpost.journal.tables.replays import Replays
from tillpost.journal.tables.retention import Retention
from tillpost.journal.tables.tills import Tills


class Journal:
    """Opened on a state folder: its tables, each with what can be done with it, share a file and its commits."""

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        self.folder = folder
        self._store = store or Store(folder / "journal.db")
        self.receipts = Receipts(self._store)
        self.idempotency_keys = IdempotencyKeys(self._store)
        self.contacts = Contacts(self._store)
        self.contact_lookups = ContactLookups(self._store, self.contacts)
        self.files = Files(self._store)
        self.events = Events(self._store)
        self.destination = Destinations(self._store)
        self.tills = Tills(self._store)
        self.ages = Ages(self._store)
        self.search = Search(self._store, self.receipts, self.contacts)
        self.backlogs = Backlogs(self._store)
        self.day_totals = DayTotals(self._store)
        self.newest = Newest(self._store, self.receipts)
        self.mappings = Mappings(self._store)
        self.numbers = ReceiptNumbers(self._store)
        self.alerts = Alerts(self._store)
        self.alert_inputs = AlertInputs(self._store)
        self.retention = Retention(self._store)
        self.replays = Replays(self._store)
        self.crash_marks = CrashMarks(folder / "crash_marks")

    @classmethod
    def reading(cls, folder: Path) -> Self:
        """To be read only, by a process whose line has the journal open: the line never waits for this one."""
        return cls(folder, Reading(folder / "journal.db"))

    @property
    def fallback_folder(self) -> Path:
        """Where the fallback files are written."""
        return self.folder / "fallback"

    def sizes(self) -> Sizes:
        """What its receipts and files take on the disk."""
        return measure(self._store)

    def narrow(self, least: int) -> bool:
        """Whether the journal's disk has less room than so many bytes."""
        return narrow(self.folder, least)

    def room(self) -> tuple[int, int]:
        """Bytes that are free on the journal's disk, and how large the disk is."""
        return room(self.folder)

    def trouble(self) -> str:
        """Why nothing could be committed now; "" when a commit and a write beside it have just gone through."""
        try:
            self._store.write(lambda connection: None)
        except JournalError as error:
            return describe(error)
        return trouble(self.folder)

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
        self.crash_marks.close()
        self._store.close()
