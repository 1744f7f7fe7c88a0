"""What a pipeline may set for the adapter `poslog`."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo

import attrs

from tillpost.kit.settings import currency_code
from tillpost.model import IdentifierKind
from tillpost_poslog.dialects import STANDARD
from tillpost_poslog.names import Names, names_of


def _known_parts(_: object, __: object, given: dict[str, Any]) -> None:
    if unknown := [part for part in given if part not in STANDARD]:
        raise ValueError(f"has the unknown part {unknown[0]}; known are {', '.join(STANDARD)}")


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
    names: part of a transaction (dialects.STANDARD) → what else it is called, tried before the built-in names.
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
    names: dict[str, tuple[str, ...]] = attrs.field(factory=dict, validator=_known_parts)

    @cached_property
    def all_names(self) -> Names:
        """The names by which transactions are read: `names`, the standard's and those of the dialects."""
        return names_of(self.names)
