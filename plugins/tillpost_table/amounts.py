"""The lines, tenders and total of a receipt's rows, in the readings that tills leave open."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import attrs

from tillpost import InvalidValue
from tillpost.kit import (
    ROUNDING,
    ROUNDING_AS_TENDER,
    ZERO,
    Reading,
    adjustment,
    is_rounding,
    line_kind,
    negated,
    round_money,
)
from tillpost.model import Discount, Line, LineKind, Receipt, Tender
from tillpost_table.cells import Cells
from tillpost_table.rows import Row
from tillpost_table.whole import Whole

SIGN_BY_QUANTITY = "sign-by-quantity"
"""The amounts of returned lines have no sign; total and tenders say that the quantity's is right."""
SIGN_BY_TOTAL = "sign-by-total"
"""Neither quantity nor amount has the sign of the return that total and tenders tell."""
SIGN_BY_LINES = "sign-by-lines"
"""Total or tenders lack the sign that every line has."""
ROUNDING_SIGN = "rounding-sign"
"""The rounding counts with the other sign than it is written with."""
ROUNDING_IN_LINES = "rounding-in-lines"
"""The lines add up without the rounding: it is one of them, or was not made."""
TOTAL_BEFORE_ROUNDING = "total-before-rounding"
"""The total is the one before the rounding; the receipt has what was paid."""
CASH_ROUNDING = "cash-rounding"
"""No field has the rounding: cash differs from the goods by less than half the smallest coin."""

_COINS = {
    **dict.fromkeys(["SEK", "NOK", "ISK", "CZK"], Decimal(1)),
    "DKK": Decimal("0.5"),
    "HUF": Decimal(5),
    **dict.fromkeys(["AUD", "CAD", "CHF", "EUR", "MYR", "RON", "SGD", "USD"], Decimal("0.05")),
    **dict.fromkeys(["ILS", "NZD", "ZAR"], Decimal("0.1")),
}
"""The smallest coin, to which cash is rounded."""


@attrs.define
class Amounts:
    """One reading of a receipt: what it has in lines, tenders and total, and what was put aside for it."""

    lines: tuple[Line, ...]
    tenders: tuple[Tender, ...]
    total: Decimal
    flags: tuple[str, ...] = ()


@attrs.define
class Written:
    """The amounts as the rows have them."""

    rows: Sequence[Row]
    line_rows: Sequence[Row]
    tender_rows: Sequence[Row]
    cells: Cells
    currency: str
    total: Decimal | None
    rounding: Decimal
    whole: Whole | None
    """What the record says of the receipt as a whole, None when it says nothing."""

    @classmethod
    def of(cls, rows: Sequence[Row], cells: Cells, currency: str) -> Written:
        """Raises InvalidValue for a total or rounding that is no number."""
        total, rounding = cells.amount(rows, "total"), cells.amount(rows, "rounding")
        line_rows = [row for row in rows if cells.is_line(row)]
        tender_rows = [row for row in rows if not cells.is_line(row)] if len(line_rows) < len(rows) else []
        whole = Whole.of(rows, cells, currency) if cells.has_whole else None
        return cls(rows, line_rows, tender_rows, cells, currency, total, rounding or ZERO, whole)

    def lines(self, sign: str) -> tuple[Line, ...]:
        """The lines, with the sign of a return from `sign`."""
        lines = tuple(_line(row, self.cells, self.currency, sign) for row in self.line_rows)
        return self.whole.of_lines(lines) if self.whole else lines

    def tenders(self, total: Decimal) -> tuple[Tender, ...]:
        """The tenders; one of the total where the mapping has none."""
        return _tenders(self.rows, self.tender_rows, self.cells, total)

    @property
    def has_tenders(self) -> bool:
        """Whether the tenders are the till's own."""
        settings = self.cells.settings
        return bool(settings.tenders) or "tender_amount" in settings.columns

    @property
    def sign_is_open(self) -> bool:
        """Whether the settings leave open what has the sign of a return."""
        return self.cells.settings.sign == "both"


