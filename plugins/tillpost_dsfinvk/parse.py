"""From the zip of an export to receipts."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from tillpost import DocumentError, InvalidValue
from tillpost.kit import CONTROL_CHARACTERS, ZERO, MakeId, clean, read_record, voided_id
from tillpost.model import Broken, Document, NoReceipt, Parsed, RawRef, Receipt
from tillpost_dsfinvk.closings import Closings
from tillpost_dsfinvk.codes import TYPES, UNPAID, is_true, plain_type
from tillpost_dsfinvk.export import Export, as_text, opened
from tillpost_dsfinvk.join import Bon, bons, set_decimals
from tillpost_dsfinvk.payments import read_payments, sum_of
from tillpost_dsfinvk.receipt import Head, read_receipt
from tillpost_dsfinvk.settings import Settings
from tillpost_dsfinvk.tables import Closing, Entry, Row

DECIMAL_MARK = "decimal-mark"


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every receipt as Found, NoReceipt or Broken, in the order of transactions.csv.

    Raises DocumentError for what is no export, for a zip beyond `unpacked`, and where nothing in it is a receipt.
    """
    with opened(document, settings) as exports:
        for export in exports:
            flags = (DECIMAL_MARK,) if set_decimals(export) else ()
            yield from _Export(export, document, settings, make_id, flags).parse()


def recognise(document: Document, settings: Settings) -> str:
    """The version of the standard, the software of the till, and the mark in numbers."""
    with opened(document, settings) as exports:
        export = exports[0]
        set_decimals(export)
        version, till = (
            _first(export, table, *columns)
            for table, columns in (
                ("cashpointclosing", ("TAXONOMIE_VERSION",)),
                ("cashregister", ("KASSE_SW_BRAND", "KASSE_SW_VERSION")),
            )
        )
        mark = "comma" if export.transactions.decimal == "," else "point"
        return f"DSFinV-K {version}".strip() + (f" of {till}" if till else "") + f", decimal {mark}"


def _first(export: Export, table: str, *columns: str) -> str:
    """Cells of the first row of a table."""
    if table not in export.tables:
        return ""
    entry = next(export.tables[table].read(), None)
    return "" if entry is None or entry.fault else " ".join(filter(None, map(Row.of(entry).text, columns)))


