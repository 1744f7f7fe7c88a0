"""From a POSLog document to receipts, one transaction at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import attrs
from lxml.etree import _Element

from tillpost import DocumentError
from tillpost.kit import MakeId, read_record, voided_id
from tillpost.kit.xml import Encoding, XmlFormat, XmlRecord, as_document, detect_encoding, record_flags, xml_records
from tillpost.model import Broken, Document, NoReceipt, Parsed, RawRef, Receipt
from tillpost_poslog.customer import Programmes
from tillpost_poslog.names import Names, only
from tillpost_poslog.receipt import read_receipt
from tillpost_poslog.settings import Settings
from tillpost_poslog.status import (
    VOIDED,
    TransactionKey,
    control_reason,
    retail_transaction,
    skip_reason,
    transaction_id,
    transaction_key,
    unread_money,
    voided_by,
)


def _format(names: Names) -> XmlFormat:
    holders = only(names["transactions"])
    return XmlFormat(roots=holders, records={"Transaction": holders})


@attrs.frozen
class PostVoids:
    """The post-voids of a document: voided transaction → the one that voids it, and which of the voided are in it.

    Only voided transactions are kept: a day of a large retailer has millions of others.
    """

    voiding: dict[TransactionKey, TransactionKey] = attrs.field(factory=dict)
    present: set[TransactionKey] = attrs.field(factory=set)

    def note(self, own: TransactionKey) -> None:
        """Note a transaction of the document if it is voided."""
        if own in self.voiding:
            self.present.add(own)


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every Transaction as Found, NoReceipt or Broken, one at a time, with its line and its number in the document.

    Reads twice: a post-void comes after the sale it voids, which must not be sent, and the name of a loyalty programme
    shows by the customers who share it. Raises DocumentError for a
    DOCTYPE, an unknown encoding, no POSLog, and where the document ends being well-formed.
    """
    encoding = detect_encoding(document)
    first = _read_first(document, encoding, settings)
    for record in xml_records(document, encoding, _format(settings.all_names)):
        yield _parse_record(record, document, encoding, first, settings, make_id)


@attrs.frozen
class FirstReading:
    """What only the whole document says of one of its transactions."""

    post_voids: PostVoids = attrs.field(factory=PostVoids)
    programmes: Programmes = attrs.field(factory=Programmes)


def _read_first(document: Document, encoding: Encoding, settings: Settings) -> FirstReading:
    names, found = settings.all_names, FirstReading()
    post_voids = found.post_voids
    try:
        for record in xml_records(document, encoding, _format(settings.all_names)):
            found.programmes.note(record.element, settings)
            if post_voids.voiding:
                post_voids.note(transaction_key(record.element, names))
            target = voided_by(record.element, names)
            if target is not None and _is_in_force(record.element, names):
                post_voids.voiding[target] = transaction_key(record.element, names)
    except DocumentError:
        pass  # the second reading raises it at the same place
    return found


def _is_in_force(transaction: _Element, names: Names) -> bool:
    """Whether a post-void voids anything: one that is training, suspended, cancelled or a copy does not."""
    retail = retail_transaction(transaction, names)
    reason = skip_reason(transaction, retail, names) if retail is not None else ""
    return reason not in ("training", "suspended", "cancelled", "copy")


def _parse_record(
    record: XmlRecord,
    document: Document,
    encoding: Encoding,
    first: FirstReading,
    settings: Settings,
    make_id: MakeId,
) -> Parsed:
    names = settings.all_names
    transaction, own = record.element, transaction_key(record.element, names)
    first.post_voids.note(own)
    retail = retail_transaction(transaction, names)
    target = voided_by(transaction, names)
    no_receipt = partial(
        NoReceipt, place=record.place, number=own.number, store=own.store, till=own.till, date=own.date
    )
    if retail is None and target is None:
        held = unread_money(transaction, names)
        return _unread(record, held, own) if held else no_receipt(reason=control_reason(transaction), retail=False)
    reason = _void_reason(target, own, first.post_voids)
    in_force = target is not None and _is_in_force(transaction, names)
    voided = target if in_force else own if reason else None
    if retail is not None and not in_force:
        skipped = skip_reason(transaction, retail, names)
        voided = own if skipped in VOIDED else None if skipped else voided
        reason = skipped or reason
    if reason or retail is None:
        voids = voided_id(lambda: transaction_id(voided, make_id)) if voided is not None else ""
        return no_receipt(reason=reason, retail=True, voids=voids, final=bool(voids) and reason not in VOIDED)
    raw = as_document(transaction)

    def read(source: RawRef) -> Receipt | NoReceipt:
        receipt = read_receipt(transaction, retail, own, source, settings, make_id, first.programmes)
        return receipt or no_receipt(reason="all lines voided", retail=True)

    return read_record(
        read, document, record.place, raw, number=own.number, store=own.store, flags=record_flags(encoding, raw),
        rounding_as_line=False,
    )  # fmt: skip


def _unread(record: XmlRecord, held: str, own: TransactionKey) -> Broken:
    reason = (
        f"{record.place}: {held} is no sale that this adapter knows, and holds what only sales have; "
        "where it is one, set names.sale of the adapter, where it is none, names.ignored"
    )
    return Broken(
        reason=reason, place=record.place, raw=as_document(record.element), number=own.number, store=own.store
    )


def _void_reason(target: TransactionKey | None, own: TransactionKey, post_voids: PostVoids) -> str:
    if target is not None:
        hint = "; that one is not in this document"
        return f"post-void of {target}{'' if target in post_voids.present else hint}"
    voiding = post_voids.voiding.get(own)
    return f"voided afterwards by {voiding}" if voiding is not None else ""
