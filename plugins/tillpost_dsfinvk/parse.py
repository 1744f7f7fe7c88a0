"""From the zip of an export to receipts."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from tillpost import DocumentError, InvalidValue
from tillpost.kit import CONTROL_CHARACTERS, ZERO, MakeId, clean, read_record, voided_id
from tillpost.model import Broken, Document, NoReceipt, Parsed, RawRef, Receipt
from tillpost_dsfinvk.codes import TYPES, UNPAID, is_true, plain_type
from tillpost_dsfinvk.export import Export, as_text, opened
from tillpost_dsfinvk.join import Bon, bons, set_decimals
from tillpost_dsfinvk.payments import read_payments, sum_of
from tillpost_dsfinvk.receipt import Head, read_receipt
from tillpost_dsfinvk.settings import Settings
from tillpost_dsfinvk.tables import Entry, Row

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
        """The records. Raises DocumentError when there is none."""
        read = 0
        for bon in bons(self._export, self._settings.largest):
            read += 1
            yield self._loose(bon) if isinstance(bon, Entry) else self._bon(bon)
        if not read:
            yield from self._without_receipts()

    def _without_receipts(self) -> Iterator[Parsed]:
        """The closings of an export without receipts; one that says what was paid lacks them."""
        closings = (
            list(self._export.tables["cashpointclosing"].read()) if "cashpointclosing" in self._export.tables else []
        )
        if not closings:
            raise DocumentError(
                "has no rows, and so no receipts; export a period with sales", self._export.transactions.file
            )
        for entry in closings:
            row = None if entry.fault else Row.of(entry)
            paid = row.text("Z_SE_ZAHLUNGEN") if row else ""
            number = f"closing {entry.closing[1][:40]} of till {entry.closing[0][:40]}"
            if row is None or (paid and row.number("Z_SE_ZAHLUNGEN")):
                reason = entry.fault or f"{number} has payments of {paid}, and transactions.csv none of its receipts"
                yield Broken(reason=reason, place=entry.place, raw=self._raw({"cashpointclosing": [entry.text]}))
            else:
                yield NoReceipt(reason=f"{number} has no receipts", place=entry.place, retail=False)

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
