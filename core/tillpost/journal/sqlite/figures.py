"""Figures of a SQLite file: its schema, and the room it takes and can give back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tillpost.journal.database import Transaction

_T = TypeVar("_T")
RELEASED = 64
"""Pages that are given back to the disk at a time."""
SLACK = 16
"""The part of the file (one in so many pages) that may stay free, because new rows use it again."""


class Figures(ABC):
    """What a store knows of its file, asked by its own reads."""

    path: Path

    @abstractmethod
    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, as of the last commit."""

    @abstractmethod
    def write(self, work: Callable[[Transaction], _T]) -> _T:
        """Run the work in a transaction; returns its result once that is on the disk."""

    def schema(self) -> int:
        """The version of the tables."""
        return self._pragma("user_version")

    def used_bytes(self) -> int:
        """Bytes of the pages that are in use."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._pragma("page_size")

    def _pragma(self, name: str) -> int:
        return int(self.read(f"PRAGMA {name}")[0][0])

    def sizes(self) -> dict[str, int]:
        """Bytes of the journal's file and of its WAL."""
        return {"journal": _size(self.path), "wal": _size(self.path.with_name(f"{self.path.name}-wal"))}

    def release_space(self) -> bool:
        """Give some free pages back to the disk; False when few are free, or the file is too old for it."""
        free = self._pragma("freelist_count")
        if not self._pragma("auto_vacuum") or free <= max(RELEASED, self._pragma("page_count") // SLACK):
            return False
        # It returns a row for each page: only pages whose rows are fetched are given back.
        self.write(lambda transaction: transaction.execute(f"PRAGMA incremental_vacuum({RELEASED})").fetchall())
        return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
