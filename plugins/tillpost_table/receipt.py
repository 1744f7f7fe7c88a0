"""The rows of one receipt as a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from tillpost import InvalidValue
from tillpost.kit import ZERO, MakeId, line_kind, negated, round_money, vat_of_lines
from tillpost.model import IDENTIFIER_KINDS, Customer, Discount, Identifier, Line, LineKind, RawRef, Receipt, Tender
from tillpost_table.cells import Cells
from tillpost_table.rows import Row


def own_id(rows: Sequence[Row], cells: Cells, make_id: MakeId) -> str:
    """The id of the receipt of these rows. Raises InvalidValue."""
    store, till, number = (cells.same(rows, field) for field in ("store", "till", "number"))
    return make_id(
        store=store, till=till, business_date=cells.day(rows) or cells.created(rows)[0].date(), number=number
    )


def read_receipt(rows: Sequence[Row], source: RawRef, cells: Cells, make_id: MakeId) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing, or with the difference where amounts do not add up."""
    store, till, number = (cells.same(rows, field) for field in ("store", "till", "number"))
    currency = cells.same(rows, "currency")
    created, flags = cells.created(rows)
    day = cells.day(rows) or created.date()
    line_rows = [row for row in rows if _is_line(row, cells)]
    lines = tuple(_line(row, cells, currency) for row in line_rows)
    summed = sum((line.paid for line in lines), ZERO)
    total = cells.decimal(cells.same(rows, "total"), cells.place(rows[0], "total"))
    tender_rows = [row for row in rows if not _is_line(row, cells)]
    tenders = _tenders(rows, tender_rows, cells, summed if total is None else total)
    if lines and all(line.kind is LineKind.RETURN for line in lines):
        # Tills that mark returns by a kind write what they hand back without a sign.
        total = summed if total == -summed else total
        if sum((tender.amount for tender in tenders), ZERO) == -summed:
            tenders = tuple(negated(tenders))
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
        taxes=vat_of_lines(lines),
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
    paid, discount = cells.number(row, "paid"), abs(cells.number(row, "discount") or ZERO)
    if paid is None:
        price = cells.number(row, "unit_price")
        if price is None:
            raise InvalidValue("the line has no price", place=cells.place(row, "paid"))
        whole = round_money(price * quantity, currency)
        paid = whole - discount.copy_sign(whole)
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
        discounts=(Discount(type="discount", value=-discount.copy_sign(paid)),) if discount else (),
        extra={"originalReceipt": original} if original else {},
    )


def _signed(row: Row, cells: Cells, quantity: Decimal, paid: Decimal) -> tuple[LineKind, Decimal, Decimal]:
    """Kind, quantity and price with their signs: by the column of kinds where it has one, else by the signs."""
    kind = cells.text(row, "kind")
    if kind and kind not in [*LineKind]:
        raise InvalidValue(
            f"means none of {', '.join(LineKind)}; name it in `values.kind`", place=cells.place(row, "kind")
        )
    if kind == LineKind.RETURN:
        return LineKind.RETURN, -abs(quantity), -abs(paid)
    if cells.settings.sign == "quantity":
        paid = abs(paid).copy_sign(quantity)
    elif cells.settings.sign == "paid":
        quantity = abs(quantity).copy_sign(paid)
    if kind:
        return LineKind(kind), quantity, paid
    return line_kind(quantity, paid) if quantity else LineKind.ADJUSTMENT, quantity, paid


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
    for row in tender_rows:
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
    return Tender(type=kind or "other", amount=amount, description=description)


def _customer(rows: Sequence[Row], cells: Cells) -> Customer | None:
    """The customer by the first value of each column; None when no identifier has one."""
    identifiers, attributes = [], {}
    for name, column in cells.settings.customer.items():
        value = next((text for row in rows if (text := row.cells.get(column, "").strip())), "")
        if value and name in IDENTIFIER_KINDS:
            identifiers.append(Identifier(name, value))
        elif value:
            attributes[name] = value
    return Customer(identifiers=tuple(identifiers), attributes=attributes) if identifiers else None
