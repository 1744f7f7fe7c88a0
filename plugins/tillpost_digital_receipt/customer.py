"""The customer: loyalty number, national id, e-mail and mobile phone, as far as the receipt has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from lxml.etree import _Element

from tillpost.kit.xml import attribute, child, children, local_name, text
from tillpost.model import Customer, Identifier
from tillpost_digital_receipt.national_id import UNCLEAR, national_id
from tillpost_digital_receipt.settings import Settings

_NAMES = {"First": "firstName", "Last": "lastName"}
_PLACES = {"street": ("AddressLine",), "zipCode": ("PostalCode",), "city": ("City",)}
_SWEDEN = "+46"
_SWEDISH_MOBILE = re.compile(r"\+467[02369][0-9]{7}")
NO_PHONE = "phone-left-out"
"""The flag of a receipt with a phone number that is no mobile number that can be dialled."""
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def read_customer(retail: _Element, day: date, settings: Settings) -> tuple[Customer | None, tuple[str, ...]]:
    """The customer, None when the receipt identifies nobody, and the flags of the receipt for what was unclear.

    day: of the receipt; it decides the century of a national id.
    """
    holders = list(children(retail, "Customer"))
    given = list(_loyalty(retail, holders, settings))
    flags: list[str] = []
    for kind, value in _receivers(retail, holders):
        if kind == "NationalIdentityNumber":
            person = national_id(value, day)
            given += [Identifier("socialSecurityNumber", person)] if person else []
            flags += [] if person else [UNCLEAR]
        elif kind == "ServiceID" and settings.service_id:
            given.append(Identifier(settings.service_id, value))
        elif kind == "EmailAddress" and "@" in value:
            given.append(Identifier("email", value))
        elif kind == "TelephoneNumber":
            phone = _mobile(value, known=False)
            given += [Identifier("mobilePhone", phone)] if phone else []
            flags += [] if phone else [NO_PHONE]
    for holder in holders:
        mail = text(holder, "EMail", "EMailAddress")
        given += [Identifier("email", mail)] if "@" in mail else []
        telephone = child(holder, "TelephoneNumber")
        phone = _telephone(telephone)
        given += [Identifier("mobilePhone", phone)] if phone else []
        flags += [NO_PHONE] if text(telephone, "LocalNumber") and not phone else []
    flags_once = tuple(dict.fromkeys(flags))
    if not given:
        return None, flags_once
    return Customer(identifiers=tuple(dict.fromkeys(given)), attributes=_attributes(holders)), flags_once


def _loyalty(retail: _Element, holders: list[_Element], settings: Settings) -> Iterator[Identifier]:
    """The number of the loyalty card or account; one of zeros only is none."""
    for account in children(retail, "LoyaltyAccount"):
        paths = (("LoyaltyProgram", "LoyaltyAccountID"), ("LoyaltyCard", "PrimaryAccountNumber"), ("CustomerID",))
        for path in paths:
            if (number := text(account, *path)).strip("0"):
                yield Identifier(settings.loyalty, number)
                return
    for holder in holders:
        if (number := text(holder, "CustomerID")).strip("0"):
            yield Identifier(settings.loyalty, number)
            return


def _receivers(retail: _Element, holders: list[_Element]) -> Iterator[tuple[str, str]]:
    """Type and value of each identifier of the receiver, by the Swedish extension."""
    found = [
        *children(retail, "Receiver"),
        *(element for holder in holders for element in children(holder, "Identifier")),
    ]
    for element in found:
        if value := text(element):
            yield attribute(element, "Type"), value


def _telephone(element: _Element | None) -> str:
    if element is None:
        return ""
    country, area, number = (text(element, name) for name in ("ITUCountryCode", "AreaCode", "LocalNumber"))
    if country and not number.startswith("+"):
        number = f"+{country.lstrip('+0')}{(area + number).lstrip('0')}"
    else:
        number = number if number.startswith("+") else area + number
    return _mobile(number, known=attribute(element, "TypeCode") == "Mobile")


def _mobile(written: str, *, known: bool) -> str:
    """A mobile number in E.164, "" for any other.

    A number without a country is Swedish. Unless `known` to be mobile it must be so by the Swedish numbering plan
    (PTS: 070, 072, 073, 076, 079).
    """
    bare = re.sub(r"[^0-9+]", "", written.replace("(0)", ""))
    if bare.startswith("00"):
        bare = f"+{bare[2:]}"
    elif not bare.startswith("+"):
        bare = f"{_SWEDEN}{bare.removeprefix('0')}"
    return bare if (_E164 if known else _SWEDISH_MOBILE).fullmatch(bare) else ""


def _attributes(holders: list[_Element]) -> dict[str, str]:
    found: dict[str, str] = {}
    for holder in holders:
        names, address = child(holder, "Name"), child(holder, "Address")
        for name in names if names is not None else ():
            label = _NAMES.get(attribute(name, "Location")) if local_name(name) == "Name" else None
            if label and (value := text(name)):
                found.setdefault(label, value)
        for label, path in _PLACES.items():
            if value := text(address, *path):
                found.setdefault(label, value)
        country = child(address, "Country") if address is not None else None
        if country is not None and (code := attribute(country, "Code")):
            found.setdefault("countryCode", code)
    return found
