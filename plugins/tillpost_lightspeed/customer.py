"""The customer of an R-Series sale: the id, and e-mail and phone of the contact."""

from __future__ import annotations

import re

from tillpost.kit import XmlJsonObject
from tillpost.model import Customer, Identifier
from tillpost_lightspeed.settings import Settings

NO_PHONE = "phone-left-out"
"""The flag of a receipt whose customer's phone number is not in E.164 and is omitted."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def read_customer(sale: XmlJsonObject, settings: Settings) -> tuple[Customer | None, tuple[str, ...]]:
    """The customer, None when the sale names nobody (id 0), and the flags of the receipt."""
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
) -> tuple[Customer | None, tuple[str, ...]]:
    """A customer by what is known: the first e-mail that is one, and the first phone number in E.164.

    Without its country a phone number is ambiguous.
    """
    identifiers = [Identifier(settings.customer, number)] if settings.customer and number else []
    if mail := next((mail for mail in mails if "@" in mail), ""):
        identifiers.append(Identifier("email", mail))
    written = [re.sub(r"[ ()\-.]", "", phone) for phone in phones if phone]
    phone = next((phone for phone in written if _E164.fullmatch(phone)), "")
    if phone:
        identifiers.append(Identifier("mobilePhone", phone))
    flags = (NO_PHONE,) if written and not phone else ()
    if not identifiers:
        return None, flags
    return Customer(
        identifiers=tuple(identifiers), attributes={key: name for key, name in names.items() if name}
    ), flags
