"""The customer, by the till's customer number, and by e-mail and telephone of the master data."""

from __future__ import annotations

import re

from lxml.etree import _Element

from tillpost.kit.xml import text
from tillpost.model import Customer, Identifier
from tillpost_saft_cash.master_data import MasterData
from tillpost_saft_cash.settings import Settings

_PLANS = {"NO": ("47", "[49][0-9]{7}"), "DK": ("45", "[2-9][0-9]{7}")}
"""Country → its code, and its mobile numbers: in Norway they begin with 4 or 9 (Nkom), in Denmark any may be one."""


def read_customer(transaction: _Element, master_data: MasterData, settings: Settings) -> Customer | None:
    """The customer, None when there is no number, one of zeros only, or that of a supplier."""
    own = text(transaction, "custSupID")
    master = master_data.find("customerSupplier", own)
    if not own.strip("0") or master.get("custSupType") == "Supplier":
        return None
    identifiers = [Identifier(settings.customer, own)]
    mail, phone = master.get("eMail", ""), _mobile(master.get("telephone", ""), settings.country or master_data.country)
    if "@" in mail:
        identifiers.append(Identifier("email", mail))
    if phone:
        identifiers.append(Identifier("mobilePhone", phone))
    return Customer(identifiers=tuple(dict.fromkeys(identifiers)))


def _mobile(written: str, country: str) -> str:
    """A mobile number in E.164, "" for any other. One without a country is of the country of the file."""
    bare = re.sub(r"[\s().-]", "", written)
    bare = f"+{bare[2:]}" if bare.startswith("00") else bare
    if not bare.startswith("+"):
        bare = f"+{_PLANS.get(country, _PLANS['NO'])[0]}{bare}"
    for code, national in _PLANS.values():
        if bare.startswith(f"+{code}"):
            return bare if re.fullmatch(national, bare[len(code) + 1 :]) else ""
    return bare if re.fullmatch(r"\+[1-9][0-9]{7,14}", bare) else ""
