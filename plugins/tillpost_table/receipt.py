"""The rows of one receipt as a receipt."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from tillpost import InvalidValue
from tillpost.kit import MakeId, first_reading, vat_of_lines
from tillpost.model import IDENTIFIER_KINDS, Customer, Identifier, RawRef, Receipt
from tillpost_table.amounts import Amounts, Written, as_written, readings
from tillpost_table.cells import Cells
from tillpost_table.rows import Row

OTHER_CURRENCY = "other-currency-sign"
"""The flag of a receipt with a sign or word of another currency than its own beside an amount."""


def own_id(rows: Sequence[Row], cells: Cells, make_id: MakeId) -> str:
    """The id of the receipt of these rows. Raises InvalidValue."""
    store, till, number = (cells.same_id(rows, field) for field in ("store", "till", "number"))
    return make_id(
        store=store, till=till, business_date=cells.day(rows) or cells.created(rows)[0].date(), number=number
    )


def read_receipt(rows: Sequence[Row], source: RawRef, cells: Cells, make_id: MakeId) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing, or with the difference where amounts do not add up."""
    cells.begin()
    store, till, number = (cells.same_id(rows, field) for field in ("store", "till", "number"))
    currency = cells.same(rows, "currency")
    created, flags = cells.created(rows)
    day = cells.day(rows) or created.date()
    receipt_id, customer = make_id(store=store, till=till, business_date=day, number=number), _customer(rows, cells)

    def make(amounts: Amounts) -> Receipt:
        return Receipt(
            id=receipt_id,
            number=number,
            created=created,
            business_date=day,
            store=store,
            till=till,
            currency=currency,
            total=amounts.total,
            lines=amounts.lines,
            tenders=amounts.tenders,
            taxes=vat_of_lines(amounts.lines),
            customer=customer,
            flags=flags + amounts.flags,
            raw=source,
        )

    written, chosen = Written.of(rows, cells, currency), tuple[str, ...]()
    try:
        receipt = make(as_written(written))
    except InvalidValue:
        receipt, chosen = first_reading(readings(written, make))
    if cells.is_of_other_currency(currency):
        chosen += (OTHER_CURRENCY,)
    return attrs.evolve(receipt, flags=receipt.flags + chosen) if chosen else receipt


def _customer(rows: Sequence[Row], cells: Cells) -> Customer | None:
    """The customer by the first value of each column; None when no identifier has one."""
    identifiers, attributes = [], {}
    for name, column in cells.settings.customer.items():
        value = next((text for row in rows if (text := row.cells.get(column, "").strip())), "")
        if value and name in IDENTIFIER_KINDS:
            value = cells.id(value, f"{rows[0].place}, column {column}", secret=True)
            identifiers.append(Identifier(name, value))
        elif value:
            attributes[name] = value
    return Customer(identifiers=tuple(identifiers), attributes=attributes) if identifiers else None
