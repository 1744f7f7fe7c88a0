"""What a pipeline may set for the adapter `shopify`."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

import attrs

CustomerId = Literal["", "contactId", "externalId", "memberNumber", "socialSecurityNumber", "email", "mobilePhone"]


@attrs.frozen(kw_only=True)
class Settings:
    """None must be given, where every order has a location.

    store: of what has no location_id (orders of the web shop).
    stores: location_id → store; a location that is not named is its own id.
    till: of what has no device_id.
    money: whether amounts are in the customer's currency or in the shop's.
    customer_id: what the id of Shopify's customer is to Engage; empty: nothing.
    source_names: only orders of these, such as "pos"; none: all.
    financial_status: the states of payment in which an order is a sale.
    timezone: of times written in UTC; without it they stay so.
    tenders: gateway → payment type of Engage, over the built-in table.
    largest: bytes one order may have, or a whole file that is not JSON lines.
    """

    store: str = ""
    stores: dict[str, str] = attrs.field(factory=dict)
    till: str = ""
    money: Literal["presentment", "shop"] = "presentment"
    customer_id: CustomerId = ""
    source_names: tuple[str, ...] = ()
    financial_status: tuple[str, ...] = ("paid", "partially_refunded", "refunded")
    timezone: ZoneInfo | None = None
    tenders: dict[str, str] = attrs.field(factory=dict)
    largest: int = attrs.field(default=64 * 1024 * 1024, validator=attrs.validators.ge(1024))
