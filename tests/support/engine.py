"""The engine below a journal, for tests that look inside it."""

from __future__ import annotations

from tillpost.journal import Journal
from tillpost.journal.sqlite.store import Store


def store_of(journal: Journal) -> Store:
    """The SQLite file of a journal."""
    store = journal.receipts._database
    assert isinstance(store, Store)
    return store
