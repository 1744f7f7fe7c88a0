"""The durable memory, and the only SQL."""

from tillpost.journal.acceptance import Accepted
from tillpost.journal.alerts import Alert, Notice
from tillpost.journal.batches import Batch
from tillpost.journal.files import OPEN_FILES, FileEntry, FileState, Later, Standing
from tillpost.journal.journal import Journal
from tillpost.journal.locks import RunLock
from tillpost.journal.looks import Look
from tillpost.journal.moves import Move
from tillpost.journal.numbers import Number
from tillpost.journal.rates import RateFile
from tillpost.journal.receipts import Entry, Group, Stored
from tillpost.journal.retention import Place
from tillpost.journal.states import MOVES, OPEN, State
from tillpost.journal.tenant import Tenant
from tillpost.journal.tills import Till

__all__ = [
    "MOVES",
    "OPEN",
    "OPEN_FILES",
    "Accepted",
    "Alert",
    "Batch",
    "Entry",
    "FileEntry",
    "FileState",
    "Group",
    "Journal",
    "Later",
    "Look",
    "Move",
    "Notice",
    "Number",
    "Place",
    "RateFile",
    "RunLock",
    "Standing",
    "State",
    "Stored",
    "Tenant",
    "Till",
]
