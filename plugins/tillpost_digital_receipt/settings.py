"""What a pipeline may set for the adapter `digital-receipt`."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

import attrs

from tillpost.kit.settings import currency_code, not_empty
from tillpost.model import IdentifierKind

STOCKHOLM = ZoneInfo("Europe/Stockholm")


@attrs.frozen(kw_only=True)
class Settings:
    """Only the first must be given.

    loyalty: what a loyalty number or CustomerID of the till is to Engage.
    service_id: what the receiver's id at the receipt service is to Engage; empty when it is nothing.
    timezone: for times without an offset.
    currency: for receipts that name none.
    tenders: TenderType of the till → payment type of Engage, over the built-in table.
    """

    loyalty: IdentifierKind
    service_id: IdentifierKind | Literal[""] = ""
    timezone: ZoneInfo = STOCKHOLM
    currency: str = attrs.field(default="SEK", validator=[not_empty, currency_code])
    tenders: dict[str, str] = attrs.field(factory=dict)
