"""Reads a SQLite file page by page and skips what is damaged (sqlite.org/fileformat2.html).

SQLite cannot read a table when an inner page is damaged. Here the trees are followed as far as possible, and leaf pages
that no tree reaches any more are assigned to a table by the shape of their rows.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

INDEX_INNER, TABLE_INNER, INDEX_LEAF, TABLE_LEAF = 2, 5, 10, 13
_DEEPEST = 20
"""Most levels of a tree, the limit of SQLite."""

Value = None | int | float | str | bytes


class Unreadable(Exception):
    """A page or a cell cannot be read."""


@attrs.frozen
class Row:
    """A row of a page. rowid: None in an index or a table without rowids."""

    page: int
    rowid: int | None
    values: tuple[Value, ...]


@attrs.frozen
class Bad:
    """A page or a cell that cannot be read; raw: its bytes."""

    page: int
    reason: str
    raw: bytes


class Pages:
    """The pages of a file that no process writes; its WAL has been checkpointed."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:  # mapped: a journal may be larger than the memory
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        size = int.from_bytes(self._data[16:18], "big")
        self.size = 65536 if size == 1 else size if size in {1 << n for n in range(9, 16)} else 4096
        self.usable = self.size - (self._data[20] if len(self._data) > 20 and self._data[20] <= self.size - 480 else 0)
        self.count = -(-len(self._data) // self.size)
        self.seen: set[int] = set(self._maps())
        """Pages that a tree, chain or list has reached, and the pointer maps."""
        self.bad: list[Bad] = []

    def _maps(self) -> range:
        """The numbers of the pointer map pages, which a file with auto_vacuum has."""
        if not any(self._data[52:56]):
            return range(0)
        return range(2, self.count + 1, self.usable // 5 + 1)

    def raw(self, number: int) -> bytes:
        """The bytes of a page. Raises Unreadable beyond the end of the file."""
        page = self._data[(number - 1) * self.size : number * self.size] if number > 0 else b""
        if len(page) < self.size:
            raise Unreadable("lies beyond the end of the file")
        return page

    def tree(self, root: int, table: bool) -> Iterator[Row]:
        """The rows of a tree; what cannot be read is added to `bad`."""
        todo = [(root, 0)]
        while todo:
            number, depth = todo.pop()
            if number in self.seen:
                self._note(number, "two places lead to it")
                continue
            self.seen.add(number)
            try:
                kind, cells, right = self._page(number)
                if kind not in ((TABLE_INNER, TABLE_LEAF) if table else (INDEX_INNER, INDEX_LEAF)):
                    raise Unreadable(f"is of kind {kind}")
                if depth > _DEEPEST:
                    raise Unreadable("lies deeper than any tree")
            except Unreadable as error:
                self._note(number, str(error))
                continue
            if kind in (TABLE_INNER, INDEX_INNER):
                page = self.raw(number)
                children = [int.from_bytes(page[cell : cell + 4], "big") for cell in cells if cell + 4 <= self.size]
                todo += [(child, depth + 1) for child in reversed([*children, right])]
            if kind != TABLE_INNER:
                yield from self._rows(number, kind, cells)

    def leaf(self, number: int) -> tuple[int, list[Row]]:
        """The kind and the rows of a page that no tree reaches; without rows when it is of another kind."""
        try:
            kind, cells, _ = self._page(number)
        except Unreadable:
            return 0, []
        if kind not in (TABLE_LEAF, INDEX_LEAF, INDEX_INNER):
            return kind, []
        return kind, list(self._rows(number, kind, cells))

    def skip_free(self) -> bool:
        """Mark the pages of the free list as seen; False when it cannot be followed."""
        trunk, left = int.from_bytes(self._data[32:36], "big"), self.count
        while trunk:
            left -= 1
            if left < 0 or trunk in self.seen:
                return False
            try:
                page = self.raw(trunk)
            except Unreadable:
                return False
            self.seen.add(trunk)
            following, listed = struct.unpack(">II", page[:8])
            if listed > self.size // 4 - 2:
                return False
            self.seen.update(struct.unpack(f">{listed}I", page[8 : 8 + 4 * listed]))
            trunk = following
        return True

    def _note(self, number: int, reason: str) -> None:
        try:
            raw = self.raw(number)
        except Unreadable:
            raw = b""
        self.bad.append(Bad(number, f"page {number} {reason}", raw))

    def _page(self, number: int) -> tuple[int, list[int], int]:
        """Kind, offsets of the cells, and the right-most child."""
        page = self.raw(number)
        start = 100 if number == 1 else 0
        kind = page[start]
        if kind not in (INDEX_INNER, TABLE_INNER, INDEX_LEAF, TABLE_LEAF):
            raise Unreadable("is not a page of a tree")
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        inner = kind in (INDEX_INNER, TABLE_INNER)
        first = start + (12 if inner else 8)
        if first + 2 * count > self.usable:
            raise Unreadable("has more cells than room")
        cells = [int.from_bytes(page[at : at + 2], "big") for at in range(first, first + 2 * count, 2)]
        if any(not first + 2 * count <= cell < self.usable for cell in cells):
            raise Unreadable("has cells outside of it")
        right = int.from_bytes(page[start + 8 : start + 12], "big") if inner else 0
        return kind, cells, right

    def _rows(self, number: int, kind: int, cells: list[int]) -> Iterator[Row]:
        page = self.raw(number)
        for cell in cells:
            try:
                at, rowid = cell + (4 if kind == INDEX_INNER else 0), None
                length, at = _varint(page, at)
                if kind == TABLE_LEAF:
                    rowid, at = _varint(page, at)
                    rowid -= 1 << 64 if rowid >= 1 << 63 else 0
                yield Row(number, rowid, _record(self._payload(page, at, length, kind == TABLE_LEAF)))
            except Unreadable as error:
                end = min([other for other in cells if other > cell], default=self.usable)
                row = "" if rowid is None else f", row {rowid}"
                self.bad.append(Bad(number, f"page {number}{row}: {error}", page[cell:end]))

    def _payload(self, page: bytes, at: int, length: int, table: bool) -> bytes:
        room = self.usable
        most = room - 35 if table else (room - 12) * 64 // 255 - 23
        if length > len(self._data):
            raise Unreadable("is longer than the file")
        local = length
        if length > most:
            least = (room - 12) * 32 // 255 - 23
            local = least + (length - least) % (room - 4)
            local = local if local <= most else least
        payload = page[at : at + local]
        if len(payload) < local or at + local > room:
            raise Unreadable("reaches beyond its page")
        if local == length:
            return payload
        parts, left = [payload], length - local
        following = int.from_bytes(page[at + local : at + local + 4], "big")
        chain: set[int] = set()
        while left > 0:
            if following in chain:
                raise Unreadable("its overflow pages lead in a circle")
            chain.add(following)
            overflow = self.raw(following)
            parts.append(overflow[4 : 4 + min(left, room - 4)])
            left -= len(parts[-1])
            following = int.from_bytes(overflow[:4], "big")
        self.seen |= chain
        return b"".join(parts)


_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(9):
        if at >= len(data):
            raise Unreadable("ends within a number")
        byte = data[at]
        at += 1
        if index == 8:
            return value << 8 | byte, at
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, at


def _record(payload: bytes) -> tuple[Value, ...]:
    end, at = _varint(payload, 0)
    if end > len(payload):
        raise Unreadable("its header is longer than it")
    kinds = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    at, values = end, []
    for kind in kinds:
        value, at = _value(payload, at, kind)
        values.append(value)
    if at != len(payload):
        raise Unreadable("its length does not fit its columns")
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (0, 8, 9):
        return (None, 0, 1)[(0, 8, 9).index(kind)], at
    if kind in (10, 11):
        raise Unreadable("has a column of unknown kind")
    size = _INTEGERS.get(kind, 8) if kind <= 7 else (kind - 12) // 2
    data = payload[at : at + size]
    if len(data) < size:
        raise Unreadable("ends within a column")
    if kind == 7:
        return struct.unpack(">d", data)[0], at + size
    if kind < 7:
        return int.from_bytes(data, "big", signed=True), at + size
    if kind % 2 == 0:
        return data, at + size
    try:
        return data.decode(), at + size
    except UnicodeDecodeError:
        raise Unreadable("has text that is not UTF-8") from None
