"""What an adapter finds in documents: rows, reasons and sums."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from decimal import Decimal
from itertools import islice, zip_longest
from typing import Any

import attrs

from tillpost.cli.adapter.judgement import Judgement, identifiers_shown
from tillpost.cli.debug import debugging
from tillpost.errors import DocumentError, PluginError, TillpostError, describe, plugin_trace
from tillpost.flow.intake.receipt_flags import flags_at_acceptance
from tillpost.model import Broken, Found, NoReceipt, Parsed, Receipt
from tillpost.model.receipt_difference import difference
from tillpost.model.receipt_json import content_digest, dumps
from tillpost.terminal import counted

Key = tuple[str, ...]
_AGAIN = 200
"""Records of a document that are read a second time."""


@attrs.define
class DocumentRead:
    """What came of one document. again: records of a receipt that was read before, in it or in another."""

    document: str
    recognised: str = ""
    receipts: int = 0
    again: int = 0
    skipped: int = 0
    ignored: int = 0
    broken: int = 0
    refused: str = ""
    """Why it could not be read to the end."""
    trace: list[str] = attrs.field(factory=list)
    """The plugin's own lines, where it raised what its contract does not allow."""
    fault: str = ""
    """What else is wrong with the plugin, which kept nothing from being read."""

    def read_nothing(self) -> bool:
        """Whether it had no record at all."""
        return not (self.receipts or self.again or self.skipped or self.ignored or self.broken or self.refused)


@attrs.define
class Reading:
    """The findings so far, of all documents."""

    judgement: Judgement
    documents: list[DocumentRead] = attrs.field(factory=list)
    receipts: list[dict[str, Any]] = attrs.field(factory=list)
    skipped: Counter[str] = attrs.field(factory=Counter)
    ignored: Counter[str] = attrs.field(factory=Counter)
    broken: list[dict[str, str]] = attrs.field(factory=list)
    _totals: dict[Key, list[Decimal]] = attrs.field(factory=lambda: defaultdict(lambda: [Decimal(0)] * 3))
    _tenders: dict[Key, Decimal] = attrs.field(factory=lambda: defaultdict(Decimal))
    _digests: dict[str, str] = attrs.field(factory=dict)

    def take(self, read: DocumentRead, records: Iterable[Parsed], use: Callable[[Receipt], None]) -> None:
        """Read one document to its end. `use` may raise InvalidValue for a receipt that cannot be mapped."""
        self.documents.append(read)
        try:
            for record in records:
                self._one(record, read, use)
        except PluginError as error:
            read.refused, read.trace = str(error), trace_of(error)
        except (TillpostError, OSError) as error:
            read.refused = describe(error)

    def take_again(self, records: Iterable[Parsed]) -> None:
        """Read the beginning of the document that was taken last once more: its receipts must be the same."""
        read, others, changed, count = self.documents[-1], 0, 0, 0
        if read.fault:
            return
        with suppress(TillpostError, OSError):  # the first reading told it
            for record in islice(records, _AGAIN):
                if isinstance(record, Found):
                    known = self._digests.get(record.receipt.id)
                    others += known is None
                    changed += known not in (None, content_digest(record.receipt)) and not read.broken
                    count += 1
        if others:
            said = f"{others} of {counted(count, 'receipt')} had another id when the document was read again"
            read.fault = f"{said}: each would be sent twice; make ids with make_id, of what the record says"
        elif changed:
            said = f"{changed} of {counted(count, 'receipt')} had other content when the document was read again"
            read.fault = f"{said}: each would be held as changed; take every value from the record"

    def look_at(self) -> list[str]:
        """What a person should look at, beside what is broken."""
        nothing = [f"{read.document}: no record was read" for read in self.documents if read.read_nothing()]
        faults = [f"{read.document}: {read.fault}" for read in self.documents if read.fault]
        return nothing + faults + self.judgement.findings()

    def is_clean(self) -> bool:
        """Whether nothing is broken, everything was read, and no person should look."""
        return not (self.broken or any(read.refused for read in self.documents) or self.look_at())

    def _one(self, record: Parsed, read: DocumentRead, use: Callable[[Receipt], None]) -> None:
        if isinstance(record, NoReceipt):
            (self.skipped if record.retail else self.ignored)[record.reason] += 1
            if record.retail:
                read.skipped += 1
            else:
                read.ignored += 1
        elif isinstance(record, Broken):
            self._hold(read, record.place, record.number, record.reason)
        else:
            receipt = record.receipt
            digest = content_digest(receipt)
            known = self._digests.setdefault(receipt.id, "")
            if known == digest:
                read.again += 1
                return
            if known:
                self._hold(read, receipt.raw.place, receipt.number, f"the id {receipt.id} is taken by other content")
                return
            self._digests[receipt.id] = digest
            try:
                use(receipt)
            except TillpostError as error:
                read.trace = read.trace or trace_of(error)
                self._hold(read, receipt.raw.place, receipt.number, f"cannot be mapped: {error}")
            flags = [*receipt.flags, *flags_at_acceptance(receipt, time.time(), self.judgement.rules)]
            self.judgement.see(receipt, flags)
            self.receipts.append({"document": read.document} | _row(receipt, flags))
            read.receipts += 1
            self._sum(receipt)

    def _hold(self, read: DocumentRead, place: str, number: str, reason: str) -> None:
        read.broken += 1
        self.broken.append({"document": read.document, "place": place, "number": number, "reason": reason})

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

    def total(self) -> list[dict[str, Any]]:
        """Receipts, total and tax of all, for each currency."""
        sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
        for (_, _, currency), sum_ in self._totals.items():
            sums[currency] = [a + b for a, b in zip(sums[currency], sum_, strict=True)]
        return [
            {"currency": currency, "receipts": int(count), "total": total, "tax": tax}
            for currency, (count, total, tax) in sorted(sums.items())
        ]

    def tenders(self) -> list[dict[str, Any]]:
        """The amount of each tender, for each store and business date."""
        return [
            {"store": store, "day": day, "currency": currency, "tender": kind, "amount": amount}
            for (store, day, currency, kind), amount in sorted(self._tenders.items())
        ]


def trace_of(error: TillpostError) -> list[str]:
    """The lines of the plugin that led to an error; with `--debug` all lines, with the texts of the errors."""
    return list(plugin_trace(error, whole=True) if debugging() else plugin_trace(error.__cause__))


def _row(receipt: Receipt, flags: Iterable[str]) -> dict[str, Any]:
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
        "customer": identifiers_shown(known),
        "flags": " ".join(flags),
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
