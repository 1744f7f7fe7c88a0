"""The journal of one pipeline: its durable memory."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from tillpost.journal.database import Database
from tillpost.journal.queries.account import Accounts
from tillpost.journal.queries.alert_inputs import AlertInputs
from tillpost.journal.queries.backlogs import Backlogs
from tillpost.journal.queries.file_states import FileStates
from tillpost.journal.queries.listings import Listings
from tillpost.journal.queries.receipt_numbers import ReceiptNumbers
from tillpost.journal.queries.replay_candidates import ReplayCandidates
from tillpost.journal.queries.search import Search
from tillpost.journal.queries.sizes import Sizes, measure
from tillpost.journal.sqlite.read_only import Reading
from tillpost.journal.sqlite.store import Store
from tillpost.journal.tables.alerts import Alerts
from tillpost.journal.tables.bodies import Bodies
from tillpost.journal.tables.clock_change import latest, move_pending
from tillpost.journal.tables.contact_hints import ContactHints
from tillpost.journal.tables.contact_lookups import ContactLookups
from tillpost.journal.tables.contacts import Contacts
from tillpost.journal.tables.day_totals import DayTotals
from tillpost.journal.tables.destination import Destinations
from tillpost.journal.tables.documents import Documents
from tillpost.journal.tables.events import Events
from tillpost.journal.tables.file_server import FileServers
from tillpost.journal.tables.files import Files
from tillpost.journal.tables.held import Held
from tillpost.journal.tables.idempotency_keys import IdempotencyKeys
from tillpost.journal.tables.losses import Losses
from tillpost.journal.tables.mappings import Mappings
from tillpost.journal.tables.moved import Moved
from tillpost.journal.tables.observers_behind import ObserversBehind
from tillpost.journal.tables.receipts import Receipts
from tillpost.journal.tables.replays import Replays
from tillpost.journal.tables.retention import Retention
from tillpost.journal.tables.settings_seen import SettingsSeen
from tillpost.journal.tables.sources import Sources
from tillpost.journal.tables.steps_set_aside import StepsSetAside
from tillpost.journal.tables.tenants import Tenants
from tillpost.journal.tables.tills import Tills
from tillpost.journal.tables.verification import Verification
from tillpost.model import IdentifierRules


class Journal:
    """The tables of a pipeline and the queries on them; they share a database and its commits.

    folder: the state folder. database: the engine that keeps the tables; by default SQLite, in the file `journal.db` of
    the folder.
    """

    def __init__(self, folder: Path, database: Database | None = None) -> None:
        self.folder = folder
        self._database = database or Store(folder / "journal.db")
        self.crash_marks = self._database.crash_marks
        self.receipts = Receipts(self._database)
        self.held = Held(self._database)
        self.bodies = Bodies(self._database)
        self.listings = Listings(self._database)
        self.documents = Documents(self._database)
        self.accounts = Accounts(self._database)
        self.sources = Sources(self._database)
        self.steps_set_aside = StepsSetAside(self._database)
        self.observers_behind = ObserversBehind(self._database)
        self.idempotency_keys = IdempotencyKeys(self._database)
        self.contacts = Contacts(self._database)
        self.contact_hints = ContactHints(self._database)
        self.contact_lookups = ContactLookups(self._database, self.contacts)
        self.files = Files(self._database)
        self.file_states = FileStates(self._database)
        self.file_server = FileServers(self._database)
        self.events = Events(self._database)
        self.destination = Destinations(self._database)
        self.tenants = Tenants(self._database)
        self.tills = Tills(self._database)
        self.search = Search(self._database, self.contacts)
        self.backlogs = Backlogs(self._database)
        self.day_totals = DayTotals(self._database)
        self.losses = Losses(self._database)
        self.mappings = Mappings(self._database)
        self.numbers = ReceiptNumbers(self._database)
        self.alerts = Alerts(self._database)
        self.alert_inputs = AlertInputs(self._database)
        self.retention = Retention(self._database)
        self.moved = Moved(self._database)
        self.settings_seen = SettingsSeen(self._database)
        self.replays = Replays(self._database)
        self.replay_candidates = ReplayCandidates(self._database)
        self.verification = Verification(self._database)

    def use_identifier_rules(self, rules: IdentifierRules) -> None:
        """How identifiers are read from now on, in new receipts and in contacts that are known."""
        self.receipts.rules = self.mappings.rules = self.contacts.rules = self.held.rules = self.moved.rules = rules

    @classmethod
    def read_only(cls, folder: Path) -> Self:
        """A journal that cannot write, beside the one of the pipeline in this process, which never waits for it."""
        return cls(folder, Reading(folder / "journal.db"))

    @property
    def fallback_folder(self) -> Path:
        """Where the fallback files are written."""
        return self.folder / "fallback"

    def token(self) -> str:
        """Which journal this is; a copy of it has the same."""
        return str(self._database.read("SELECT token FROM identity")[0][0])

    def schema(self) -> int:
        """The version of the tables."""
        return self._database.schema()

    def sizes(self) -> Sizes:
        """Average sizes of its receipts and files."""
        return measure(self._database)

    def storage(self) -> dict[str, int]:
        """Bytes of the parts of the database on this machine, such as its file and its WAL."""
        return self._database.sizes()

    def room(self) -> tuple[int, int]:
        """Bytes that are free on the journal's disk, and how large the disk is."""
        return self._database.room()

    def write_problem(self) -> str:
        """Why nothing can be committed now; "" when a test commit and a test write have just succeeded."""
        return self._database.trouble()

    def tidy(self) -> None:
        """Upkeep of the database that is due now and then; costs next to nothing when there is none."""
        self._database.tidy()

    def latest_time(self) -> float:
        """The latest wall time the journal has recorded; after the clock was set back it is later than now."""
        return latest(self._database)

    def shift_pending(self, seconds: float, now: float) -> None:
        """Add seconds to the stored times of what is not settled. now: the wall time after the clock was set."""
        self._database.write(lambda transaction: move_pending(transaction, seconds, now))

    def close(self) -> None:
        """Close the database."""
        self._database.close()
