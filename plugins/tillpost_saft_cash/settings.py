"""What a pipeline may set for the adapter `saft-cash`."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

import attrs

from tillpost.model import IdentifierKind
from tillpost_saft_cash.codes import TRANSACTIONS

OSLO = ZoneInfo("Europe/Oslo")


def _known(_: object, __: attrs.Attribute[dict[str, str]], given: dict[str, str]) -> None:
    for own, code in given.items():
        if code not in TRANSACTIONS:
            raise ValueError(f"transactions.{own} must be one of {', '.join(TRANSACTIONS)}")


@attrs.frozen(kw_only=True)
class Settings:
    """Only the first must be given.

    customer: what a custSupID of the till is to Engage.
    country: which country's telephone numbers are written without a country; the file says it, where it is not given.
    timezone: the zone of the tills; the format has local time without an offset, and Norway and Denmark have the same.
    stores: name of a location → store id of Engage; a location that is not in it goes by its name.
    tenders: paymentType of the till → payment type of Engage, over the authority's codes.
    transactions: transType of the till → code of the authority's list 11, for tills whose basics leave it out.
    """

    customer: IdentifierKind
    country: Literal["NO", "DK"] | None = None
    timezone: ZoneInfo = OSLO
    stores: dict[str, str] = attrs.field(factory=dict)
    tenders: dict[str, str] = attrs.field(factory=dict)
    transactions: dict[str, str] = attrs.field(factory=dict, validator=_known)
