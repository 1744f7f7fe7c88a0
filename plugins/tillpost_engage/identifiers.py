"""Which identifiers Engage finds, creates and matches by. Source: contract, section 2."""

from __future__ import annotations

import re

from tillpost.model import Contact
from tillpost.model.identifier_rules import fault

QUERY_NAMES = {
    "email": "email",
    "mobilePhone": "mobilePhone",
    "socialSecurityNumber": "socialSecurityNumber",
    # The tenant's custom key is its memberNumber or its externalId; the search takes both under one name.
    "externalId": "customKey",
    "memberNumber": "customKey",
}
"""Identifier kind → its name in the query of GET /contacts/id."""

CREATE_KEYS = ("email", "mobilePhone", "externalId", "socialSecurityNumber")
"""A new contact needs one of these kinds; Engage assigns the memberNumber."""

_CONTACT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def is_usable(kind: str, value: str) -> bool:
    """Whether a value can be sent under this name: phone numbers are E.164 (ITU-T), Engage checks the others."""
    return kind != "mobilePhone" or _E164.fullmatch(value) is not None


def is_contact_id(value: str) -> bool:
    """Whether a stored contactId can stand in the path of a request: no `..`, no slash, no blank."""
    return _CONTACT_ID.fullmatch(value) is not None


def given_ids(contact: Contact) -> list[str]:
    """The contactIds that tills have given and that have the form of Engage's own, a GUID (contract, section 2)."""
    return [known.value for known in contact.identifiers if known.kind == "contactId" and _GUID.fullmatch(known.value)]


def usable(contact: Contact) -> dict[str, str]:
    """The contact's identifiers that can be sent, the first of each kind."""
    found: dict[str, str] = {}
    for known in contact.identifiers:
        if known.kind in QUERY_NAMES and not fault(known):
            found.setdefault(known.kind, known.value)
    return found
