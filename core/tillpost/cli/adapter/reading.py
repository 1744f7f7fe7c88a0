"""What an adapter finds in a document: rows, reasons and sums."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import zip_longest
from typing import Any

import attrs

from tillpost.errors import DocumentError, TillpostError
from tillpost.model import Broken, Found, IdentifierRules, NoReceipt, Parsed, Receipt
from tillpost.model.receipt_difference import difference
from tillpost.model.receipt_json import content_digest, dumps

Key = tuple[str, ...]


@attrs.define
class Reading:
    """The findings so far. rules: how the pipeline reads identifiers."""

    rules: IdentifierRules = attrs.field(factory=IdentifierRules)
    receipts: list[dict[str, Any]] = attrs.field(factory=list)
    skipped: Counter[str] = attrs.field(factory=Counter)
    ignored: Counter[str] = attrs.field(factory=Counter)
    broken: list[dict[str, str]] = attrs.field(factory=list)
    refused: str = ""
    """Why the document could not be read to the end."""
    _totals: dict[Key, list[Decimal]] = attrs.field(factory=lambda: defaultdict(lambda: [Decimal(0)] * 3))
    _tenders: dict[Key, Decimal] = attrs.field(factory=lambda: defaultdict(Decimal))
    _digests: dict[str, str] = attrs.field(factory=dict)

    def take(self, records: Iterable[Parsed], use: Callable[[Receipt], None]) -> None:
        """Read to the end. `use` may raise InvalidValue for a receipt that cannot be mapped."""
        try:
            for record in records:
                self._one(record, use)
        except DocumentError as error:
            self.refused = str(error)

    def _one(self, record: Parsed, use: Callable[[Receipt], None]) -> None:
        if isinstance(record, NoReceipt):
            (self.skipped if record.retail else self.ignored)[record.reason] += 1
        elif isinstance(record, Broken):
            self._hold(record.place, record.number, record.reason)
        else:
            receipt = record.receipt
            digest = content_digest(receipt)
            known = self._digests.setdefault(receipt.id, digest)
            if known != digest:
                self._hold(receipt.raw.place, receipt.number, f"the id {receipt.id} is taken by other content")
                return
            try:
                use(receipt)
            except TillpostError as error:
                self._hold(receipt.raw.place, receipt.number, f"cannot be mapped: {error}")
            self.receipts.append(_row(receipt, self.rules))
            self._sum(receipt)

    def _hold(self, place: str, number: str, reason: str) -> None:
        self.broken.append({"place": place, "number": number, "reason": reason})

    def _sum(self, receipt: Receipt) -> None:
        of = (receipt.store, receipt.business_date.isoformat(), receipt.currency)
        tax = sum((line.tax_amount for line in receipt.lines), Decimal(0))
        self._totals[of] = [a + b for a, b in zip(self._totals[of], (Decimal(1), receipt.total, tax), strict=True)]
        for tender in receipt.tenders:
            self._tenders[(*of, tender.type)] += tender.amount

    def totals(self) -> list[dict[str, Any]]:
        """Receipts, total and tax, for each store and business date."""
        return [
            {"store": store, "day": day, "currency": currency, "receipts": int(count), "total": total, "tax": tax}
            for (store, day, currency), (count, total, tax) in sorted(self._totals.items())
        ]

    def tenders(self) -> list[dict[str, Any]]:
        """The amount of each tender, for each store and business date."""
        return [
            {"store": store, "day": day, "currency": currency, "tender": kind, "amount": amount}
            for (store, day, currency, kind), amount in sorted(self._tenders.items())
        ]


def _row(receipt: Receipt, rules: IdentifierRules) -> dict[str, Any]:
    """One receipt without personal data."""
    known = receipt.customer.identifiers if receipt.customer else ()
    return {
        "id": receipt.id,
        "number": receipt.number,
        "store": receipt.store,
        "till": receipt.till,
        "till_time": receipt.created.isoformat(),
        "total": receipt.total,
        "currency": receipt.currency,
        "lines": len(receipt.lines),
        "tenders": " ".join(f"{tender.type}:{tender.amount}" for tender in receipt.tenders),
        "customer": " ".join(identifier.kind for identifier in known),
        "flags": " ".join(dict.fromkeys((*receipt.flags, *rules.flags(receipt.customer, receipt.store)))),
        "place": receipt.raw.place,
    }


def differences(one: Iterator[Parsed], other: Iterator[Parsed]) -> Iterator[dict[str, Any]]:
    """The differences of two readings of one document, record by record."""
    for number, (a, b) in enumerate(zip_longest(_until_error(one), _until_error(other)), start=1):
        if isinstance(a, Found) and isinstance(b, Found):
            changes = difference(dumps(a.receipt), dumps(b.receipt))
        else:
            changes = [] if _word(a) == _word(b) else [f"{_word(a)} → {_word(b)}"]
        if changes:
            named = next((each for each in (a, b) if isinstance(each, Found)), None)
            label = named.receipt.number if named else getattr(a or b, "number", "")
            yield {"record": number, "number": label, "changes": changes}


def _until_error(records: Iterator[Parsed]) -> Iterator[Parsed | DocumentError]:
    try:
        yield from records
    except DocumentError as error:
        yield error


def _word(record: Parsed | DocumentError | None) -> str:
    if isinstance(record, Found):
        return "receipt"
    if isinstance(record, NoReceipt):
        return f"{'skipped' if record.retail else 'ignored'}: {record.reason}"
    if isinstance(record, Broken):
        return f"broken: {record.reason}"
    return "nothing" if record is None else f"refused: {record}"
