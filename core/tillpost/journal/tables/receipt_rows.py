"""A row of the receipts table, without the receipt itself: read and checked."""

from __future__ import annotations

from typing import Any

import attrs

from tillpost.journal.database import Database
from tillpost.journal.states import State

COLUMNS = (
    "seq, id, number, store, till, created, currency, total, line_count, state, due, attempts, crashes, sending,"
    " reason, route, contact, file, matched, document, place, accepted_at, delivered_at, verified_at,"
    " verify_due, looks"
)
BY_STATE = "receipts INDEXED BY receipts_state"
_NAMES = tuple(COLUMNS.replace(" ", "").split(","))
_STATES = frozenset(str(state) for state in State)

_KINDS: dict[str, Any] = {
    **dict.fromkeys(
        ("id", "number", "store", "till", "total", "currency", "state", "reason", "route", "file", "matched"), str
    ),
    **dict.fromkeys(("due", "accepted_at", "attempts", "crashes", "line_count", "looks"), (int, float)),
    **dict.fromkeys(("sending", "delivered_at", "verified_at", "verify_due"), (int, float, type(None))),
    "contact": (str, type(None)),
}
"""The types of the columns of an undamaged row; SQLite itself accepts any."""
_SOUND: set[tuple[type, ...]] = set()
"""Combinations of types that were checked before: there are few, and rows are read often."""


@attrs.frozen(kw_only=True)
class Entry:
    """The row of a receipt. The receipt itself is read with `Bodies.get`."""

    seq: int
    id: str
    number: str
    store: str
    till: str
    created: str
    currency: str
    total: str
    line_count: int
    state: State = attrs.field(converter=State)
    due: float
    attempts: int
    crashes: int
    """How often the process ended while it worked on the receipt."""
    sending: float | None
    reason: str
    route: str
    contact: str | None
    file: str
    matched: str
    document: str
    place: str
    accepted_at: float
    delivered_at: float | None
    verified_at: float | None
    verify_due: float | None
    """When the contact's history is read for it; None: it is verified, or is not to be."""
    looks: int
    """How often the history was read and did not show it."""


def decode(database: Database, row: tuple[Any, ...]) -> Entry:
    """The row of a query for COLUMNS. Raises JournalDamaged when a column holds what it must not."""
    values = dict(zip(_NAMES, row, strict=True))
    kinds = tuple(map(type, row))
    wrong = [] if kinds in _SOUND else [n for n, known in _KINDS.items() if not isinstance(values[n], known)]
    if wrong or values["state"] not in _STATES:
        named = ", ".join(wrong) or "state"
        raise database.damaged(f"table receipts, row {row[0]}: {named} makes no sense")
    _SOUND.add(kinds)
    return Entry(**values)
