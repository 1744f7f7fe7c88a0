"""The buyer, by the till's customer number and what the master data has of them."""

from __future__ import annotations

import re

from lxml.etree import _Element

from tillpost.kit.xml import text
from tillpost.model import Customer, Identifier
from tillpost_saft_no.masters import Masters
from tillpost_saft_no.settings import Settings

_MOBILE = re.compile(r"(?:\+47|0047)?([49][0-9]{7})")
_ABROAD = re.compile(r"\+(?!47)[1-9][0-9]{7,14}")


def read_customer(transaction: _Element, masters: Masters, settings: Settings) -> Customer | None:
    """The customer, or None when the till knew nobody: a number of zeros is nobody, a supplier no customer."""
    own = text(transaction, "custSupID")
    master = masters.find("customerSupplier", own)
    if not own.strip("0") or master.get("custSupType") == "Supplier":
        return None
    given = [Identifier(settings.customer, own)]
    mail, phone = master.get("eMail", ""), _mobile(master.get("telephone", ""))
    if "@" in mail:
        given.append(Identifier("email", mail))
    if phone:
        given.append(Identifier("mobilePhone", phone))
    return Customer(identifiers=tuple(dict.fromkeys(given)))


def _mobile(written: str) -> str:
    """A mobile number in E.164; "" for what is none. Norwegian ones begin with 4 or 9 (Nkom's numbering plan)."""
    bare = re.sub(r"[\s().-]", "", written)
    norwegian = _MOBILE.fullmatch(bare)
    if norwegian:
        return f"+47{norwegian[1]}"
    return bare if _ABROAD.fullmatch(bare) else ""
