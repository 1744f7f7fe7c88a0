"""The positions of a receipt with their amounts, read in one way or another."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import attrs

from tillpost.kit import ZERO, round_money
from tillpost.model import Discount
from tillpost_dsfinvk.codes import ARTICLE, MONEY, PARTS, PERCENT, is_true
from tillpost_dsfinvk.join import Bon
from tillpost_dsfinvk.settings import Settings
from tillpost_dsfinvk.tables import Row


@attrs.frozen
class Part:
    """What of a position is taxed by one key: UST_SCHLUESSEL, the amount with its tax, and the tax."""

    key: str
    gross: Decimal
    tax: Decimal


@attrs.frozen
class Position:
    """A row of lines.csv with its amounts. business: GV_TYP in lower case. part: the part it plays, of codes.py."""

    row: Row
    business: str
    part: str
    quantity: Decimal
    parts: tuple[Part, ...]
    voided: bool
    discounts: tuple[Discount, ...] = ()

    @property
    def gross(self) -> Decimal:
        """What it adds to the total."""
        return sum((part.gross for part in self.parts), ZERO)

    @property
    def tax(self) -> Decimal:
        """The tax in it."""
        return sum((part.tax for part in self.parts), ZERO)

    @property
    def same(self) -> tuple[str, ...]:
        """What it has in common with the position that takes it back."""
        return (self.business, *(self.row.text(name) for name in ("ART_NR", "GTIN", "ARTIKELTEXT")))

    def negated(self) -> Position:
        """The same with opposite signs."""
        parts = tuple(Part(part.key, -part.gross, -part.tax) for part in self.parts)
        return attrs.evolve(self, quantity=-self.quantity, parts=parts)

    def less(self, taken_back: Position) -> Position:
        """What is left of it when some pieces are taken back; those are negative."""
        others = {part.key: part for part in taken_back.parts}
        parts = tuple(
            Part(part.key, part.gross + others[part.key].gross, part.tax + others[part.key].tax)
            if part.key in others
            else part
            for part in self.parts
        )
        return attrs.evolve(self, quantity=self.quantity - abs(taken_back.quantity), parts=parts)


@attrs.frozen
class _Vat:
    """One row of lines_vat.csv. gross, net, tax: as far as they are written."""

    key: str
    gross: Decimal | None
    net: Decimal | None
    tax: Decimal | None

    def amount(self, percent: Decimal | None, *, by_net: bool) -> Decimal | None:
        """The amount with its tax, by the gross one or by the other two, and by those that are there."""
        tax = self.tax
        if tax is None and self.net is not None and percent is not None:
            tax = self.net * percent / 100
        summed = self.net + tax if self.net is not None and tax is not None else None
        first, second = (summed, self.gross) if by_net else (self.gross, summed)
        return second if first is None else first

    @property
    def is_split(self) -> bool:
        """Whether the gross amount is not the net one with the tax."""
        if None in (self.gross, self.net, self.tax):
            return False
        return abs((self.gross or ZERO) - (self.net or ZERO) - (self.tax or ZERO)) > Decimal("0.01")


@attrs.frozen(kw_only=True)
class How:
    """In which way positions are read.

    by_net: amounts by the net ones and the tax. less_discounts: those of itemamounts.csv are not in the prices yet.
    by_quantity: an amount has the sign of its quantity. by_package: a price is for one of FAKTOR units, not for all.
    """

    by_net: bool = False
    less_discounts: bool = False
    by_quantity: bool = False
    by_package: bool = False


class Positions:
    """The rows of a receipt's positions, read in one way or another."""

    def __init__(self, bon: Bon, settings: Settings, currency: str) -> None:
        self.rows = bon.rows("lines")
        self.currency = currency
        self._settings = settings
        self._vat: dict[str, list[_Vat]] = {}
        self._prices: dict[str, list[tuple[str, Decimal]]] = {}
        self.percents = {
            row.text("UST_SCHLUESSEL"): rate for row in bon.rows("vat") if (rate := row.number("UST_SATZ")) is not None
        }
        for row in bon.rows("lines_vat"):
            amounts = (row.number(name) for name in ("POS_BRUTTO", "POS_NETTO", "POS_UST"))
            self._vat.setdefault(row.text("POS_ZEILE"), []).append(_Vat(row.text("UST_SCHLUESSEL"), *amounts))
        for row in bon.rows("itemamounts"):
            self._prices.setdefault(row.text("POS_ZEILE"), []).append(_price(row))

    def percent(self, key: str) -> Decimal | None:
        """The rate of a key, None where neither the export nor the standard says it."""
        if key in self.percents:
            return self.percents[key]
        return Decimal(PERCENT[key]) if key in PERCENT else None

    @property
    def is_split(self) -> bool:
        """Whether a gross amount is not the net one with the tax."""
        return any(vat.is_split for vats in self._vat.values() for vat in vats)

    @property
    def has_packages(self) -> bool:
        """Whether a position has its price only, and a FAKTOR: for so many units, or times so many in a package."""
        return any(
            (row.number("FAKTOR") or 1) != 1 and row.text("POS_ZEILE") not in self._vat and row.number("STK_BR")
            for row in self.rows
        )

    def read(self, how: How) -> list[Position]:
        """Every position. Raises InvalidValue with file, line and column for what is no number."""
        return [self._position(row, how) for row in self.rows]

    def _position(self, row: Row, how: How) -> Position:
        quantity = row.number("MENGE")
        quantity = Decimal(1) if quantity is None else quantity
        parts = list(self._parts(row, quantity, how))
        gross = sum((part.gross for part in parts), ZERO)
        discounts = self._discounts(row, gross)
        if how.less_discounts and discounts:
            off = sum((discount.value for discount in discounts), ZERO)
            ratio = (gross + off) / gross if gross else ZERO
            parts = [Part(part.key, part.gross * ratio, part.tax * ratio) for part in parts]
        if how.by_quantity and quantity < 0 < gross:
            parts = [Part(part.key, -part.gross, -part.tax) for part in parts]
        business = row.text("GV_TYP").lower().replace("ö", "oe").replace("ü", "ue").replace("_", "")
        return Position(
            row=row,
            business=business,
            part=PARTS.get(business, ARTICLE if row.text("ART_NR") or not business else MONEY),
            quantity=quantity,
            parts=tuple(parts),
            voided=is_true(row.text("P_STORNO")),
            discounts=discounts,
        )

    def _parts(self, row: Row, quantity: Decimal, how: How) -> Iterator[Part]:
        vats = self._vat.get(row.text("POS_ZEILE"), [])
        found = [
            (vat, amount)
            for vat in vats
            if (amount := vat.amount(self.percent(vat.key), by_net=how.by_net)) is not None
        ]
        if not found:
            price, per = row.number("STK_BR") or ZERO, row.number("FAKTOR") or Decimal(1)
            vat = vats[0] if vats else _Vat("", None, None, None)
            gross = quantity * price * per if how.by_package else quantity * price / per
            found = [(vat, round_money(gross, self.currency))]
        for vat, gross in found:
            yield Part(vat.key, gross, self._tax(vat, gross, how.by_net))

    def _tax(self, vat: _Vat, gross: Decimal, by_net: bool) -> Decimal:
        percent = self.percent(vat.key)
        if vat.tax is not None and (by_net or not vat.is_split or percent is None):
            return vat.tax
        if percent is None:
            return gross - vat.net if vat.net is not None else ZERO
        return round_money(gross * percent / (100 + percent), self.currency)

    def _discounts(self, row: Row, gross: Decimal) -> tuple[Discount, ...]:
        """What itemamounts.csv says was taken off, always as what it adds to the price."""
        found = [amount for kind, amount in self._prices.get(row.text("POS_ZEILE"), []) if kind == "discount"]
        return tuple(Discount(type="discount", value=-abs(amount).copy_sign(gross)) for amount in found if amount)


def _price(row: Row) -> tuple[str, Decimal]:
    """A row of itemamounts.csv: what it tells, in the words of the standard, and its amount with the tax."""
    kind = row.text("TYP").lower()
    kind = {"rabatt": "discount", "aufschlag": "extra_amount", "zuschlag": "extra_amount"}.get(kind, kind)
    gross = row.number("PF_BRUTTO")
    if gross is None:
        gross = (row.number("PF_NETTO") or ZERO) + (row.number("PF_UST") or ZERO)
    return kind, gross
