"""The customer, by loyalty card, e-mail and name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import attrs
from lxml.etree import _Element

from tillpost.kit.xml import attribute, children, local_name, text
from tillpost.model import Customer, Identifier
from tillpost_poslog.settings import Settings

PROGRAMME_AS_ACCOUNT = "programme-as-account"
"""The flag of a receipt on which the element of the loyalty number held the name of the programme."""

_HOLDERS = tuple(f"{{*}}{name}" for name in ("LoyaltyMembership", "LoyaltyAccount", "Loyalty", "Customer"))
_MAIL = ("eMail", "EMail", "Email", "EmailAddress", "EMailAddress")
_NAMES = {"First": "firstName", "Last": "lastName", "FirstName": "firstName", "LastName": "lastName"}
_NAMES |= {"GivenName": "firstName", "FamilyName": "lastName"}
_PHONES = ("TelephoneNumber", "Telephone", "PhoneNumber", "Phone")
"""Elements of a phone number, which is one of a mobile where they say so; "MobilePhone" says it by its name."""
_PROGRAMME_NAMES = ("LoyaltyProgramID", "LoyaltyProgramName", "ProgramID", "ProgramName", "Name")
_NAME = re.compile(r"[^\W\d_]{3}")
"""What a name has: letters in a row. A card of digits may be shared by the customers of a household."""
_SHORT = 5
"""Characters that a number of a customer has at least; a programme may be called 1."""
_REMEMBERED = 1_000
"""Pairs of a number and another one beside it, of one document: a programme repeats within a few receipts."""


@attrs.frozen
class Programmes:
    """Values that stand in the place of a number beside different numbers: they name a programme, not a customer."""

    beside: dict[tuple[str, str], str] = attrs.field(factory=dict)
    found: set[tuple[str, str]] = attrs.field(factory=set)

    def note(self, transaction: _Element, settings: Settings) -> None:
        """Note the numbers of a transaction where it has two or more."""
        holders = [holder for part in transaction if len(part) for holder in part.iterchildren(*_HOLDERS)]
        if not holders:
            return
        numbers = {name: number for name, number, _ in reversed(list(_numbers(holders, settings)))}
        if len(numbers) < 2:
            return
        for name, number in numbers.items():
            others = [other for other in numbers.values() if other != number]
            if not others or not (_NAME.search(number) or len(number.lstrip("0")) < _SHORT):
                continue
            if len(self.beside) < _REMEMBERED:
                self.beside.setdefault((name, number), others[0])
            if self.beside.get((name, number), others[0]) != others[0]:
                self.found.add((name, number))


def _numbers(holders: list[_Element], settings: Settings) -> Iterator[tuple[str, str, _Element]]:
    """The numbers in the order of `loyalty_from`: element, value, and where it stands."""
    names = settings.loyalty_from
    found = [(local_name(element), element) for holder in holders for element in holder.iter(*_tags(names))]
    if len(found) > 1:
        found.sort(key=lambda pair: names.index(pair[0]))
    for name, element in found:
        number = text(element)
        if number.strip("0"):  # tills fill an unknown number with zeros
            yield name, number, element


@lru_cache(maxsize=64)
def _tags(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{{*}}{name}" for name in names)


def _names_programme(name: str, number: str, element: _Element, programmes: Programmes) -> bool:
    """Whether it is sure that the value is no number of a customer."""
    if (name, number) in programmes.found:
        return True
    parent = element.getparent()
    if parent is None or local_name(parent) != "LoyaltyProgram":
        return False
    is_retalix = any("retalix" in str(uri).lower() for uri in element.nsmap.values())
    return (is_retalix and name == "LoyaltyAccountID") or any(
        text(told) == number for told in children(parent, *_PROGRAMME_NAMES)
    )


def _card(holders: list[_Element], settings: Settings, programmes: Programmes) -> tuple[str, tuple[str, ...]]:
    """The loyalty number, "" for none, and flags."""
    second = ""
    flags: tuple[str, ...] = ()
    for name, number, element in _numbers(holders, settings):
        if _names_programme(name, number, element, programmes):
            flags = (PROGRAMME_AS_ACCOUNT,)
            continue
        if any(map(str.isdigit, number)):
            if second and second != number:
                flags = (PROGRAMME_AS_ACCOUNT,)
            second = number
            break
        second = second or number
    return second.lstrip("0") if settings.strip_zeros else second, flags


def _mobile_number(element: _Element, name: str) -> str:
    """The number of a mobile; "" for another phone, or none."""
    if name in _PHONES:
        kind = attribute(element, "TypeCode") or attribute(element, "UsageType")
    elif name.startswith(("Mobile", "Cell")):
        kind = name
    else:
        return ""
    if not kind.lower().startswith(("mobil", "cell")):
        return ""
    number = text(element) or text(element, "FullTelephoneNumber") or text(element, "LocalNumber")
    return number if any(map(str.isdigit, number)) else ""


def read_customer(
    retail: _Element, settings: Settings, programmes: Programmes
) -> tuple[Customer | None, tuple[str, ...]]:
    """The customer and flags; None when the transaction has no usable identifier of one."""
    holders = list(retail.iter(*_HOLDERS))
    if not holders:
        return None, ()
    identifiers = []
    attributes: dict[str, str] = {}
    card, flags = _card(holders, settings, programmes)
    if card:
        identifiers.append(Identifier(settings.loyalty, card))
    for holder in holders:
        for element in holder.iter("{*}*"):
            name, value = local_name(element), " ".join((element.text or "").split())
            if name in _MAIL and "@" in value and settings.loyalty != "email":
                mail = Identifier("email", value)
                if mail not in identifiers:
                    identifiers.append(mail)
            mobile = _mobile_number(element, name)
            if mobile and settings.loyalty != "mobilePhone":
                phone = Identifier("mobilePhone", mobile)
                if phone not in identifiers:
                    identifiers.append(phone)
            part = attribute(element, "Location") or attribute(element, "TypeCode")
            label = _NAMES.get(part if name == "Name" else name)
            if label and value:
                attributes.setdefault(label, value)
    return Customer(identifiers=tuple(identifiers), attributes=attributes) if identifiers else None, flags
