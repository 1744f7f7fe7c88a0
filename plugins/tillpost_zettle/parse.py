"""From purchases and purchase histories to receipts. Pure: what it needs is in its arguments."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import attrs

from tillpost import InvalidValue
from tillpost.kit import (
    CONTROL_CHARACTERS,
    JsonObject,
    JsonRecord,
    MakeId,
    json_records,
    local_time,
    minor_digits,
    parse_clean_json,
    parse_time,
)
from tillpost.model import Broken, Document, Found, Line, LineKind, NoReceipt, Parsed, RawRef, Receipt
from tillpost_zettle.lines import ZERO, Draft, Minor, lines_and_taxes, read_rows, take_off_purchase_discounts
from tillpost_zettle.settings import Settings
from tillpost_zettle.tenders import read_tenders

VAT_DIFFERS = "vat-differs"
"""The flag of a receipt whose lines do not come to the VAT the purchase names."""


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every purchase as Found, NoReceipt or Broken, with its place; a refund is a purchase with negative amounts.

    Raises DocumentError for UTF-16, for more bytes than `largest`, and where a file ends being JSON.
    """
    for record in json_records(document, largest=settings.largest, lists=("purchases",)):
        yield _parsed(record, document, settings, make_id)


def _parsed(record: JsonRecord, document: Document, settings: Settings, make_id: MakeId) -> Parsed:
    place, number, store = record.place, "", ""
    try:
        form, taken = parse_clean_json(record.content, place=place)
        purchase = JsonObject.of(form, place)
        number, store = purchase.text("purchaseNumber", ""), purchase.text("organizationId", "")
        if purchase.has("purchaseUUID") and not purchase.objects("products") and not purchase.decimal("amount", ZERO):
            return NoReceipt(reason="no products", place=place, retail=True, number=number)
        source = RawRef(sha256=document.sha256, document=document.name, place=place)
        receipt = _receipt(purchase, source, settings, make_id)
        if taken:
            receipt = attrs.evolve(receipt, flags=(*receipt.flags, CONTROL_CHARACTERS))
        return Found(receipt=receipt, raw=record.content)
    except InvalidValue as error:
        reason = str(error) if error.place.startswith(place) else f"{place}: {error}"
    except RecursionError:
        reason = f"{place}: nested too deep"
    except ArithmeticError:  # amounts each in bounds whose product is not
        reason = f"{place}: amounts cannot be reckoned with (more digits than decimals hold)"
    return Broken(reason=reason, place=place, raw=record.content, number=number, store=store)


def _receipt(purchase: JsonObject, source: RawRef, settings: Settings, make_id: MakeId) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing or does not add up, and by how much."""
    uuid = purchase.text("purchaseUUID")
    money = Minor(purchase.text("currency"))
    amount = money.read(purchase, "amount")
    tips = sum((money.read(payment, "gratuityAmount", ZERO) for payment in purchase.objects("payments")), ZERO)
    tenders = read_tenders(purchase, money, settings.tenders)
    # A payment has its tip in it; whether the purchase's amount has it too is told by what was paid.
    total = amount + tips if tips and sum((each.amount for each in tenders), ZERO) == amount + tips else amount
    on_top = purchase.text("taxationMode", "INCLUSIVE") == "EXCLUSIVE"
    drafts = read_rows(purchase, money)
    charges = sum((draft.net for draft in drafts if draft.group == "service charge"), ZERO)
    take_off_purchase_discounts(purchase, drafts, None if on_top else total - tips - charges, money)
    if tips:
        drafts.append(Draft(kind=LineKind.ADJUSTMENT, sku="tip", group="tip", quantity=Decimal(1), net=tips))
    lines, taxes = lines_and_taxes(drafts, money, on_top=on_top)
    flags: tuple[str, ...] = ()
    if purchase.has("vatAmount"):
        off = sum((line.tax_amount for line in lines), ZERO) - money.read(purchase, "vatAmount")
        # Each line is rounded, the till's sum is perhaps not.
        flags = (VAT_DIFFERS,) if abs(off) > Decimal(len(lines)).scaleb(-minor_digits(money.currency)) else ()
    written, zone = purchase.text("timestamp"), settings.timezone
    created, more_flags = parse_time(written, zone, f"{purchase.place}.timestamp")
    created, _ = local_time(created.astimezone(zone), zone, f"{purchase.place}.timestamp")
    organisation = purchase.text("organizationId")
    store = settings.stores.get(organisation, organisation)
    register = purchase.object("cashRegister")
    till = register.text("uuid", "") if register is not None else ""
    return Receipt(
        id=make_id(store=store, till=till, business_date=created.date(), number=uuid),
        number=purchase.text("purchaseNumber", uuid),
        created=created,
        business_date=created.date(),
        store=store,
        till=till,
        currency=money.currency,
        total=total,
        lines=tuple(_linked(line, purchase.text("refundsPurchaseUUID", "")) for line in lines),
        tenders=tenders,
        taxes=taxes,
        flags=(*flags, *more_flags),
        raw=source,
    )


def _linked(line: Line, original: str) -> Line:
    """A returned line names the purchase it was bought in."""
    return attrs.evolve(line, extra={"originalReceipt": original}) if original and line.paid <= 0 else line
