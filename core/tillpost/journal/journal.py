"""The journal of one pipeline: its durable memory."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from tillpost.errors import JournalError, describe
from tillpost.journal.ages import Ages
from tillpost.journal.alerts import Alerts
from tillpost.journal.answers import Answers
from tillpost.journal.backlogs import Backlogs
from tillpost.journal.contacts import Contacts
from tillpost.journal.days import Days
from tillpost.journal.events import Events
from tillpost.journal.files import Files
from tillpost.journal.ground import narrow, room, trouble
from tillpost.journal.in_hand import InHand
from tillpost.journal.jump import latest, move_pending
from tillpost.journal.looks import Looks
from tillpost.journal.mappings import Mappings
from tillpost.journal.newest import Newest
from tillpost.journal.numbers import Numbers
from tillpost.journal.reading import Reading
from tillpost.journal.receipts import Receipts
from tillpost.journal.replays import Replays
from tillpost.journal.retention import Retention
from tillpost.journal.seek import Seek
from tillpost.journal.sizes import Sizes, measure
from tillpost.journal.store import Store
from tillpost.journal.tenant import Tenants
from tillpost.journal.tills import Tills
from tillpost.journal.watched import Watched


class Journal:
    """Opened on a state folder: its tables, each with what can be done with it, share a file and its commits."""

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        self.folder = folder
        self._store = store or Store(folder / "journal.db")
        self.receipts = Receipts(self._store)
        self.answers = Answers(self._store)
        self.contacts = Contacts(self._store)
        self.looks = Looks(self._store, self.contacts)
        self.files = Files(self._store)
        self.events = Events(self._store)
        self.tenant = Tenants(self._store)
        self.tills = Tills(self._store)
        self.ages = Ages(self._store)
        self.seek = Seek(self._store, self.receipts, self.contacts)
        self.backlogs = Backlogs(self._store)
        self.days = Days(self._store)
        self.newest = Newest(self._store, self.receipts)
        self.mappings = Mappings(self._store)
        self.numbers = Numbers(self._store)
        self.alerts = Alerts(self._store)
        self.watched = Watched(self._store)
        self.retention = Retention(self._store)
        self.replays = Replays(self._store)
        self.in_hand = InHand(folder / "in_hand")

    @classmethod
    def reading(cls, folder: Path) -> Self:
        """To be read only, by a process whose line has the journal open: the line never waits for this one."""
        return cls(folder, Reading(folder / "journal.db"))

    @property
    def spool_folder(self) -> Path:
        """Where the files of an outage are written."""
        return self.folder / "spool"

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
        self.in_hand.close()
        self._store.close()
