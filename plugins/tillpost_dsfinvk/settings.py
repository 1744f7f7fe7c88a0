"""What a pipeline may set for the adapter `dsfinvk`."""

from __future__ import annotations

import codecs
from typing import Literal
from zoneinfo import ZoneInfo

import attrs

from tillpost.model import IdentifierKind

BERLIN = ZoneInfo("Europe/Berlin")


def _codec(_: object, __: attrs.Attribute[str], value: str) -> None:
    try:
        if value:
            codecs.lookup(value)
    except LookupError:
        raise ValueError("encoding must be a text encoding such as utf-8 or windows-1252") from None


@attrs.frozen(kw_only=True)
class Settings:
    """Nothing must be given.

    stores: Z_KASSE_ID, or LOC_NAME of the location, → store id of Engage.
    store: of every till that is not in `stores`; empty: the LOC_NAME of its location.
    customer: what a KUNDE_ID is to Engage.
    staff: values of KUNDE_TYP that mean an employee, whose number is no customer's.
    sku: the column that is the sku; the other stands in where it is empty.
    tenders: ZAHLART_NAME or ZAHLART_TYP → payment type of Engage, over the built-in table.
    types: BON_TYP → what becomes of it, for tills that use one in another sense than the standard or one of their own.
    closings: whether the sums of a closing are compared with those of its receipts.
    timezone: of times without an offset.
    encoding: of the CSV files; empty: as index.xml says, else UTF-8.
    largest: bytes the rows of one closing (of the whole export, where its files are not in one order) may have.
    unpacked: bytes the files of a zip may have unpacked.
    """

    stores: dict[str, str] = attrs.field(factory=dict)
    store: str = ""
    customer: IdentifierKind = "externalId"
    staff: tuple[str, ...] = ("Mitarbeiter",)
    sku: Literal["ART_NR", "GTIN"] = "ART_NR"
    tenders: dict[str, str] = attrs.field(factory=dict)
    types: dict[str, Literal["sale", "skip", "ignore"]] = attrs.field(factory=dict)
    closings: Literal["compare", "ignore"] = "compare"
    timezone: ZoneInfo = BERLIN
    encoding: str = attrs.field(default="", validator=_codec)
    largest: int = attrs.field(default=64 * 1024 * 1024, validator=attrs.validators.ge(1024))
    unpacked: int = attrs.field(default=512 * 1024 * 1024, validator=attrs.validators.ge(1024))
