"""The durable memory, and the only SQL."""

from tillpost.journal.acceptance import Accepted
from tillpost.journal.alerts import Alert, Notice
from tillpost.journal.backlogs import Backlog
from tillpost.journal.batches import Batch
from tillpost.journal.days import DayReceipt, Printed
from tillpost.journal.files import OPEN_FILES, FileEntry, FileState, Later, Standing
from tillpost.journal.journal import Journal
from tillpost.journal.locks import RunLock
from tillpost.journal.looks import Look
from tillpost.journal.mappings import KnownMapping
from tillpost.journal.moves import Move
from tillpost.journal.numbers import Number
from tillpost.journal.rates import RateFile
from tillpost.journal.receipts import Entry, Group, Stored
from tillpost.journal.replays import Candidate, Cursor, Order, Replay, Step
from tillpost.journal.retention import Place
from tillpost.journal.states import MOVES, OPEN, REPLAYS, SETTLED, State
from tillpost.journal.tenant import Tenant
from tillpost.journal.tills import Till

__all__ = [
    "MOVES",
    "OPEN",
    "OPEN_FILES",
    "REPLAYS",
    "SETTLED",
    "Accepted",
    "Alert",
    "Backlog",
    "Batch",
    "Candidate",
    "Cursor",
    "DayReceipt",
    "Entry",
    "FileEntry",
    "FileState",
    "Group",
    "Journal",
    "KnownMapping",
    "Later",
    "Look",
    "Move",
    "Notice",
    "Number",
    "Order",
    "Place",
    "Printed",
    "RateFile",
    "Replay",
    "RunLock",
    "Standing",
    "State",
    "Step",
    "Stored",
    "Tenant",
    "Till",
]
