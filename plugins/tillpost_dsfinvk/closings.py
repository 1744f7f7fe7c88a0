"""The sums of a closing held against its receipts: where they differ, receipts are missing or too many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

import attrs

from tillpost import InvalidValue
from tillpost.kit import ZERO, Reading, first_reading, mismatch
from tillpost_dsfinvk.codes import CASH, PARTS, TYPES, is_true, plain_type
from tillpost_dsfinvk.export import Export
from tillpost_dsfinvk.join import Bon
from tillpost_dsfinvk.tables import Closing, Entry, Row

_ROUNDED = Decimal("0.01")
"""Amounts of more digits are rounded in a sum: less than this is no difference."""
_COUNTED = (("sale", "voided"), ("sale",), ("sale", "voided", "unpaid"))
"""Which receipts a till counts in its sums: voided ones beside those that take them back, or neither, or all."""
_SAID = {1: "without voided receipts", 2: "without orders and trainings", 3: "of all receipts"}


@attrs.define
class _Paid:
    """What the receipts of a closing have of one kind, as it is written."""

    total: Decimal = ZERO
    payments: Decimal = ZERO
    cash: Decimal = ZERO


class Closings:
    """The receipts of an export, added up by closing as they are read."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self._paid: dict[Closing, dict[str, _Paid]] = {}

    def add(self, bon: Bon) -> None:
        """One receipt, whatever becomes of it. An amount that cannot be read counts nothing: the receipt is held."""
        if not bon.heads or bon.heads[0].fault:
            return
        head = Row.of(bon.heads[0])
        paid = self._paid.setdefault(bon.closing, {}).setdefault(_kind(head), _Paid())
        paid.total += _number(head, "UMS_BRUTTO")
        for row in bon.rows("datapayment"):
            amount = _number(row, "BASISWAEH_BETRAG" if row.text("BASISWAEH_BETRAG") else "ZAHLWAEH_BETRAG")
            paid.payments += amount
            if row.text("ZAHLART_TYP").lower() == "bar":
                paid.cash += amount

    def differing(self) -> Iterator[tuple[Closing, list[Entry], InvalidValue]]:
        """Each closing whose sums are not those of its receipts, the rows of its sums, and by how much they differ."""
        for closing, stated in self._stated().items():
            try:
                self._compare(closing, stated)
            except InvalidValue as error:
                yield closing, [entry for entries in stated.values() for entry in entries], error

    def _stated(self) -> dict[Closing, dict[str, list[Entry]]]:
        """Closing → table → the rows that have its sums."""
        tables = {"cashpointclosing": self._export.tables.get("cashpointclosing"), **self._export.sums}
        found: dict[Closing, dict[str, list[Entry]]] = {}
        for name, table in tables.items():
            for entry in table.read() if table is not None else ():
                if not entry.fault and any(entry.closing):
                    found.setdefault(entry.closing, {}).setdefault(name, []).append(entry)
        return found

    def _compare(self, closing: Closing, stated: dict[str, list[Entry]]) -> None:
        """Raises InvalidValue with the difference of each reading for the first sum that none explains."""
        of = partial(self._sums, closing)
        rows = {name: [Row.of(entry) for entry in entries] for name, entries in stated.items()}
        closing_rows, cases = rows.get("cashpointclosing", [])[:1], rows.get("businesscases", [])
        goods = [row for row in cases if PARTS.get(row.text("GV_TYP").lower()) != CASH]
        _check(closing_rows, "Z_SE_ZAHLUNGEN", of, {"payments": _payments, "payments that are not cash": _not_cash})
        _check(closing_rows, "Z_SE_BARZAHLUNGEN", of, {"cash payments": _cash})
        _check(rows.get("payment", []), "Z_ZAHLART_BETRAG", of, {"payments": _payments})
        _check(cases, "Z_UMS_BRUTTO", of, {"totals": _total, "payments": _payments}, goods)

    def _sums(self, closing: Closing, figure: Callable[[_Paid], Decimal]) -> list[Decimal]:
        """The figure by each way to count."""
        paid = self._paid.get(closing, {})
        return [sum((figure(paid[kind]) for kind in kinds if kind in paid), ZERO) for kinds in _COUNTED]


def _total(paid: _Paid) -> Decimal:
    return paid.total


def _payments(paid: _Paid) -> Decimal:
    return paid.payments


def _cash(paid: _Paid) -> Decimal:
    return paid.cash


def _not_cash(paid: _Paid) -> Decimal:
    return paid.payments - paid.cash


def _kind(head: Row) -> str:
    kind = plain_type(head.text("BON_TYP"))
    outcome = TYPES.get(kind, ("sale", ""))[0]
    if kind == "belegstorno" or (outcome == "sale" and is_true(head.text("BON_STORNO"))):
        return "voided"
    return "sale" if outcome == "sale" else "unpaid"


def _number(row: Row, column: str) -> Decimal:
    try:
        return row.number(column) or ZERO
    except InvalidValue:
        return ZERO


def _check(
    rows: Sequence[Row],
    column: str,
    of: Callable[[Callable[[_Paid], Decimal]], list[Decimal]],
    figures: Mapping[str, Callable[[_Paid], Decimal]],
    also: Sequence[Row] = (),
) -> None:
    """Raises InvalidValue unless one way to count one of the figures gives the sum of the column.

    also: rows whose sum is right, too. A sum of zero is one that the till does not fill in.
    """
    stated = sum((row.number(column) or ZERO for row in rows), ZERO)
    if not stated:
        return
    right = [stated, *([sum((row.number(column) or ZERO for row in also), ZERO)] if also else [])]

    def take(said: str, summed: Decimal) -> None:
        if all(abs(summed - each) >= _ROUNDED for each in right):
            raise mismatch(f"the {said} sum to", summed, f"{column} is", stated, "EUR", place=rows[0].entry.place)

    first_reading(
        Reading(_SAID[len(kinds)], partial(take, said, summed))
        for said, figure in figures.items()
        for kinds, summed in zip(_COUNTED, of(figure), strict=True)
    )
