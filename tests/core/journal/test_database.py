"""The seam below the tables: what they ask of an engine is the protocol and nothing beyond it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

import tillpost.journal
from tests.support.query_cost import add_file
from tests.support.receipts import accept, found, receipt
from tillpost.journal import Journal, Move, ReplayOrder, RetentionCursor, State, TillTotal
from tillpost.journal.database import ALL, Database, List, Rows, Transaction
from tillpost.journal.sqlite.store import Store
from tillpost.model import NoReceipt

T = TypeVar("T")
ROOM = Path(tillpost.journal.__file__).parent
SQLITE_ONLY = re.compile(
    r"\bPRAGMA\b|\bINSERT OR\b|\bREPLACE INTO\b|\blast_insert_rowid|\bchanges\(|\browid\b|\bsqlite_|\biif\(|\binstr\("
    r"|\bjson_extract\(|\bGLOB\b|\btypeof\(|ON CONFLICT DO UPDATE|\bWHERE 1\b|\bLIMIT -",
)


class Result:
    """Rows, and nothing else of a cursor."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def fetchone(self) -> Any:
        return self._rows.fetchone()

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows.fetchall()


class Narrow:
    """A transaction, and nothing else of a connection."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        check(sql, values)
        return Result(self._transaction.execute(sql, values))

    def executemany(self, sql: str, values: Iterable[Sequence[Any]], /) -> Rows:
        listed = list(values)
        for each in listed:
            check(sql, each)
        return Result(self._transaction.executemany(sql, listed))


class Other(Store):
    """An engine that refuses what PostgreSQL would."""

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if not sql.startswith("PRAGMA "):  # its own
            check(sql, values)
        return super().read(sql, values)

    def write(self, work: Callable[[Transaction], T]) -> T:
        return super().write(lambda transaction: work(Narrow(transaction)))


def check(sql: str, values: Sequence[Any]) -> None:
    assert not SQLITE_ONLY.search(sql), sql
    assert not (re.search(r"\?\d", sql) and re.search(r"\?(?!\d)", sql)), f"values of two kinds: {sql}"
    assert not any(isinstance(each, bool) for each in values), f"a truth value: {sql}"
    assert sql.count("json_each(?") == sum(isinstance(each, List) for each in values), sql


def texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize(
    "path",
    [ROOM / "moves.py", *sorted((ROOM / "tables").glob("*.py")), *sorted((ROOM / "queries").glob("*.py"))],
    ids=lambda path: path.name,
)
def test_the_statements_are_what_both_engines_know(path: Path) -> None:
    for text in texts(path):
        assert not SQLITE_ONLY.search(text), text


def test_a_journal_lives_on_any_engine(tmp_path: Path) -> None:
    """Through every table once, on an engine that has nothing but the protocol."""
    database: Database = Other(tmp_path / "journal.db")
    journal = Journal(tmp_path, database)
    accept(journal, *[found(number=str(number)) for number in range(1, 5)], found(number="5", customer=None))
    accept(journal, found(number="1"), NoReceipt(reason="no sale", place="line 9", retail=True))
    assert [entry.seq for entry in journal.receipts.due(200.0, 10)] == [1, 2, 3, 4]
    journal.receipts.advance((), [1, 2], [3], 150.0)
    journal.receipts.advance([(1, Move(state=State.DELIVERED, route="api"))], [4], (), 160.0)
    assert journal.receipts.recover(170.0, 60.0) == 2
    assert journal.receipts.counts()["uncertain"] == 2
    assert journal.backlogs.oldest(*State)["delivered"] == 100.0
    assert len(list(journal.listings.receipts())) == len(journal.receipts.find({})) == 5
    add_file(journal, "a.xml", journal.destination.next_sequence())
    assert [each.name for each in journal.file_states.to_upload(None, unreviewed=True)] == ["a.xml"]
    assert journal.file_states.to_upload(None, unreviewed=False) == []
    (contact,) = journal.contacts.all()
    assert journal.contacts.known([contact["key"]], 0.0, 1e12) == {}
    assert journal.contact_lookups.to_look_up("a.xml", 10) == []
    journal.day_totals.put(
        [TillTotal(store="12", business_date="2026-11-24", currency="SEK", total=receipt().total)], 1.0
    )
    assert len(journal.day_totals.get("12", "2026-11-24")) == 1
    journal.mappings.activate("one", {}, True, 180.0)
    journal.alerts.change([("key", "what", "means", "next")], [], [], ["log"], 180.0)
    order = ReplayOrder(
        reason="test", who="somebody", by="api", store="12", till="", first="2026-11-24", last="2026-11-24",
        unverified=True, newest=journal.replay_candidates.newest(),
    )  # fmt: skip
    assert [each.seq for page in journal.replay_candidates.pages(order, 2) for each in page] == [1, 2, 3, 4, 5]
    number = journal.replays.start(order, {}, 1, 190.0)
    journal.replays.set_state(number, "running", "stopped", 191.0)
    journal.shift_pending(5.0, 300.0)
    place: RetentionCursor | None = RetentionCursor()
    while place is not None:
        place = journal.retention.step(place, 1e9, 2e9)
    assert journal.retention.count_removed() == 1, "the delivered one; the newest row stays"
    assert journal.sizes().receipts == 4
    assert journal.schema() > 0
    assert journal.write_problem() == ""
    journal.close()


def test_a_list_is_the_text_sqlite_reads_and_the_items_another_engine_takes() -> None:
    given = List([3, 5])
    assert (given, given.items) == ("[3, 5]", (3, 5))
    assert ALL > 1 << 60
