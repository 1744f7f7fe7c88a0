"""What a pipeline may set for the adapter `lightspeed`."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

import attrs

CustomerId = Literal["", "contactId", "externalId", "memberNumber", "socialSecurityNumber"]
Sku = Literal["customSku", "systemSku", "manufacturerSku", "upc", "ean", "itemID"]


@attrs.frozen(kw_only=True)
class Settings:
    """Currency and time zone must be given: no sale names its currency, and every time is in UTC.

    currency: of the account. timezone: of the shops; a sale that has its Shop with it is read in that shop's zone.
    customer: what the id of Lightspeed's customer is to Engage; empty: nothing.
    walk_in: X-Series: the customer ids that mean nobody. Without it no customer_id is taken, as a walk-in has one too.
    sku: which number of an article is the sku; the others stand in, in this order.
    stores: shopID or outlet_id → store; one that is not named is its own id.
    tenders: name or type of a payment → payment type of Engage, over the built-in table.
    largest: bytes one sale may have, or a whole file that is not JSON lines.
    """

    currency: str = attrs.field(validator=attrs.validators.matches_re("[A-Z]{3}"))
    timezone: ZoneInfo
    customer: CustomerId = "externalId"
    walk_in: tuple[str, ...] = ()
    sku: Sku = "customSku"
    stores: dict[str, str] = attrs.field(factory=dict)
    tenders: dict[str, str] = attrs.field(factory=dict)
    largest: int = attrs.field(default=64 * 1024 * 1024, validator=attrs.validators.ge(1024))
