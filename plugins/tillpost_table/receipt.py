"""The rows of one receipt as a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs

from tillpost import InvalidValue
from tillpost.kit import MakeId, round_money
from tillpost.model import (
    IDENTIFIER_KINDS,
    Customer,
    Discount,
    Identifier,
    Line,
    LineKind,
    RawRef,
    Receipt,
    Tax,
    Tender,
)
from tillpost_table.cells import Cells
from tillpost_table.rows import Row

ZERO = Decimal(0)


def read_receipt(rows: Sequence[Row], source: RawRef, cells: Cells, make_id: MakeId) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing or does not add up, and by how much."""
    store, till, number = (cells.same(rows, field) for field in ("store", "till", "number"))
    currency = cells.same(rows, "currency")
    created, flags = cells.created(rows)
    day = cells.day(rows) or created.date()
    told = [(row, _is_line(row, cells)) for row in rows]
    lines = tuple(_line(row, cells, currency) for row, is_line in told if is_line)
    summed = sum((line.paid for line in lines), ZERO)
    total = cells.decimal(cells.same(rows, "total"), cells.place(rows[0], "total"))
    apart = [row for row, is_line in told if not is_line]
    tenders = _tenders(rows, apart, cells, summed if total is None else total)
    if lines and all(line.kind is LineKind.RETURN for line in lines):
        # Tills that tell returns by their kind write what is given back without a sign.
        total = summed if total == -summed else total
        if sum((tender.amount for tender in tenders), ZERO) == -summed:
            tenders = tuple(attrs.evolve(tender, amount=-tender.amount) for tender in tenders)
    return Receipt(
        id=make_id(store=store, till=till, business_date=day, number=number),
        number=number,
        created=created,
        business_date=day,
        store=store,
        till=till,
        currency=currency,
        total=summed if total is None else total,
        lines=lines,
        tenders=tenders,
        taxes=_taxes(lines),
        customer=_customer(rows, cells),
        flags=flags,
        raw=source,
    )


def _is_line(row: Row, cells: Cells) -> bool:
    """Whether the row has a line: a price, or an article, in a column of its own."""
    fields = ("paid", "unit_price", "sku", "article_number")
    return any(field in cells.settings.columns and cells.text(row, field) for field in fields)


def _line(row: Row, cells: Cells, currency: str) -> Line:
    quantity = cells.number(row, "quantity")
    quantity = Decimal(1) if quantity is None else quantity
    paid, reduced = cells.number(row, "paid"), abs(cells.number(row, "discount") or ZERO)
    if paid is None:
        price = cells.number(row, "unit_price")
        if price is None:
            raise InvalidValue("the line has no price", place=cells.place(row, "paid"))
        whole = round_money(price * quantity, currency)
        paid = whole - reduced.copy_sign(whole)
    kind, quantity, paid = _signed(row, cells, quantity, paid)
    paid, tax, percent = _taxed(row, cells, paid, currency)
    number = cells.text(row, "article_number")
    original = cells.text(row, "original_receipt")
    return Line(
        kind=kind,
        sku=cells.text(row, "sku") or number,
        quantity=quantity,
        paid=paid,
        tax_amount=tax,
        tax_percent=percent,
        article_number=number,
        article_name=cells.text(row, "article_name"),
        article_group=cells.text(row, "article_group"),
        discounts=(Discount(type="discount", value=-reduced.copy_sign(paid)),) if reduced else (),
        extra={"originalReceipt": original} if original else {},
    )


def _signed(row: Row, cells: Cells, quantity: Decimal, paid: Decimal) -> tuple[LineKind, Decimal, Decimal]:
    """Kind, quantity and price with their signs: by the column of kinds where it says so, else by the signs."""
    told = cells.text(row, "kind")
    if told and told not in [*LineKind]:
        raise InvalidValue(
            f"means none of {', '.join(LineKind)}; name it in `values.kind`", place=cells.place(row, "kind")
        )
    if told == LineKind.RETURN:
        return LineKind.RETURN, -abs(quantity), -abs(paid)
    if cells.settings.sign == "quantity":
        paid = abs(paid).copy_sign(quantity)
    elif cells.settings.sign == "paid":
        quantity = abs(quantity).copy_sign(paid)
    if told:
        return LineKind(told), quantity, paid
    if quantity > 0 and paid >= 0:
        return LineKind.PURCHASE, quantity, paid
    # A positive quantity with money back is a deposit handed back or a coupon, no returned article.
    return LineKind.RETURN if quantity < 0 and paid <= 0 else LineKind.ADJUSTMENT, quantity, paid


def _taxed(row: Row, cells: Cells, paid: Decimal, currency: str) -> tuple[Decimal, Decimal, Decimal]:
    """Price with its tax, the tax, its percentage; what of the two the file does not tell is reckoned."""
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


def _tenders(rows: Sequence[Row], apart: Sequence[Row], cells: Cells, total: Decimal) -> tuple[Tender, ...]:
    """Tenders in columns of their own, in rows of their own, or told once.

    One with the total only where the mapping has no column of amounts: else a file that was cut would pass.
    """
    found = []
    for column, kind in cells.settings.tenders.items():
        written = {row.cells.get(column, "").strip() for row in rows} - {""}
        place = f"{rows[0].place}, column {column}"
        if len(written) > 1:
            raise InvalidValue("differs between the rows of a receipt, it must be the same in all", place=place)
        found += [Tender(type=kind, amount=amount) for text in written if (amount := cells.decimal(text, place))]
    for row in apart:
        if amount := cells.number(row, "tender_amount"):
            found.append(_tender(cells.text(row, "tender_type"), amount, cells.text(row, "tender_description")))
    if not found:
        kind, said = cells.same(rows, "tender_type"), cells.same(rows, "tender_description")
        amount = cells.decimal(cells.same(rows, "tender_amount"), cells.place(rows[0], "tender_amount"))
        if amount is None and not cells.settings.tenders and "tender_amount" not in cells.settings.columns:
            amount = total
        return (_tender(kind, amount, said),) if amount else ()
    return tuple(found)


def _tender(kind: str, amount: Decimal, description: str) -> Tender:
    return Tender(type=kind or "other", amount=amount, description=description)


def _taxes(lines: Sequence[Line]) -> tuple[Tax, ...]:
    summed: dict[Decimal, tuple[Decimal, Decimal]] = {}
    for line in lines:
        if line.tax_amount:
            amount, paid = summed.get(line.tax_percent, (ZERO, ZERO))
            summed[line.tax_percent] = (amount + line.tax_amount, paid + line.paid)
    return tuple(
        Tax(description="VAT", percent=percent, amount=amount, including_tax=paid, excluding_tax=paid - amount)
        for percent, (amount, paid) in summed.items()
    )


def _customer(rows: Sequence[Row], cells: Cells) -> Customer | None:
    """The first value of each column; None when no identifier has one."""
    identifiers, attributes = [], {}
    for name, column in cells.settings.customer.items():
        value = next((text for row in rows if (text := row.cells.get(column, "").strip())), "")
        if value and name in IDENTIFIER_KINDS:
            identifiers.append(Identifier(name, value))
        elif value:
            attributes[name] = value
    return Customer(identifiers=tuple(identifiers), attributes=attributes) if identifiers else None
