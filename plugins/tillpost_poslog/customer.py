"""The customer, by loyalty card, e-mail and name."""

from __future__ import annotations

from lxml.etree import _Element

from tillpost.kit.xml import attribute, local_name, text
from tillpost.model import Customer, Identifier
from tillpost_poslog.settings import Settings

_HOLDERS = tuple(f"{{*}}{name}" for name in ("LoyaltyMembership", "LoyaltyAccount", "Loyalty", "Customer"))
_MAIL = ("eMail", "EMail", "EmailAddress", "EMailAddress")
_NAMES = {"First": "firstName", "Last": "lastName", "FirstName": "firstName", "LastName": "lastName"}
_NAMES |= {"GivenName": "firstName", "FamilyName": "lastName"}


def _card(holders: list[_Element], settings: Settings) -> str:
    for name in settings.loyalty_from:
        for holder in holders:
            for element in holder.iter(f"{{*}}{name}"):
                number = text(element.getparent(), name)
                if number.strip("0"):  # tills fill an unknown number with zeros
                    return number.lstrip("0") if settings.strip_zeros else number
    return ""


def read_customer(retail: _Element, settings: Settings) -> Customer | None:
    """The customer, None when the transaction has no usable identifier of one."""
    holders = list(retail.iter(*_HOLDERS))
    identifiers = []
    attributes: dict[str, str] = {}
    card = _card(holders, settings)
    if card:
        identifiers.append(Identifier(settings.loyalty, card))
    for holder in holders:
        for element in holder.iter("{*}*"):
            name, value = local_name(element), " ".join((element.text or "").split())
            if name in _MAIL and "@" in value and settings.loyalty != "email":
                mail = Identifier("email", value)
                if mail not in identifiers:
                    identifiers.append(mail)
            part = attribute(element, "Location") or attribute(element, "TypeCode")
            label = _NAMES.get(part if name == "Name" else name)
            if label and value:
                attributes.setdefault(label, value)
    return Customer(identifiers=tuple(identifiers), attributes=attributes) if identifiers else None
