"""The rows of all files joined to receipts, a closing at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby

import attrs

from tillpost import DocumentError
from tillpost_dsfinvk.export import OF_BONS, OF_CLOSINGS, Export
from tillpost_dsfinvk.tables import Closing, Entry, Row, Table

_CLOSINGS = 100_000
"""Closings of one export: they are held in memory. A chain of a thousand tills has half as many a month."""
_COMMA, _POINT = re.compile(r",[0-9]*$"), re.compile(r"\.(?:[0-9]{1,2}|[0-9]{4,})$")


@attrs.frozen
class Bon:
    """All rows of one receipt. heads: its rows in transactions.csv, which is one unless something is wrong.

    details: table → its rows. master: table → the rows of its closing. others: what is read with it, by closing and id.
    """

    closing: Closing
    id: str
    heads: list[Entry]
    details: dict[str, list[Entry]]
    master: Mapping[str, list[Entry]]
    others: Mapping[tuple[Closing, str], Bon] = attrs.field(factory=dict, repr=False, eq=False)

    def entries(self) -> Iterator[Entry]:
        """Every row that is the receipt's own."""
        yield from self.heads
        for entries in self.details.values():
            yield from entries

    def rows(self, table: str) -> list[Row]:
        """The rows of a table, as cells."""
        found = self.details.get(table) or self.master.get(table) or []
        return [Row.of(entry) for entry in found if not entry.fault]

    def texts(self) -> dict[str, list[str]]:
        """Table → the rows as they stand, for the record that is kept."""
        groups = {"transactions": self.heads, **self.details, **self.master}
        return {name: [entry.text for entry in entries] for name, entries in groups.items()}

    @property
    def place(self) -> str:
        """Where it begins."""
        return next(self.entries()).place


def set_decimals(export: Export) -> bool:
    """Set the decimal mark of the export's tables; whether it is another than the one index.xml names.

    Tills that copy the index of the standard (a comma) write points all the same: what the totals have decides.
    """
    found = export.decided or _written(export.transactions) or export.stated or ","
    for table in (*export.tables.values(), *export.sums.values()):
        table.decimal = found
    return bool(export.stated) and found != export.stated


def _written(transactions: Table) -> str:
    """The mark that the totals have, "" where none has one."""
    comma = point = False
    for entry in transactions.read():
        if not entry.fault and "UMS_BRUTTO" in transactions.columns:
            total = Row.of(entry).text("UMS_BRUTTO")
            comma, point = comma or bool(_COMMA.search(total)), point or bool(_POINT.search(total))
    return "," if comma else "." if point else ""


def bons(export: Export, largest: int) -> Iterator[Bon | Entry]:
    """Every receipt in the order of transactions.csv, and every row whose receipt cannot be told.

    A closing is in memory at a time where the files have their closings in one order, else the whole export. Raises
    DocumentError where that is more than `largest` characters.
    """
    order = _order(export.transactions)
    detailed = {name: export.tables[name] for name in OF_BONS if name in export.tables}
    in_order = len(set(order)) == len(order) and all(_follows(_order(table), order) for table in detailed.values())
    master = _Master(export, largest)
    if not in_order:
        everything = {name: list(_bounded(table.read(), largest)) for name, table in detailed.items()}
        yield from _joined(list(_bounded(export.transactions.read(), largest)), everything, master)
        return
    readers = {name: _Closings(table) for name, table in detailed.items()}
    heads = _Closings(export.transactions)
    for closing in order:
        own = list(_bounded(heads.take(closing), largest))
        details = {name: list(_bounded(reader.take(closing), largest)) for name, reader in readers.items()}
        yield from _joined(own, details, master)
    for reader in readers.values():  # rows behind the last closing, which have no key at all
        yield from reader.rest()


class _Master:
    """The rows of the tables of a closing, by closing: a few a day."""

    def __init__(self, export: Export, largest: int) -> None:
        self._rows: dict[Closing, dict[str, list[Entry]]] = {}
        for name in OF_CLOSINGS:
            if name in export.tables:
                for entry in _bounded(export.tables[name].read(), largest):
                    self._rows.setdefault(entry.closing, {}).setdefault(name, []).append(entry)

    def of(self, closing: Closing) -> Mapping[str, list[Entry]]:
        """Table → the rows of the closing."""
        return self._rows.get(closing, {})


class _Closings:
    """A table whose closings are taken one after another."""

    def __init__(self, table: Table) -> None:
        self._entries = table.read()
        self._next: Entry | None = None

    def take(self, closing: Closing) -> Iterator[Entry]:
        """The rows of this closing, which is the next of the file or not in it; rows without a key go along."""
        while (entry := self._next or next(self._entries, None)) is not None:
            self._next = None
            if entry.closing not in (closing, ("", "")):
                self._next = entry
                return
            yield entry

    def rest(self) -> Iterator[Entry]:
        """What is left."""
        while (entry := self._next or next(self._entries, None)) is not None:
            self._next = None
            yield entry


def _order(table: Table) -> list[Closing]:
    """The closings of a table as they follow one another; one stands again where its rows are not together."""
    found = []
    for closing, _ in groupby(table.closings()):
        found.append(closing)
        if len(found) > _CLOSINGS:
            raise DocumentError(
                f"has more than {_CLOSINGS} closings, or rows out of order; export less at once", table.file
            )
    return found


def _follows(own: list[Closing], order: list[Closing]) -> bool:
    rest = iter(order)
    return all(closing in rest for closing in own)


def _bounded(entries: Iterator[Entry], largest: int) -> Iterator[Entry]:
    size = 0
    for entry in entries:
        size += len(entry.text)
        if size > largest:
            raise DocumentError(
                f"the rows of one closing, rows out of order, or the closings have more than {largest} characters;"
                " export less at once, or raise `largest`",
                entry.place,
            )
        yield entry


def _joined(heads: list[Entry], details: Mapping[str, list[Entry]], master: _Master) -> Iterator[Bon | Entry]:
    """The receipts of these rows; then what belongs to none of them, by receipt, and rows without a key."""
    found: dict[tuple[Closing, str], Bon] = {}
    loose: list[Entry] = []
    for entry in heads:
        if not entry.bon:
            loose.append(entry)
            continue
        key = (entry.closing, entry.bon)
        if key not in found:
            found[key] = Bon(entry.closing, entry.bon, [], {}, master.of(entry.closing), found)
        found[key].heads.append(entry)
    for name, entries in details.items():
        for entry in entries:
            if not entry.bon:
                loose.append(entry)
                continue
            key = (entry.closing, entry.bon)
            if key not in found:
                found[key] = Bon(entry.closing, entry.bon, [], {}, master.of(entry.closing), found)
            found[key].details.setdefault(name, []).append(entry)
    yield from found.values()
    yield from loose