def as_written(written: Written) -> Amounts:
    """The reading that puts nothing aside, which nearly every receipt has."""
    return _plain(written, written.lines(written.cells.settings.sign), written.rounding)


def readings(written: Written, make: Callable[[Amounts], Receipt]) -> Iterator[Reading[Receipt]]:
    """The ways to read the amounts, as written first."""
    yield Reading("as written", lambda: make(as_written(written)))
    if written.whole:
        for said, flags, whole in written.whole.otherwise():
            other = attrs.evolve(written, whole=whole)
            yield Reading(said, functools.partial(_other_whole, other, flags, make))
    yield from _rounded(written, make)
    if written.sign_is_open and any(_disagree(row, written.cells) for row in written.line_rows):
        yield Reading("the sign of the quantity", lambda: make(_by_quantity(written)), SIGN_BY_QUANTITY)
    if written.sign_is_open and written.total is not None and written.total < 0:
        yield Reading("the sign of the total", lambda: make(_by_total(written)), SIGN_BY_TOTAL)


def _other_whole(written: Written, flags: tuple[str, ...], make: Callable[[Amounts], Receipt]) -> Receipt:
    amounts = as_written(written)
    return make(attrs.evolve(amounts, flags=amounts.flags + flags))


def _plain(written: Written, lines: tuple[Line, ...], rounding: Decimal) -> Amounts:
    if rounding:
        lines += (adjustment(ROUNDING, rounding, "Rounding"),)
    summed = sum((line.paid for line in lines), ZERO)
    total = summed if written.total is None else written.total
    tenders, flags = written.tenders(total), tuple[str, ...]()
    if lines and all(line.kind is LineKind.RETURN for line in lines):
        # Tills that mark returns by a kind write what they hand back without a sign.
        turned = total and total == -summed
        total = summed if turned else total
        if sum((tender.amount for tender in tenders), ZERO) == -summed:
            tenders, turned = tuple(negated(tenders)), summed
        if turned and not all(written.cells.text(row, "kind") for row in written.line_rows):
            flags = (SIGN_BY_LINES,)
    return Amounts(lines, tenders, total, flags)


def _by_quantity(written: Written) -> Amounts:
    """Amounts with the sign of their quantity, where total or tenders are negative, too, or mixed with others."""
    lines = written.lines("quantity")
    summed = sum((line.paid for line in lines), ZERO)
    total = written.total
    if total is None and written.has_tenders:
        total = sum((tender.amount for tender in written.tenders(summed)), ZERO)
    if total is None:
        raise InvalidValue("no total and no tender shows that", place=written.rows[0].place)
    return Amounts(lines, written.tenders(total), total)


def _by_total(written: Written) -> Amounts:
    """Every line as returned, where total and tenders say so and no line has a sign."""
    lines = written.lines("paid")
    if any(line.kind is not LineKind.PURCHASE for line in lines):
        raise InvalidValue("some of the lines have a sign of their own", place=written.rows[0].place)
    total = written.total or ZERO
    return Amounts(tuple(_returned(line) for line in lines), written.tenders(total), total)


def _returned(line: Line) -> Line:
    return attrs.evolve(
        line,
        kind=LineKind.RETURN,
        quantity=-line.quantity,
        paid=-line.paid,
        tax_amount=-line.tax_amount,
        discounts=tuple(attrs.evolve(discount, value=-discount.value) for discount in line.discounts),
    )


