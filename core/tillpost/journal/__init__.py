"""The durable memory, and the only SQL."""

from tillpost.journal.journal import Journal
from tillpost.journal.moves import Move
from tillpost.journal.queries.backlogs import Backlog
from tillpost.journal.queries.file_states import FileStatus
from tillpost.journal.queries.receipt_numbers import ReceiptNumber
from tillpost.journal.queries.replay_candidates import ReplayCandidate
from tillpost.journal.sqlite.locks import RunLock
from tillpost.journal.sqlite.rate_file import RateFile
from tillpost.journal.states import ANOTHER_TENANT, GIVEN_AWAY, MOVES, OPEN, REPLAYS, SETTLED, VERIFICATIONS, State
from tillpost.journal.tables.acceptance import Accepted
from tillpost.journal.tables.alerts import Alert, Notice
from tillpost.journal.tables.batches import Batch
from tillpost.journal.tables.bodies import Stored
from tillpost.journal.tables.contact_lookups import ContactLookup, LookupState
from tillpost.journal.tables.day_totals import DayReceipt, TillTotal
from tillpost.journal.tables.destination import Destination
from tillpost.journal.tables.documents import OPEN_DOCUMENTS, DocumentEntry, DocumentState, Reading
from tillpost.journal.tables.file_server import FileServer, Refusal
from tillpost.journal.tables.files import OPEN_FILES, FileEntry, FileState, Postponed
from tillpost.journal.tables.mappings import KnownMapping
from tillpost.journal.tables.observers_behind import ObserverBehind
from tillpost.journal.tables.receipt_rows import Entry
from tillpost.journal.tables.receipts import Group
from tillpost.journal.tables.replays import Replay, ReplayCursor, ReplayOrder, ReplayStep
from tillpost.journal.tables.retention import RetentionCursor
from tillpost.journal.tables.sources import SourceState, SourceStatus
from tillpost.journal.tables.steps_set_aside import StepSetAside
from tillpost.journal.tables.tenants import KnownTenant
from tillpost.journal.tables.tills import Till
from tillpost.journal.tables.verification import HistoryState, Looked, VerificationStand

__all__ = [
    "ANOTHER_TENANT",
    "GIVEN_AWAY",
    "MOVES",
    "OPEN",
    "OPEN_DOCUMENTS",
    "OPEN_FILES",
    "REPLAYS",
    "SETTLED",
    "VERIFICATIONS",
    "Accepted",
    "Alert",
    "Backlog",
    "Batch",
    "ContactLookup",
    "DayReceipt",
    "Destination",
    "DocumentEntry",
    "DocumentState",
    "Entry",
    "FileEntry",
    "FileServer",
    "FileState",
    "FileStatus",
    "Group",
    "HistoryState",
    "Journal",
    "KnownMapping",
    "KnownTenant",
    "Looked",
    "LookupState",
    "Move",
    "Notice",
    "ObserverBehind",
    "Postponed",
    "RateFile",
    "Reading",
    "ReceiptNumber",
    "Refusal",
    "Replay",
    "ReplayCandidate",
    "ReplayCursor",
    "ReplayOrder",
    "ReplayStep",
    "RetentionCursor",
    "RunLock",
    "SourceState",
    "SourceStatus",
    "State",
    "StepSetAside",
    "Stored",
    "Till",
    "TillTotal",
    "VerificationStand",
]
