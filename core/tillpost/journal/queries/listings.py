"""Listings of receipts: however many there are, few are in memory."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import islice

from tillpost.journal.database import Table
from tillpost.journal.tables.receipt_rows import BY_STATE, COLUMNS, Entry, decode

_PAGE = 1000
"""Rows that are read at a time."""


class Listings(Table):
    """Receipts in order of acceptance, page by page."""

    def receipts(self, state: str = "", store: str = "", limit: int | None = None) -> Iterator[Entry]:
        """All receipts, or those in a state or of a store."""
        page = _PAGE if limit is None else min(limit, _PAGE)
        if state:
            clause = "state = ? AND route = ?"
            streams = [self._pages(BY_STATE, clause, (state, route), store, page) for route in self._routes_of(state)]
        else:
            streams = [self._pages("receipts NOT INDEXED", "TRUE", (), store, page)]
        return islice(merge(*streams, key=lambda entry: entry.seq), limit)

    def newest(self, limit: int) -> list[Entry]:
        """The receipts accepted last, at most so many, in order of acceptance."""
        rows = self._database.read(f"SELECT {COLUMNS} FROM receipts ORDER BY seq DESC LIMIT ?", (limit,))  # noqa: S608
        return [decode(self._database, row) for row in reversed(rows)]

    def _routes_of(self, state: str) -> list[str]:
        """The routes of the receipts in a state, found by one index lookup each."""
        found: list[str] = []
        sql = f"SELECT route FROM {BY_STATE} WHERE state = ? AND route >= ? ORDER BY route LIMIT 1"  # noqa: S608 - ours
        while rows := self._database.read(sql, (state, f"{found[-1]}\x01" if found else "")):
            found.append(str(rows[0][0]))
        return found

    def _pages(self, source: str, clause: str, values: tuple[str, ...], store: str, page: int) -> Iterator[Entry]:
        seq = 0
        sql = f"SELECT {COLUMNS} FROM {source} WHERE {clause} AND ? IN ('', store) AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - ours
        while rows := self._database.read(sql, (*values, store, seq, page)):
            for row in rows:
                yield decode(self._database, row)
            seq = rows[-1][0]
