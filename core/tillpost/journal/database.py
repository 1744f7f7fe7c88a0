"""The protocol between the tables and the engine that keeps them, and what SQL the tables may write.

The tables and queries are written once. An engine (SQLite in `journal/sqlite/`) takes their statements as they are, or
translates each text once. They keep to what both SQLite and PostgreSQL know, and to these forms:

- Values are `?`, or `?1`, `?2` … where one stands several times; a statement has one kind only.
- `json_each(?)`, whose value is `List(values)`, is a table of the one column `value`; `json_each(alias.column) name` is
  one of what stands in a column that holds a JSON list.
- A conflict names its columns, and a column of the row that is there its table: `ON CONFLICT (key) DO NOTHING`, `ON
  CONFLICT (key) DO UPDATE SET count = counters.count + excluded.count`.
- What a statement has changed is asked for with RETURNING; no last row id, no number of changes.
- `INDEXED BY name` and `NOT INDEXED` behind a table are hints for SQLite's planner; other engines leave them out.
- `LIMIT ?` takes `ALL` where nothing is to be omitted.
- No PRAGMA and no name of a system table: what an engine alone knows is a method of `Database`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self, TypeVar

from tillpost.errors import JournalDamaged

T = TypeVar("T")

ALL = 1 << 62
"""The limit of a listing that has none."""


class List(str):
    """A list as the one value of a statement: its JSON, which SQLite reads; `items` for an engine that takes lists."""

    __slots__ = ("items",)
    items: tuple[Any, ...]

    def __new__(cls, items: Iterable[Any]) -> Self:
        """The items are integers or texts, all of one type."""
        listed = tuple(items)
        value = super().__new__(cls, json.dumps(listed))
        value.items = listed
        return value


class Rows(Protocol):
    """The rows of a statement, read once and in order."""

    def __iter__(self) -> Iterator[Any]:
        """Each row is a tuple."""

    def fetchone(self) -> Any:
        """The next row; None when there is none."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows that are left."""


class Transaction(Protocol):
    """What the work of a commit writes and reads with; gone when the work returns."""

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> Rows:
        """Run a statement."""

    def executemany(self, sql: str, values: Iterable[Sequence[Any]], /) -> Rows:
        """Run a statement once for each values; the rows of all of them, to be read to the end."""


def first(rows: Rows) -> Any:
    """The first column of the first row; None when there is no row."""
    row = rows.fetchone()
    return None if row is None else row[0]


class CrashCounter(Protocol):
    """Which receipt each thread works on, kept so that a crash of the process can be counted against the receipt."""

    def holding(self, seq: int) -> AbstractContextManager[None]:
        """The thread works on this receipt inside the block."""

    def marked(self) -> list[int]:
        """The rows on which an earlier process worked when it ended."""

    def was_in(self, step: int) -> bool:
        """Whether an earlier process ended in this step."""

    def count_ends(self, now: float) -> None:
        """Count the end of an earlier process against each step (a negative number) it was in; before `clear`."""

    def ends(self, step: int) -> tuple[int, float]:
        """How often a process ended in this step, since one came through it; and when last."""

    def survived(self, step: int) -> None:
        """A process came through this step: its count starts again."""

    def clear(self) -> None:
        """They have been dealt with."""

    def beside(self, name: str) -> CrashCounter:
        """Marks of another purpose, kept apart from these under this name."""


class Database(Protocol):
    """The engine that keeps the tables. All methods may be called by several threads at once."""

    @property
    def crash_marks(self) -> CrashCounter:
        """Counts the receipts that bring the process down."""

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, as of the last commit."""

    def write(self, work: Callable[[Transaction], T], /) -> T:
        """Run the work in a transaction; returns its result once that is durable.

        What other threads write at the same time may go into the same commit. An exception undoes all the work of
        which it was raised. Raises NotCommitted (JournalFull when there is no room) when it could not be made durable;
        JournalDamaged and DiskFailed when nothing can be promised any more.
        """

    def damaged(self, what: str, /) -> JournalDamaged:
        """The error of a reader that met a row it cannot make sense of. what: names the table and the row."""

    def schema(self) -> int:
        """The version of the tables."""

    def used_bytes(self) -> int:
        """Bytes that rows take, without what is free for new ones."""

    def sizes(self) -> dict[str, int]:
        """Bytes by part of the engine's storage on this machine; a part that cannot be seen has 0."""

    def release_space(self) -> bool:
        """Give a little of what removed rows left back to the disk; False when there is nothing to give."""

    def room(self) -> tuple[int, int]:
        """Bytes that are free on the disk the rows are kept on, and how large that disk is."""

    def require_room(self) -> None:
        """Raises JournalFull while what room there is belongs to what was accepted before."""

    def trouble(self) -> str:
        """Why nothing could be made durable now; "" when it could."""

    def tidy(self) -> None:
        """Upkeep that is due now and then; costs next to nothing when there is none."""

    def close(self) -> None:
        """Write down what is left to be written, and let go."""


class Table:
    """The base of what reads or writes a table, or asks several."""

    def __init__(self, database: Database) -> None:
        self._database = database
