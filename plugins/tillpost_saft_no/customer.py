"""The customer, by the till's customer number, and by e-mail and telephone of the master data."""

from __future__ import annotations

import re

from lxml.etree import _Element

from tillpost.kit.xml import text
from tillpost.model import Customer, Identifier
from tillpost_saft_no.master_data import MasterData
from tillpost_saft_no.settings import Settings

_MOBILE = re.compile(r"(?:\+47|0047)?([49][0-9]{7})")
_ABROAD = re.compile(r"\+(?!47)[1-9][0-9]{7,14}")


def read_customer(transaction: _Element, master_data: MasterData, settings: Settings) -> Customer | None:
    """The customer, None when there is no number, one of zeros only, or that of a supplier."""
    own = text(transaction, "custSupID")
    master = master_data.find("customerSupplier", own)
    if not own.strip("0") or master.get("custSupType") == "Supplier":
        return None
    identifiers = [Identifier(settings.customer, own)]
    mail, phone = master.get("eMail", ""), _mobile(master.get("telephone", ""))
    if "@" in mail:
        identifiers.append(Identifier("email", mail))
    if phone:
        identifiers.append(Identifier("mobilePhone", phone))
    return Customer(identifiers=tuple(dict.fromkeys(identifiers)))


def _mobile(written: str) -> str:
    """A mobile number in E.164, "" for any other. Norwegian ones begin with 4 or 9 (Nkom's numbering plan)."""
    bare = re.sub(r"[\s().-]", "", written)
    norwegian = _MOBILE.fullmatch(bare)
    if norwegian:
        return f"+47{norwegian[1]}"
    return bare if _ABROAD.fullmatch(bare) else ""