class _Export:
    """One export of a document."""

    def __init__(
        self, export: Export, document: Document, settings: Settings, make_id: MakeId, flags: tuple[str, ...]
    ) -> None:
        self._export = export
        self._document = document
        self._settings = settings
        self._make_id = make_id
        self._flags = flags

    def parse(self) -> Iterator[Parsed]:
        """The records, and last the closings whose sums differ. Raises DocumentError when there is none."""
        read = 0
        closings = Closings(self._export)
        # The text kept of one receipt has its closing, and not the other receipts of it.
        compared = self._settings.closings == "compare" and not self._export.decided
        for bon in bons(self._export, self._settings.largest):
            read += 1
            if isinstance(bon, Entry):
                yield self._loose(bon)
                continue
            if compared:
                closings.add(bon)
            yield self._bon(bon)
        if compared and read:
            yield from self._differing(closings)
        if not read:
            yield from self._without_receipts(closings)

    def _differing(self, closings: Closings) -> Iterator[Broken]:
        """The closings whose sums are not those of their receipts, each held with the difference."""
        for closing, entries, error in closings.differing():
            reason = (
                f"{_closing(closing)} is not the sum of its receipts: {error}. Its receipts are read all the same; make"
                ' the export again if some are missing, or set `closings = "ignore"` for a till that sums otherwise'
            )
            yield Broken(reason=reason, place=entries[0].place, raw=self._raw(_by_table(entries)))

    def _without_receipts(self, closings: Closings) -> Iterator[Parsed]:
        """The closings of an export without receipts; one that says what was paid lacks them."""
        table = self._export.tables.get("cashpointclosing")
        rows = list(table.read()) if table is not None else []
        if not rows and not self._export.sums:
            raise DocumentError(
                "has no rows, and so no receipts; export a period with sales", self._export.transactions.file
            )
        compared = self._settings.closings == "compare"
        differing = {closing: entries for closing, entries, _ in closings.differing()} if compared else {}
        for closing, entries in differing.items():
            if closing not in {entry.closing for entry in rows}:
                yield self._lacking(closing, entries)
        for entry in rows:
            if entry.fault and compared:
                yield Broken(reason=entry.fault, place=entry.place, raw=self._raw({"cashpointclosing": [entry.text]}))
            elif entry.closing in differing:
                yield self._lacking(entry.closing, differing[entry.closing])
            else:
                why = "has no receipts" if compared else "is not compared with its receipts, by `closings`"
                yield NoReceipt(reason=f"{_closing(entry.closing)} {why}", place=entry.place, retail=False)

    def _lacking(self, closing: Closing, entries: list[Entry]) -> Broken:
        paid = next((text for entry in entries for text in [Row.of(entry).text("Z_SE_ZAHLUNGEN")] if text), "")
        sums = f"payments of {paid}" if paid else f"sums ({entries[0].table.file})"
        reason = f"{_closing(closing)} has {sums}, and transactions.csv none of its receipts"
        return Broken(reason=reason, place=entries[0].place, raw=self._raw(_by_table(entries)))

    def _raw(self, entries: dict[str, list[str]]) -> bytes:
        return as_text(self._export, entries)

    def _loose(self, entry: Entry) -> Broken:
        reason = entry.fault or "has no BON_ID"
        raw = self._raw({entry.table.name: [entry.text]})
        return Broken(reason=f"{entry.place}: {reason}", place=entry.place, raw=raw)

    def _bon(self, bon: Bon) -> Parsed:
        raw = self._raw(bon.texts())
        if fault := _fault(bon):
            return Broken(reason=fault, place=bon.place, raw=raw, number=bon.id)
        removed = any(clean(entry.text)[1] for entry in bon.entries())
        if removed:
            bon = _cleaned(bon)
        flags = (*self._flags, CONTROL_CHARACTERS) if removed else self._flags

        def read(source: RawRef) -> Receipt | NoReceipt:
            return self._read(bon, source)

        return read_record(read, self._document, bon.place, raw, number=bon.id, flags=flags)

    def _read(self, bon: Bon, source: RawRef) -> Receipt | NoReceipt:
        head = Head(bon, self._settings)
        written = head.row.text("BON_TYP")
        outcome, reason = TYPES.get(head.type, ("", ""))
        outcome = self._settings.types.get(written, outcome)
        payments = read_payments(bon.rows("datapayment"), head.currency, self._settings.tenders)
        total, back = head.row.number("UMS_BRUTTO") or ZERO, sum_of(payments) < 0
        paid = any(payment.tender.amount for payment in payments if payment.tender.type != "none")
        if not outcome:
            raise InvalidValue(
                f"{written[:40]!a} is no BON_TYP of the standard; say in `types` what it is",
                place=head.row.place("BON_TYP"),
            )
        if outcome == "sale" and not (head.is_storno and total >= 0 and not back):
            if (total < 0 or back) and _takes_back_voided(bon):
                return head.no_receipt("takes back a receipt that is voided itself", retail=True)
            return read_receipt(head, source, self._make_id)
        if head.type in UNPAID and paid and written not in self._settings.types:
            raise InvalidValue(
                f"{written} is paid by nobody, and datapayment.csv has payments of it; say in `types` what it is",
                place=head.row.entry.place,
            )
        if outcome == "sale" or head.type == "belegstorno":
            return head.no_receipt("voided", retail=True, voids=voided_id(lambda: head.make_id(self._make_id)))
        holds = bool(total or paid or bon.details.get("lines"))
        return head.no_receipt(reason or f"{written}, by `types`", retail=outcome == "skip" or holds)


def _closing(closing: Closing) -> str:
    return f"closing {closing[1][:40]} of till {closing[0][:40]}"


def _by_table(entries: list[Entry]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in entries:
        found.setdefault(entry.table.name, []).append(entry.text)
    return found


def _takes_back_voided(bon: Bon) -> bool:
    """Whether it refers to a receipt of its closing that has the mark of a void: the two are one void."""
    for row in bon.rows("references"):
        other = bon.others.get((bon.closing, row.text("REF_BON_ID")))
        if other is not None and other.heads and not other.heads[0].fault:
            head = Row.of(other.heads[0])
            total = head.number("UMS_BRUTTO") or ZERO
            if plain_type(head.text("BON_TYP")) == "belegstorno" or (is_true(head.text("BON_STORNO")) and total >= 0):
                return True
    return False


def _fault(bon: Bon) -> str:
    """Why the rows of a receipt cannot be read together; "" when they can."""
    if not bon.heads:
        till, closing = (part[:40] for part in bon.closing)
        missing = f"BON_ID {bon.id[:40]!a} in closing {closing} of till {till}"
        return f"{bon.place}: transactions.csv has no {missing}"
    if len(bon.heads) > 1:
        return f"{bon.heads[1].place}: BON_ID {bon.id[:40]!a} stands {len(bon.heads)} times in its closing"
    return next((f"{entry.place}: {entry.fault}" for entry in bon.entries() if entry.fault), "")


def _cleaned(bon: Bon) -> Bon:
    """The receipt without characters that no file can carry."""

    def of(entries: list[Entry]) -> list[Entry]:
        return [attrs.evolve(entry, text=clean(entry.text)[0]) for entry in entries]

    return attrs.evolve(bon, heads=of(bon.heads), details={name: of(rows) for name, rows in bon.details.items()})