def _rounded(written: Written, make: Callable[[Amounts], Receipt]) -> Iterator[Reading[Receipt]]:
    """The readings of a rounding: its sign, the total before or after it, and cash rounded without a word."""
    sign, rounding = written.cells.settings.sign, written.rounding

    def paid(change: Decimal, flags: tuple[str, ...] = ()) -> Receipt:
        lines = (*written.lines(sign), adjustment(ROUNDING, change, "Rounding"))
        total = sum((line.paid for line in lines), ZERO)
        tenders = tuple(tender for tender in written.tenders(total) if tender.type != ROUNDING)
        if written.total not in (None, total, before := total - change):
            expected = f"the receipt's total is {written.total} (difference {before - (written.total or ZERO)})"
            raise InvalidValue(f"lines sum to {before}, {expected}", place=written.rows[0].place)
        return make(Amounts(lines, tenders, total, flags))

    if rounding:
        yield Reading(
            "the rounding with the other sign",
            lambda: make(_plain(written, written.lines(sign), -rounding)),
            ROUNDING_SIGN,
        )
        if written.has_tenders:
            yield Reading("the total before the rounding", lambda: paid(rounding), TOTAL_BEFORE_ROUNDING)
            yield Reading(
                "the total before the rounding, which has the other sign",
                lambda: paid(-rounding, (ROUNDING_SIGN,)),
                TOTAL_BEFORE_ROUNDING,
            )
        yield Reading(
            "without the rounding", lambda: make(_plain(written, written.lines(sign), ZERO)), ROUNDING_IN_LINES
        )
    elif written.has_tenders and (tendered := _tendered_rounding(written)):
        yield Reading("the rounding among the tenders", lambda: paid(-tendered), ROUNDING_AS_TENDER)
        yield Reading("the rounding among the tenders with the other sign", lambda: paid(tendered), ROUNDING_AS_TENDER)
    elif written.has_tenders and (change := _cash_rounding(written)):
        yield Reading("cash rounded to the coin", lambda: paid(change), CASH_ROUNDING)


def _tendered_rounding(written: Written) -> Decimal:
    """The sum of the tenders that are the rounding of cash, as they are written."""
    try:
        tenders = written.tenders(ZERO)
    except InvalidValue:
        return ZERO
    return sum((tender.amount for tender in tenders if tender.type == ROUNDING), ZERO)


def _cash_rounding(written: Written) -> Decimal:
    """What cash was rounded by, zero where that cannot be: more than half a coin, no cash, or cash not in coins."""
    try:
        summed = sum((line.paid for line in written.lines(written.cells.settings.sign)), ZERO)
        tenders = written.tenders(summed)
    except InvalidValue:
        return ZERO
    coin = _COINS.get(written.currency)
    cash = sum((tender.amount for tender in tenders if tender.type == "cash"), ZERO)
    paid = sum((tender.amount for tender in tenders), ZERO)
    is_rounded = coin and cash and not cash % coin and abs(paid - summed) <= coin / 2
    return paid - summed if is_rounded and written.total in (None, summed, paid) else ZERO


def _line(row: Row, cells: Cells, currency: str, sign: str) -> Line:
    quantity = cells.number(row, "quantity")
    quantity = Decimal(1) if quantity is None else quantity
    paid, discount = cells.number(row, "paid"), abs(cells.number(row, "discount") or ZERO)
    if paid is None:
        price = cells.number(row, "unit_price")
        if price is None:
            raise InvalidValue("the line has no price", place=cells.place(row, "paid"))
        whole = round_money(price * quantity, currency)
        paid = whole - discount.copy_sign(whole)
    kind, quantity, paid = _signed(row, cells, quantity, paid, sign)
    paid, tax, percent = _taxed(row, cells, paid, currency)
    number = cells.id_of(row, "article_number", code=True)
    original = cells.id_of(row, "original_receipt")
    return Line(
        kind=kind,
        sku=cells.id_of(row, "sku", code=True) or number,
        quantity=quantity,
        paid=paid,
        tax_amount=tax,
        tax_percent=percent,
        article_number=number,
        article_name=cells.text(row, "article_name"),
        article_group=cells.text(row, "article_group"),
        discounts=(Discount(type="discount", value=-discount.copy_sign(paid)),) if discount else (),
        extra={"originalReceipt": original} if original else {},
    )


