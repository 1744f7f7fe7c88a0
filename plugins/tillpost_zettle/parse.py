"""From purchases, purchase histories and pushes to receipts, one purchase at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import attrs

from tillpost import InvalidValue
from tillpost.kit import (
    CONTROL_CHARACTERS,
    ZERO,
    JsonObject,
    JsonRecord,
    MakeId,
    Reading,
    first_reading,
    json_records,
    local_time,
    minor_digits,
    parse_clean_json,
    parse_time,
    read_record,
)
from tillpost.model import Broken, Document, Found, LineKind, NoReceipt, Parsed, RawRef, Receipt
from tillpost_zettle.events import is_event, purchase_of
from tillpost_zettle.identity import former_number, is_purchase, own_id, refunded_id
from tillpost_zettle.lines import DraftLine, MinorUnits, read_rows, take_off_purchase_discounts
from tillpost_zettle.settings import Settings
from tillpost_zettle.taxes import lines_and_taxes
from tillpost_zettle.tenders import read_tenders

VAT_DIFFERS = "vat-differs"
"""The flag of a receipt whose lines do not sum to the VAT of the purchase."""
TAX_MODE = "tax-mode-by-amount"
"""The flag of a receipt whose tax is on top of the price, or in it, against what the purchase says: so it adds up."""
_SAID = {True: "tax on top", False: "tax in the price"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every purchase as Found, NoReceipt or Broken, with its place; a refund is a purchase with negative amounts.

    Raises DocumentError for UTF-16, for more bytes than `largest`, and where a file ends being JSON.
    """
    for record in json_records(document, largest=settings.largest, lists=("purchases",)):
        yield _parse_record(record, document, settings, make_id)


def _parse_record(record: JsonRecord, document: Document, settings: Settings, make_id: MakeId) -> Parsed:
    try:
        form, removed = parse_clean_json(record.content, place=record.place)
        purchase = JsonObject.of(form, record.place)
        if is_event(purchase):
            name = purchase.text("eventName")
            found, more = purchase_of(purchase)
            if found is None:
                return NoReceipt(reason=f"event {name[:40]!a}, not a purchase", place=record.place, retail=False)
            purchase, removed = found, removed + more
    except InvalidValue as error:
        return Broken(reason=str(error), place=record.place, raw=record.content)
    number = purchase.text_or_empty("purchaseNumber")

    def read(source: RawRef) -> Receipt | NoReceipt:
        if is_purchase(purchase) and not _holds_anything(purchase):
            return NoReceipt(reason="no products", place=record.place, retail=True, number=number)
        return _receipt(purchase, source, settings, make_id)

    parsed = read_record(
        read,
        document,
        record.place,
        record.content,
        number=number,
        store=purchase.text_or_empty("organizationId") or purchase.text_or_empty("organizationUuid"),
        flags=(CONTROL_CHARACTERS,) if removed else (),
    )
    if not isinstance(parsed, Found):
        return parsed
    return Found(receipt=parsed.receipt, raw=parsed.raw, former_ids=_former_ids(purchase, parsed.receipt, make_id))


def _holds_anything(purchase: JsonObject) -> bool:
    """Whether a purchase has products or money."""
    return bool(
        purchase.values.get("products")
        or purchase.decimal("amount", ZERO)
        or any(payment.decimal("amount", ZERO) for payment in purchase.objects("payments"))
    )


def _former_ids(purchase: JsonObject, receipt: Receipt, make_id: MakeId) -> tuple[str, ...]:
    """The id of the receipt from when it was made of store, till and the deprecated UUID."""
    if not (number := former_number(purchase, own_id(purchase))):
        return ()
    return (make_id(store=receipt.store, till=receipt.till, business_date=receipt.business_date, number=number),)


