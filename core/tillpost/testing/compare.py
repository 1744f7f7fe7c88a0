"""What of a receipt is not as the prescribed sale: each difference in one sentence, with both figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from tillpost.model import Identifier, Line, LineKind, Receipt
from tillpost.testing.canonical import EMAIL, Sale, SaleLine

ZERO = Decimal(0)


def money(
    receipt: Receipt, sale: Sale, capabilities: Collection[str], tender_types: Mapping[str, str], currency: str
) -> list[str]:
    """Total, lines and, where the adapter says it tells them, discounts and tenders."""
    found = []
    if receipt.currency != currency:
        found.append(f"the currency is {receipt.currency}, not {currency}")
    if receipt.total != sale.total:
        found.append(f"the total is {receipt.total}, not {sale.total}")
    # In any order: a till may write what was handed back behind what was taken.
    given = sorted(receipt.lines, key=lambda line: line.sku)
    wanted = sorted(sale.lines, key=lambda line: line.sku)
    theirs, ours = [line.sku for line in given], [line.sku for line in wanted]
    if theirs != ours:
        found.append(f"the lines are {', '.join(theirs[:9]) or 'none'}, not {', '.join(ours[:9])}")
    else:
        for line, other in zip(given, wanted, strict=True):
            found += _line(line, other, "discounts" in capabilities)
    if "tenders" in capabilities:
        wanted_tenders = sorted((tender_types.get(kind, kind), amount) for kind, amount in sale.tenders)
        tenders = sorted((tender.type, tender.amount) for tender in receipt.tenders)
        if tenders != wanted_tenders:
            found.append(f"the tenders are {_tenders(tenders)}, not {_tenders(wanted_tenders)}")
    return found


def _tenders(pairs: list[tuple[str, Decimal]]) -> str:
    return ", ".join(f"{kind} {amount}" for kind, amount in pairs) or "none"


def _line(line: Line, wanted: SaleLine, discounts: bool) -> list[str]:
    kind = LineKind.RETURN if wanted.quantity < 0 else LineKind.PURCHASE
    pairs = [
        ("kind", line.kind, kind),
        ("quantity", line.quantity, wanted.quantity),
        ("paid", line.paid, wanted.paid),
    ]
    if discounts:
        pairs.append(("discount", sum((each.value for each in line.discounts), ZERO), wanted.discount))
    return [f"line {line.sku}: {name} is {given}, not {want}" for name, given, want in pairs if given != want]


def spread_evenly(receipt: Receipt, price: Decimal, off: Decimal, discounts: bool) -> list[str]:
    """A discount on the receipt lies on its lines, each within a cent of its share, and adds up to the cent."""
    found = []
    lines, share = receipt.lines, off / max(1, len(receipt.lines))
    total = sum((line.paid - price for line in lines), ZERO)
    if total != off:
        found.append(f"the lines have {total} off, not {off}")
    for line in lines:
        if abs(line.paid - price - share) >= Decimal("0.01"):
            found.append(f"line {line.sku}: {line.paid - price} is off, which is more than a cent from its share")
        told = sum((each.value for each in line.discounts), ZERO)
        if discounts and told != line.paid - price:
            found.append(f"line {line.sku}: its discounts tell {told}, and {line.paid - price} is off")
    return found


def taxes(receipt: Receipt, percent: Decimal) -> list[str]:
    """The tax of a sale with one line: in the line, and summed."""
    line = receipt.lines[0]
    tax = percent * receipt.total / (100 + percent)
    found = []
    if (line.tax_amount, line.tax_percent) != (tax, percent):
        found.append(f"the tax in the line is {line.tax_amount} ({line.tax_percent} %), not {tax} ({percent} %)")
    summed = [(each.percent, each.amount, each.excluding_tax) for each in receipt.taxes if each.amount]
    if summed != [(percent, tax, receipt.total - tax)]:
        told = ", ".join(f"{amount} of {rate} % on {base}" for rate, amount, base in summed) or "none"
        found.append(f"the taxes of the receipt are {told}, not {tax} of {percent} % on {receipt.total - tax}")
    return found


def customer(receipt: Receipt, sale: Sale, number: Identifier) -> list[str]:
    """By which identifiers the buyer is known; none for nobody. Values are not shown."""
    wanted = {number} if sale.customer else set()
    wanted |= {Identifier("email", EMAIL)} if sale.email else set()
    given = set(receipt.customer.identifiers) if receipt.customer else set()
    if given == wanted:
        return []
    told = [", ".join(sorted(map(str, side))) or "nobody" for side in (given, wanted)]
    return [f"the customer is known by {told[0]}, not by {told[1]} (kinds with digests)"]