def _signed(row: Row, cells: Cells, quantity: Decimal, paid: Decimal, sign: str) -> tuple[LineKind, Decimal, Decimal]:
    """Kind, quantity and price with their signs: by the column of kinds where it has one, else by the signs."""
    kind = cells.text(row, "kind")
    if kind and kind not in [*LineKind]:
        raise InvalidValue(
            f"means none of {', '.join(LineKind)}; name it in `values.kind`", place=cells.place(row, "kind")
        )
    if kind == LineKind.RETURN:
        return LineKind.RETURN, -abs(quantity), -abs(paid)
    if sign == "quantity":
        paid = abs(paid).copy_sign(quantity)
    elif sign == "paid":
        quantity = abs(quantity).copy_sign(paid)
    if kind:
        return LineKind(kind), quantity, paid
    if quantity < 0 < paid and cells.text(row, "paid"):
        raise InvalidValue(
            f"quantity {quantity} and amount {paid} disagree in their signs; set `sign` to which of them has that of a"
            " return, or map `kind`",
            place=cells.place(row, "quantity"),
        )
    return line_kind(quantity, paid) if quantity else LineKind.ADJUSTMENT, quantity, paid


def _disagree(row: Row, cells: Cells) -> bool:
    """Whether the row's amount lacks the sign of its quantity, and no kind tells what it is."""
    quantity, paid = cells.number(row, "quantity"), cells.number(row, "paid")
    return quantity is not None and paid is not None and quantity < 0 < paid and not cells.text(row, "kind")


def _taxed(row: Row, cells: Cells, paid: Decimal, currency: str) -> tuple[Decimal, Decimal, Decimal]:
    """Price with its tax, the tax, and its percentage; what is missing of the last two is calculated."""
    tax, percent = cells.number(row, "tax_amount"), cells.number(row, "tax_percent")
    on_top = cells.settings.tax == "on top"
    if tax is None:
        rate = percent or ZERO
        tax = round_money(paid * rate / (100 if on_top else 100 + rate), currency) or ZERO
    else:
        tax = abs(tax).copy_sign(paid) if tax else ZERO
    net = paid if on_top else paid - tax
    if percent is None:
        percent = round(tax / net * 100, 2) if tax and net else ZERO
    return net + tax, tax, percent


def _tenders(rows: Sequence[Row], tender_rows: Sequence[Row], cells: Cells, total: Decimal) -> tuple[Tender, ...]:
    """Tenders in columns of their own, in rows of their own, or one for the whole receipt.

    One of the total is made up only where the mapping has no column of amounts: else a truncated file would pass.
    """
    found = []
    for column, kind in cells.settings.tenders.items():
        written = {row.cells.get(column, "").strip() for row in rows} - {""}
        place = f"{rows[0].place}, column {column}"
        if len(written) > 1:
            raise InvalidValue("differs between the rows of a receipt, it must be the same in all", place=place)
        found += [Tender(type=kind, amount=amount) for text in written if (amount := cells.decimal(text, place))]
    # Where blank cells continue the receipt, each payment stands once, beside a line or not.
    for row in rows if cells.settings.fill_down else tender_rows:
        if amount := cells.number(row, "tender_amount"):
            found.append(_tender(cells.text(row, "tender_type"), amount, cells.text(row, "tender_description")))
    if not found:
        kind, description = cells.same(rows, "tender_type"), cells.same(rows, "tender_description")
        amount = cells.decimal(cells.same(rows, "tender_amount"), cells.place(rows[0], "tender_amount"))
        if amount is None and not cells.settings.tenders and "tender_amount" not in cells.settings.columns:
            amount = total
        return (_tender(kind, amount, description),) if amount else ()
    return tuple(found)


def _tender(kind: str, amount: Decimal, description: str) -> Tender:
    return Tender(type=ROUNDING if is_rounding(kind) else kind or "other", amount=amount, description=description)