def _receipt(purchase: JsonObject, source: RawRef, settings: Settings, make_id: MakeId) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing, or with the difference where amounts do not add up."""
    uuid = own_id(purchase)
    money = MinorUnits(purchase.text("currency"))
    amount = money.read(purchase, "amount")
    if purchase.boolean("refund") and amount > 0:
        raise InvalidValue(f"refund is true, and the amount {amount} is above zero", place=purchase.place)
    tips = sum((money.read(payment, "gratuityAmount", ZERO) for payment in purchase.objects("payments")), ZERO)
    tenders = read_tenders(purchase, money, settings.tenders)
    # A payment includes its tip; whether the purchase's amount does is decided by the sum of the payments.
    total = amount + tips if tips and sum((tender.amount for tender in tenders), ZERO) == amount + tips else amount
    created, time_flags = _created(purchase, settings)
    name = "organizationId" if purchase.has("organizationId") else "organizationUuid"
    organisation = purchase.text(name)
    till = purchase.object_or_empty("cashRegister").text("uuid", "")

    def make(on_top: bool) -> Receipt:
        drafts = read_rows(purchase, money)
        charges = sum((draft.net for draft in drafts if draft.group == "service charge"), ZERO)
        take_off_purchase_discounts(purchase, drafts, None if on_top else total - tips - charges, money)
        due = total - tips - sum((draft.net for draft in drafts), ZERO) if on_top else None
        if tips:
            drafts.append(DraftLine(kind=LineKind.ADJUSTMENT, sku="tip", group="tip", quantity=Decimal(1), net=tips))
        lines, taxes = lines_and_taxes(purchase, drafts, money, refunded_id(purchase), due)
        return Receipt(
            # The three forms of a purchase name its store differently, and only one names its till.
            id=make_id(store="", till="", business_date=created.date(), number=uuid),
            number=purchase.text("purchaseNumber", uuid),
            created=created,
            business_date=created.date(),
            store=settings.stores.get(organisation, organisation),
            till=till,
            currency=money.currency,
            total=total,
            lines=lines,
            tenders=tenders,
            taxes=taxes,
            flags=time_flags,
            raw=source,
        )

    on_top = purchase.text("taxationMode", "") == "EXCLUSIVE"
    flags: tuple[str, ...] = ()
    try:
        receipt = make(on_top)
    except InvalidValue:
        if not any(purchase.has(name) for name in ("taxationMode", "taxationType", "taxValues")):
            raise  # older answers say nothing of the kind: there, tax is VAT, and in the price
        other = Reading(_SAID[not on_top], partial(make, not on_top), TAX_MODE)
        receipt, flags = first_reading([Reading(_SAID[on_top], partial(make, on_top)), other])
    if purchase.has("vatAmount"):
        difference = sum((line.tax_amount for line in receipt.lines), ZERO) - money.read(purchase, "vatAmount")
        # Each line is rounded, the till's sum may not be.
        if abs(difference) > Decimal(len(receipt.lines)).scaleb(-minor_digits(money.currency)):
            flags = (VAT_DIFFERS, *flags)
    return attrs.evolve(receipt, flags=(*flags, *receipt.flags)) if flags else receipt


def _created(purchase: JsonObject, settings: Settings) -> tuple[datetime, tuple[str, ...]]:
    """When it was made, in local time. A push has milliseconds since 1970 as its timestamp."""
    place, zone = f"{purchase.place}.timestamp", settings.timezone
    written = purchase.values.get("timestamp")
    if isinstance(written, int) and not isinstance(written, bool):
        if abs(written) > 10**14:
            raise InvalidValue(f"{str(written)[:30]} are no milliseconds since 1970", place=place)
        return local_time((_EPOCH + timedelta(milliseconds=written)).astimezone(zone), zone, place)[0], ()
    name = "timestamp" if purchase.has("timestamp") or not purchase.has("created") else "created"
    created, flags = parse_time(purchase.text(name), zone, f"{purchase.place}.{name}")
    return local_time(created.astimezone(zone), zone, place)[0], flags
