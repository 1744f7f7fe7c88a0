"""What a pipeline may set for the adapter `poslog`."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

import attrs

from tillpost.kit.settings import currency_code
from tillpost.model import IdentifierKind


@attrs.frozen(kw_only=True)
class Settings:
    """Only the first two must be given.

    timezone: the zone of the tills; POSLog writes local time without an offset.
    loyalty: what a loyalty card number of the till is to Engage.
    loyalty_from: elements that may hold that number, the first that is there counts (local names).
    strip_zeros: take leading zeros off the number (some tills pad it to a fixed length).
    currency: for exports that name none.
    tax: whether amounts of lines have the tax on top, or in them; "auto" takes the one that adds up to the total.
    sku: which element of a line is the sku; the other stands in when it is missing.
    tenders: TenderType of the till → payment type of Engage, over the built-in table.
    """

    timezone: ZoneInfo
    loyalty: IdentifierKind
    loyalty_from: tuple[str, ...] = (
        "LoyaltyID",
        "LoyaltyAccountID",
        "LoyaltyCardID",
        "LoyaltyCardNumber",
        "MembershipID",
        "CustomerID",
    )
    strip_zeros: bool = False
    currency: str = attrs.field(default="", validator=currency_code)
    tax: Literal["auto", "on top", "included"] = "auto"
    sku: Literal["ItemID", "POSItemID"] = "ItemID"
    tenders: dict[str, str] = attrs.field(factory=dict)
