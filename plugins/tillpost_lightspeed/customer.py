"""The customer of an R-Series sale: the id, and e-mail and phone of the contact."""

from __future__ import annotations

import re

from tillpost.kit import XmlJsonObject
from tillpost.model import Customer, Identifier
from tillpost_lightspeed.settings import Settings

_NUMBER = re.compile(r"\+?[0-9 ()/.\-]{5,30}")


def read_customer(sale: XmlJsonObject, settings: Settings) -> Customer | None:
    """The customer; None when the sale names nobody (id 0)."""
    account = sale.object_or_empty("Customer")
    number = sale.text("customerID", "") or account.text("customerID", "")
    contact = account.object_or_empty("Contact")
    mails = [
        entry.text("address", "")
        for entry in sorted(
            contact.within("Emails", "ContactEmail"), key=lambda entry: entry.text("useType", "") != "Primary"
        )
    ]
    phones = [entry.text("number", "") for entry in contact.within("Phones", "ContactPhone")]
    names = {"firstName": account.text("firstName", ""), "lastName": account.text("lastName", "")}
    return known_customer("" if number == "0" else number, mails, phones, names, settings)


def known_customer(
    number: str, mails: list[str], phones: list[str], names: dict[str, str], settings: Settings
) -> Customer | None:
    """A customer by what is known: the first e-mail, and the first phone number, one with its country if there is one.

    A number without its country goes as it is written: the pipeline knows the country.
    """
    identifiers = [Identifier(settings.customer, number)] if settings.customer and number else []
    if mail := next((mail for mail in mails if "@" in mail), ""):
        identifiers.append(Identifier("email", mail))
    numbers = sorted((phone for phone in phones if _NUMBER.fullmatch(phone)), key=lambda phone: phone[0] != "+")
    if numbers:
        identifiers.append(Identifier("mobilePhone", numbers[0]))
    if not identifiers:
        return None
    return Customer(identifiers=tuple(identifiers), attributes={key: name for key, name in names.items() if name})
