"""From purchases and purchase histories to receipts, one purchase at a time."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tillpost import InvalidValue
from tillpost.kit import (
    CONTROL_CHARACTERS,
    ZERO,
    JsonObject,
    JsonRecord,
    MakeId,
    json_records,
    local_time,
    minor_digits,
    parse_clean_json,
    parse_time,
    read_record,
)
from tillpost.model import Broken, Document, LineKind, NoReceipt, Parsed, RawRef, Receipt
from tillpost_zettle.lines import DraftLine, MinorUnits, lines_and_taxes, read_rows, take_off_purchase_discounts
from tillpost_zettle.settings import Settings
from tillpost_zettle.tenders import read_tenders

VAT_DIFFERS = "vat-differs"
"""The flag of a receipt whose lines do not sum to the VAT of the purchase."""


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
    except InvalidValue as error:
        return Broken(reason=str(error), place=record.place, raw=record.content)
    number = purchase.text_or_empty("purchaseNumber")

    def read(source: RawRef) -> Receipt | NoReceipt:
        if purchase.has("purchaseUUID") and not purchase.objects("products") and not purchase.decimal("amount", ZERO):
            return NoReceipt(reason="no products", place=record.place, retail=True, number=number)
        return _receipt(purchase, source, settings, make_id)

    return read_record(
        read,
        document,
        record.place,
        record.content,
        number=number,
        store=purchase.text_or_empty("organizationId"),
        flags=(CONTROL_CHARACTERS,) if removed else (),
    )


def _receipt(purchase: JsonObject, source: RawRef, settings: Settings, make_id: MakeId) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing, or with the difference where amounts do not add up."""
    uuid = purchase.text("purchaseUUID")
    money = MinorUnits(purchase.text("currency"))
    amount = money.read(purchase, "amount")
    tips = sum((money.read(payment, "gratuityAmount", ZERO) for payment in purchase.objects("payments")), ZERO)
    tenders = read_tenders(purchase, money, settings.tenders)
    # A payment includes its tip; whether the purchase's amount does is decided by the sum of the payments.
    total = amount + tips if tips and sum((tender.amount for tender in tenders), ZERO) == amount + tips else amount
    on_top = purchase.text("taxationMode", "INCLUSIVE") == "EXCLUSIVE"
    drafts = read_rows(purchase, money)
    charges = sum((draft.net for draft in drafts if draft.group == "service charge"), ZERO)
    take_off_purchase_discounts(purchase, drafts, None if on_top else total - tips - charges, money)
    if tips:
        drafts.append(DraftLine(kind=LineKind.ADJUSTMENT, sku="tip", group="tip", quantity=Decimal(1), net=tips))
    lines, taxes = lines_and_taxes(drafts, money, purchase.text("refundsPurchaseUUID", ""), on_top=on_top)
    flags: tuple[str, ...] = ()
    if purchase.has("vatAmount"):
        difference = sum((line.tax_amount for line in lines), ZERO) - money.read(purchase, "vatAmount")
        # Each line is rounded, the till's sum may not be.
        flags = (VAT_DIFFERS,) if abs(difference) > Decimal(len(lines)).scaleb(-minor_digits(money.currency)) else ()
    written, zone = purchase.text("timestamp"), settings.timezone
    created, more_flags = parse_time(written, zone, f"{purchase.place}.timestamp")
    created, _ = local_time(created.astimezone(zone), zone, f"{purchase.place}.timestamp")
    organisation = purchase.text("organizationId")
    store = settings.stores.get(organisation, organisation)
    till = purchase.object_or_empty("cashRegister").text("uuid", "")
    return Receipt(
        id=make_id(store=store, till=till, business_date=created.date(), number=uuid),
        number=purchase.text("purchaseNumber", uuid),
        created=created,
        business_date=created.date(),
        store=store,
        till=till,
        currency=money.currency,
        total=total,
        lines=lines,
        tenders=tenders,
        taxes=taxes,
        flags=(*flags, *more_flags),
        raw=source,
    )
