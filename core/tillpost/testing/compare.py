"""Differences between a receipt and its prescribed sale, each a sentence with both figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from tillpost.model import Identifier, Line, LineKind, Receipt
from tillpost.testing.prescribed import EMAIL, PHONE, Sale, SaleLine

ZERO = Decimal(0)


def money(
    receipt: Receipt, sale: Sale, capabilities: Collection[str], tender_types: Mapping[str, str], currency: str
) -> list[str]:
    """Differences in currency, total and lines, and in discounts and tenders where the capabilities have them."""
    found = []
    if receipt.currency != currency:
        found.append(f"the currency is {receipt.currency}, not {currency}")
    if receipt.total != sale.total:
        found.append(f"the total is {receipt.total}, not {sale.total}")
    # In any order: a till may write returned articles after the others.
    actual = sorted(receipt.lines, key=lambda line: line.sku)
    expected = sorted(sale.lines, key=lambda line: line.sku)
    if sale.others:
        skus = {line.sku for line in expected}
        others = sorted(line.paid for line in actual if line.sku not in skus)
        if others != sorted(sale.others):
            shown = [" and ".join(map(str, side)) or "nothing" for side in (others, sale.others)]
            found.append(f"beside the articles the lines are {shown[0]}, not {shown[1]}")
        actual = [line for line in actual if line.sku in skus]
    actual_skus, expected_skus = [line.sku for line in actual], [line.sku for line in expected]
    if actual_skus != expected_skus:
        found.append(f"the lines are {', '.join(actual_skus[:9]) or 'none'}, not {', '.join(expected_skus[:9])}")
    else:
        for line, prescribed in zip(actual, expected, strict=True):
            found += _line(line, prescribed, "discounts" in capabilities)
    if "tenders" in capabilities:
        expected_tenders = sorted((tender_types.get(kind, kind), amount) for kind, amount in sale.tenders)
        tenders = sorted((tender.type, tender.amount) for tender in receipt.tenders)
        if tenders != expected_tenders:
            found.append(f"the tenders are {_tenders(tenders)}, not {_tenders(expected_tenders)}")
    return found


def _tenders(pairs: list[tuple[str, Decimal]]) -> str:
    return ", ".join(f"{kind} {amount}" for kind, amount in pairs) or "none"


def _line(line: Line, expected: SaleLine, discounts: bool) -> list[str]:
    kind = LineKind.RETURN if expected.quantity < 0 else LineKind.PURCHASE
    pairs = [
        ("kind", line.kind, kind),
        ("quantity", line.quantity, expected.quantity),
        ("paid", line.paid, expected.paid),
    ]
    if discounts:
        pairs.append(("discount", sum((discount.value for discount in line.discounts), ZERO), expected.discount))
    return [f"line {line.sku}: {name} is {actual}, not {wanted}" for name, actual, wanted in pairs if actual != wanted]


def spread_evenly(receipt: Receipt, price: Decimal, off: Decimal, discounts: bool) -> list[str]:
    """Differences from a discount spread evenly: each line within a cent of its share, their sum exact."""
    found = []
    lines, share = receipt.lines, off / max(1, len(receipt.lines))
    total = sum((line.paid - price for line in lines), ZERO)
    if total != off:
        found.append(f"the lines have {total} off, not {off}")
    for line in lines:
        if abs(line.paid - price - share) >= Decimal("0.01"):
            found.append(f"line {line.sku}: {line.paid - price} is off, which is more than a cent from its share")
        discount = sum((discount.value for discount in line.discounts), ZERO)
        if discounts and discount != line.paid - price:
            found.append(f"line {line.sku}: its discounts are {discount}, and {line.paid - price} is off")
    return found


def taxes(receipt: Receipt, percent: Decimal) -> list[str]:
    """Differences in the tax of a sale with one line: in the line, and in the taxes of the receipt."""
    line = receipt.lines[0]
    tax = percent * receipt.total / (100 + percent)
    found = []
    if (line.tax_amount, line.tax_percent) != (tax, percent):
        found.append(f"the tax in the line is {line.tax_amount} ({line.tax_percent} %), not {tax} ({percent} %)")
    return found + _tax_sums(receipt, [(percent, tax, receipt.total - tax)])


def two_taxes(receipt: Receipt) -> list[str]:
    """Differences in the taxes of `two_taxes`: 25.00 of 25 % in A-1 and 12.00 of 12 % in B-1."""
    wanted = {"A-1": (Decimal(25), Decimal(25)), "B-1": (Decimal(12), Decimal(12))}
    found = [
        f"the tax in line {line.sku} is {line.tax_amount} ({line.tax_percent} %), not {tax} ({percent} %)"
        for line in receipt.lines
        for tax, percent in [wanted[line.sku]]
        if (line.tax_amount, line.tax_percent) != (tax, percent)
    ]
    return found + _tax_sums(receipt, [(percent, tax, Decimal(100)) for tax, percent in wanted.values()])


def _tax_sums(receipt: Receipt, expected: list[tuple[Decimal, Decimal, Decimal]]) -> list[str]:
    sums = [(entry.percent, entry.amount, entry.excluding_tax) for entry in receipt.taxes if entry.amount]
    if sorted(sums) == sorted(expected):
        return []
    actual, wanted = (
        ", ".join(f"{amount} of {rate} % on {base}" for rate, amount, base in side) or "none"
        for side in (sums, expected)
    )
    return [f"the taxes of the receipt are {actual}, not {wanted}"]


def customer(receipt: Receipt, sale: Sale, number: Identifier) -> list[str]:
    """Differences in the identifiers of the customer; values are not shown."""
    expected = {number} if sale.customer else set()
    expected |= {Identifier("email", EMAIL)} if sale.email else set()
    actual = set(receipt.customer.identifiers) if receipt.customer else set()
    if actual == expected:
        return []
    shown = [", ".join(sorted(map(str, side))) or "nobody" for side in (actual, expected)]
    return [f"the customer is known by {shown[0]}, not by {shown[1]} (kinds with digests)"]


def phone(receipt: Receipt) -> list[str]:
    """Differences in the phone number of the customer, which may be written nationally; values are not shown."""
    known = receipt.customer.identifiers if receipt.customer else ()
    digits = [(each.kind, "".join(filter(str.isdecimal, each.value)).removeprefix("46").lstrip("0")) for each in known]
    if digits == [("mobilePhone", PHONE.removeprefix("+46"))]:
        return []
    shown = ", ".join(sorted(each.kind for each in known)) or "nobody"
    return [f"the customer is known by {shown}, and not by the number as `mobilePhone` alone"]
