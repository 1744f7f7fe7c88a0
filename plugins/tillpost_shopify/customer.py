"""The customer of an order: id, e-mail and phone."""

from __future__ import annotations

import re

from tillpost.kit import JsonObject
from tillpost.model import Customer, Identifier
from tillpost_shopify.settings import Settings

NO_PHONE = "phone-left-out"
"""The flag of a receipt whose customer's phone number is not in E.164 and is omitted."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def read_customer(order: JsonObject, settings: Settings) -> tuple[Customer | None, tuple[str, ...]]:
    """The customer, None when the order identifies nobody, and the flags of the receipt.

    The account's e-mail and phone are preferred to those typed in at the checkout. A phone number is taken only in
    E.164: without its country it is ambiguous.
    """
    account = order.object("customer")
    parts = [part for part in (account, order) if part is not None]
    identifiers: list[Identifier] = []
    flags: tuple[str, ...] = ()
    if settings.customer_id and account is not None and account.has("id"):
        identifiers.append(Identifier(settings.customer_id, account.text("id")))
    mails = [part.text(key, "") for part in parts for key in ("email", "contact_email")]
    mail = next((mail for mail in mails if "@" in mail), "")
    if mail:
        identifiers.append(Identifier("email", mail))
    phones = [re.sub(r"[ ()\-]", "", phone) for part in parts if (phone := part.text("phone", ""))]
    phone = next((phone for phone in phones if _E164.fullmatch(phone)), "")
    if phone:
        identifiers.append(Identifier("mobilePhone", phone))
    elif phones:
        flags = (NO_PHONE,)
    if not identifiers:
        return None, flags
    names = {"first_name": "firstName", "last_name": "lastName"}
    attributes = {label: account.text(key, "") for key, label in names.items()} if account is not None else {}
    return Customer(identifiers=tuple(identifiers), attributes=attributes), flags
