"""A sale of the R-Series as a receipt."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from tillpost import InvalidValue
from tillpost.kit import MakeId, XmlJsonObject, parse_time, round_money, voided_id
from tillpost.model import NoReceipt, RawRef, Receipt
from tillpost_lightspeed.customer import read_customer
from tillpost_lightspeed.payments import read_payments
from tillpost_lightspeed.sale_lines import read_lines
from tillpost_lightspeed.settings import Settings

ZONE_UNKNOWN = "shop-timezone-unknown"
"""The flag of a receipt whose Shop has a time zone that does not exist: the setting `timezone` is taken."""
ARCHIVED = "archived-sale"
"""The flag of a receipt whose sale is completed and archived, which Lightspeed says cannot be."""
_RELATIONS = 'ask for it with load_relations=["SaleLines.Item","SalePayments.PaymentType","Customer.Contact"]'


def no_receipt(sale: XmlJsonObject, settings: Settings, make_id: MakeId) -> NoReceipt | None:
    """Why the sale is skipped; None when it is a receipt. Raises InvalidValue when it does not say what it is."""
    number = sale.text("ticketNumber", "") or sale.text("saleID", "")
    if sale.boolean("voided"):
        voids = voided_id(lambda: _own_id(sale, settings, make_id))
        return NoReceipt(reason="voided", place=sale.place, retail=True, number=number, voids=voids, final=True)
    if not sale.has("completed"):
        sale.text("completed")  # raises that it is missing
    if not sale.boolean("completed"):
        reason = "archived before it was completed" if sale.boolean("archived") else "not completed"
        return NoReceipt(reason=reason, place=sale.place, retail=True, number=number)
    if not _total(sale) and not sale.has("SaleLines") and not sale.has("SalePayments"):
        return NoReceipt(reason="without lines and payments", place=sale.place, retail=True, number=number)
    return None


def read_sale(sale: XmlJsonObject, source: RawRef, settings: Settings, make_id: MakeId) -> Receipt:
    """The receipt. Raises InvalidValue with what is missing, or with the difference where amounts do not add up."""
    total = round_money(_total(sale), settings.currency)
    payments = sale.within("SalePayments", "SalePayment")
    if total and not sale.within("SaleLines", "SaleLine"):
        raise InvalidValue(f"has a total of {total} and no SaleLines; {_RELATIONS}", place=sale.place)
    if total and not payments:
        raise InvalidValue(f"has a total of {total} and no SalePayments; {_RELATIONS}", place=sale.place)
    goods, taxes, flags = read_lines(sale, total, settings)
    paid = read_payments(sale, payments, total, settings)
    created, more_flags = _time(sale, settings)
    store, till = _store(sale, settings), _till(sale)
    return Receipt(
        id=make_id(store=store, till=till, business_date=created.date(), number=sale.text("saleID")),
        number=sale.text("ticketNumber", "") or sale.text("saleID"),
        created=created,
        business_date=created.date(),
        store=store,
        till=till,
        currency=settings.currency,
        total=paid.total,
        lines=(*goods, *paid.lines),
        tenders=paid.tenders,
        taxes=taxes,
        customer=read_customer(sale, settings),
        flags=(*flags, *paid.flags, *more_flags, *((ARCHIVED,) if sale.boolean("archived") else ())),
        raw=source,
    )


def _total(sale: XmlJsonObject) -> Decimal:
    return sale.decimal("calcTotal" if sale.values.get("calcTotal") not in (None, "") else "total")


def _own_id(sale: XmlJsonObject, settings: Settings, make_id: MakeId) -> str:
    created, _ = _time(sale, settings)
    return make_id(
        store=_store(sale, settings), till=_till(sale), business_date=created.date(), number=sale.text("saleID")
    )


def _store(sale: XmlJsonObject, settings: Settings) -> str:
    shop = sale.text("shopID")
    return settings.stores.get(shop, shop)


def _till(sale: XmlJsonObject) -> str:
    register = sale.text("registerID", "")
    return "" if register == "0" else register


def _time(sale: XmlJsonObject, settings: Settings) -> tuple[datetime, tuple[str, ...]]:
    """When the sale was completed, in the zone of its shop; every time of Lightspeed is UTC.

    Older answers have no completeTime: then the last payment's time stands in, since `timeStamp` changes with every
    edit of the sale, and with it the id would.
    """
    name = "completeTime"
    written = sale.text(name, "")
    if not written:
        written = max(
            (entry.text("createTime", "") for entry in sale.within("SalePayments", "SalePayment")), default=""
        )
        name = "SalePayments.createTime"
    if not written:
        name = "timeStamp"
        written = sale.text(name)
    zone, flags = _zone(sale, settings)
    created, more_flags = parse_time(written, zone, f"{sale.place}.{name}", utc=True)
    return created, (*flags, *more_flags)


def _zone(sale: XmlJsonObject, settings: Settings) -> tuple[ZoneInfo, tuple[str, ...]]:
    written = sale.object_or_empty("Shop").text("timeZone", "")
    if not written:
        return settings.timezone, ()
    try:
        return ZoneInfo(written), ()
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder of zones, such as "America"
        return settings.timezone, (ZONE_UNKNOWN,)
