"""What a query costs: SQLite's plan for it, and the steps its machine takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import store_of
from tillpost.journal import Batch, Journal
from tillpost.model import FallbackFile, WrittenFiles

Ask = Callable[[Journal], object]


def plans(journal: Journal, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How SQLite goes about what is asked."""
    store = store_of(journal)
    found: list[str] = []
    read = store.read

    def explained(sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        found.extend(str(row[3]) for row in read(f"EXPLAIN QUERY PLAN {sql}", values))
        return read(sql, values)

    monkeypatch.setattr(store, "read", explained)
    ask(journal)
    assert found
    return found


def add_file(journal: Journal, name: str, sequence: int = 1) -> None:
    """A file without receipts."""
    file = FallbackFile(name=name, kind="receipts", sha256="", size=1, keys=(), path=Path(name))
    batch = Batch(written=WrittenFiles(files=(file,)), sequence=sequence, seqs={}, payloads={}, contacts=[])
    journal.files.add(batch, 1.0)


def steps(journal: Journal, ask: Ask) -> int:
    """Steps of SQLite's machine: what it does, whatever the disk and the neighbours do."""
    ask(journal)  # statements prepared, pages read
    count = 0

    def step() -> bool:
        nonlocal count
        count += 1
        return False

    reader = store_of(journal)._file.reader
    reader.set_progress_handler(step, 1)
    try:
        ask(journal)
    finally:
        reader.set_progress_handler(None)
    return count
