"""What a pipeline may set for the adapter `saft-no`."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import attrs

from tillpost.model import IdentifierKind
from tillpost_saft_no.codes import TRANSACTIONS

OSLO = ZoneInfo("Europe/Oslo")


def _known(_: object, __: attrs.Attribute[dict[str, str]], given: dict[str, str]) -> None:
    for own, code in given.items():
        if code not in TRANSACTIONS:
            raise ValueError(f"transactions.{own} must be one of {', '.join(TRANSACTIONS)}")


@attrs.frozen(kw_only=True)
class Settings:
    """Only the first must be given.

    customer: what a custSupID of the till is to Engage.
    timezone: the zone of the tills; the format has local time without an offset, and Norway one zone.
    stores: name of a location → store id of Engage; a location that is not in it goes by its name.
    tenders: paymentType of the till → payment type of Engage, over the authority's codes.
    transactions: transType of the till → code of the authority's list 11, for tills whose basics leave it out.
    """

    customer: IdentifierKind
    timezone: ZoneInfo = OSLO
    stores: dict[str, str] = attrs.field(factory=dict)
    tenders: dict[str, str] = attrs.field(factory=dict)
    transactions: dict[str, str] = attrs.field(factory=dict, validator=_known)
