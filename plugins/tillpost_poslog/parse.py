"""From a POSLog document to receipts, one transaction at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import attrs
from lxml.etree import _Element

from tillpost import DocumentError
from tillpost.kit import MakeId, read_record, voided_id
from tillpost.kit.xml import Encoding, XmlFormat, XmlRecord, as_document, detect_encoding, record_flags, xml_records
from tillpost.model import Document, NoReceipt, Parsed
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
    voided_by,
)

_FORMAT = XmlFormat(root="POSLog", record="Transaction", within="POSLog")


@attrs.frozen
class PostVoids:
    """The post-voids of a document: voided transaction → the one that voids it, and which of the voided are in it.

    Only voided transactions are kept: a day of a large retailer has millions of others.
    """

    voiding: dict[TransactionKey, TransactionKey]
    present: set[TransactionKey]

    def note(self, own: TransactionKey) -> None:
        """Note a transaction of the document if it is voided."""
        if own in self.voiding:
            self.present.add(own)


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every Transaction as Found, NoReceipt or Broken, one at a time, with its line and its number in the document.

    Reads twice: a post-void comes after the sale it voids, which must not be sent. Raises DocumentError for a
    DOCTYPE, an unknown encoding, no POSLog, and where the document ends being well-formed.
    """
    encoding = detect_encoding(document)
    post_voids = _find_post_voids(document, encoding)
    for record in xml_records(document, encoding, _FORMAT):
        yield _parse_record(record, document, encoding, post_voids, settings, make_id)


def _find_post_voids(document: Document, encoding: Encoding) -> PostVoids:
    found = PostVoids({}, set())
    try:
        for record in xml_records(document, encoding, _FORMAT):
            if found.voiding:
                found.note(transaction_key(record.element))
            target = voided_by(record.element)
            if target is not None and _is_in_force(record.element):
                found.voiding[target] = transaction_key(record.element)
    except DocumentError:
        pass  # the second reading raises it at the same place
    return found


def _is_in_force(transaction: _Element) -> bool:
    """Whether a post-void voids anything: one that is training, suspended, cancelled or a copy does not."""
    retail = retail_transaction(transaction)
    reason = skip_reason(transaction, retail) if retail is not None else ""
    return reason not in ("training", "suspended", "cancelled", "copy")


def _parse_record(
    record: XmlRecord,
    document: Document,
    encoding: Encoding,
    post_voids: PostVoids,
    settings: Settings,
    make_id: MakeId,
) -> Parsed:
    transaction, own = record.element, transaction_key(record.element)
    post_voids.note(own)
    retail = retail_transaction(transaction)
    target = voided_by(transaction)
    no_receipt = partial(
        NoReceipt, place=record.place, number=own.number, store=own.store, till=own.till, date=own.date
    )
    if retail is None and target is None:
        return no_receipt(reason=control_reason(transaction), retail=False)
    reason = _void_reason(target, own, post_voids)
    voided = target if target is not None and _is_in_force(transaction) else own if reason else None
    if retail is not None and not (target is not None and _is_in_force(transaction)):
        skipped = skip_reason(transaction, retail)
        voided = own if skipped in VOIDED else None if skipped else voided
        reason = skipped or reason
    if reason or retail is None:
        voids = voided_id(lambda: transaction_id(voided, make_id)) if voided is not None else ""
        return no_receipt(reason=reason, retail=True, voids=voids, final=bool(voids) and reason not in VOIDED)
    raw = as_document(transaction)
    return read_record(
        lambda source: read_receipt(transaction, retail, own, source, settings, make_id),
        document,
        record.place,
        raw,
        number=own.number,
        store=own.store,
        flags=record_flags(encoding, raw),
    )


def _void_reason(target: TransactionKey | None, own: TransactionKey, post_voids: PostVoids) -> str:
    if target is not None:
        hint = "; that one is not in this document"
        return f"post-void of {target}{'' if target in post_voids.present else hint}"
    voiding = post_voids.voiding.get(own)
    return f"voided afterwards by {voiding}" if voiding is not None else ""
