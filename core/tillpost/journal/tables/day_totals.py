"""The days of stores: the receipts of a business date in the journal, and the totals of the tills."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from tillpost.journal.database import Table, Transaction
from tillpost.journal.states import State

PAGE = 500
"""Receipts that are read at a time; with their bodies one or two megabytes."""
_COLUMNS = "seq, id, number, till, created, currency, total, state, route, reason, verified_at"


@attrs.frozen
class DayReceipt:
    """A receipt of a day. total: a decimal as text, "" where the record could not be read."""

    seq: int
    id: str
    number: str
    till: str
    created: str
    currency: str
    total: str
    state: State = attrs.field(converter=State)
    route: str
    reason: str
    verified_at: float | None


@attrs.frozen(kw_only=True)
class TillTotal:
    """One figure of a till for its day.

    till: "" is the whole store. kind: `total`, `tender` (name: its type), `tax` (name: the percentage; the total
    includes the tax) or `receipt` (name: its number). count: receipts, where the till gave it. source: where the figure
    comes from, such as a file's name. at: when it was put into the journal.
    """

    store: str
    business_date: str
    till: str = ""
    currency: str
    kind: str = "total"
    name: str = ""
    count: int | None = None
    total: Decimal
    source: str = ""
    at: float = 0.0


class DayTotals(Table):
    """What the journal knows of them."""

    def counts(self, store: str, business_date: str) -> dict[str, int]:
        """How many receipts of that date each till has."""
        rows = self._database.read(
            "SELECT till, count(*) FROM receipts WHERE store = ? AND business_date = ? GROUP BY till",
            (store, business_date),
        )
        return {str(till): int(count) for till, count in rows}

    def pages(self, store: str, business_date: str, till: str) -> Iterator[list[DayReceipt]]:
        """The receipts of a till's day in order of acceptance, some at a time."""
        sql = (
            f"SELECT {_COLUMNS} FROM receipts WHERE store = ? AND business_date = ? AND till = ? AND seq > ?"  # noqa: S608 - ours
            " ORDER BY seq LIMIT ?"
        )
        seq = 0
        while rows := self._database.read(sql, (store, business_date, till, seq, PAGE)):
            yield [self._receipt(row) for row in rows]
            seq = rows[-1][0]

    def undated(self, store: str, since: float, until: float, limit: int) -> list[DayReceipt]:
        """Records accepted in that time that could not be read, held or discarded: of no day, of this store or none."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM receipts INDEXED BY receipts_day WHERE store IN (?, '')"  # noqa: S608 - ours
            " AND business_date = '' AND state IN ('held', 'skipped') AND accepted_at BETWEEN ? AND ? LIMIT ?",
            (store, since, until, limit),
        )
        return [self._receipt(row) for row in rows]

    def put(self, figures: Sequence[TillTotal], now: float) -> None:
        """Store totals in place of those known of the same days and tills."""
        days = {(each.store, each.business_date, each.till) for each in figures}
        rows = [(*attrs.astuple(each)[:-3], str(each.total), each.source, now) for each in figures]

        def work(transaction: Transaction) -> None:
            transaction.executemany("DELETE FROM day_totals WHERE store = ? AND business_date = ? AND till = ?", days)
            transaction.executemany(
                "INSERT INTO day_totals VALUES (?,?,?,?,?,?,?,?,?,?)"
                " ON CONFLICT (store, business_date, till, currency, kind, name)"
                " DO UPDATE SET count = excluded.count, total = excluded.total, source = excluded.source",
                rows,
            )

        if figures:
            self._database.write(work)

    def get(self, store: str, business_date: str) -> list[TillTotal]:
        """The known totals of a store's day."""
        return self._figures(
            self._database.read(
                "SELECT * FROM day_totals WHERE store = ? AND business_date = ? ORDER BY till, currency, kind, name",
                (store, business_date),
            )
        )

    def since(self, at: float) -> list[tuple[str, str]]:
        """Store and date of the days of which figures were put since then."""
        rows = self._database.read(
            "SELECT DISTINCT store, business_date FROM day_totals WHERE at >= ? ORDER BY business_date, store", (at,)
        )
        return [(str(store), str(date)) for store, date in rows]

    def _receipt(self, row: tuple[Any, ...]) -> DayReceipt:
        try:
            found = DayReceipt(*row)
            sound = found.total == "" or Decimal(found.total).is_finite()
        except (ValueError, TypeError, InvalidOperation):
            sound = False
        if not sound:
            raise self._database.damaged(f"table receipts, row {row[0]}: state or total makes no sense")
        return found

    def _figures(self, rows: Iterable[tuple[object, ...]]) -> list[TillTotal]:
        names = [field.name for field in attrs.fields(TillTotal)]
        found: list[TillTotal] = []
        for row in rows:
            values = dict(zip(names, row, strict=True))
            try:
                found.append(TillTotal(**values | {"total": Decimal(str(values["total"]))}))  # type: ignore[arg-type]
            except InvalidOperation:
                raise self._database.damaged(f"table day_totals, {row[:6]}: total makes no sense") from None
        return found
