"""What a sample must have like the export it is made of: the figures and the outcome of each record."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from tillpost.errors import DocumentError, PluginError
from tillpost.model import Broken, Found, Line, NoReceipt, Parsed, Receipt

_SAID = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")
"""What a reason says of a value."""


def signature(records: Iterable[Parsed]) -> tuple[object, ...]:
    """One value a record, alike when structure and sums are, whatever names, numbers and keys there are.

    A receipt that has the id of an earlier one says so by its place.
    """
    found: list[object] = []
    first: dict[str, int] = {}
    try:
        for record in records:
            if isinstance(record, Found):
                at = first.setdefault(record.receipt.id, len(found))
                found.append((at, *_of_receipt(record.receipt)))
            elif isinstance(record, NoReceipt):
                found.append(
                    ("not sent", record.retail, bool(record.voids), record.final, _SAID.sub("·", record.reason))
                )
            else:
                found.append("broken")
    except DocumentError:
        found.append("refused")
    except PluginError as error:
        found.append(f"fails: {error}")
    return tuple(found)


def _of_receipt(receipt: Receipt) -> tuple[object, ...]:
    return (
        receipt.currency,
        receipt.total,
        receipt.created.isoformat(),
        receipt.business_date,
        tuple(_of_line(line) for line in receipt.lines),
        tuple((tender.type, tender.amount) for tender in receipt.tenders),
        tuple((each.percent, each.amount, each.including_tax) for each in receipt.taxes),
        tuple(known.kind for known in receipt.customer.identifiers) if receipt.customer else (),
        receipt.flags,
    )


def _of_line(line: Line) -> tuple[object, ...]:
    return (
        line.kind,
        line.quantity,
        line.paid,
        line.tax_amount,
        line.tax_percent,
        tuple((each.type, each.value) for each in line.discounts),
        "originalReceipt" in line.extra,
    )


def people(records: Iterable[Parsed]) -> set[str]:
    """Every value that the records have of customers, as far as they can be read."""
    found: set[str] = set()
    try:
        for record in records:
            if isinstance(record, Found) and record.receipt.customer is not None:
                found |= {known.value for known in record.receipt.customer.identifiers}
                found |= set(record.receipt.customer.attributes.values())
            elif isinstance(record, Broken):
                continue
    except (DocumentError, PluginError):
        pass
    return found


def first_year(records: Iterable[Parsed]) -> int:
    """The year of the first sale, as far as they can be read; 0 where there is none."""
    years: list[int] = []
    with suppress(DocumentError, PluginError):
        years += (record.receipt.business_date.year for record in records if isinstance(record, Found))
    return min(years, default=0)
