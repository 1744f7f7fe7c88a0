"""Identifiers of contacts: which formats are valid, and when two are the same.

Source: contract, section 2, GET /api/v3/contacts/id.
"""

import re
from datetime import date

# The keys a contact can be created by; a tenant's customKey is memberNumber or externalId.
CREATE_KEYS = ("email", "mobilePhone", "socialSecurityNumber", "externalId")
IDENTIFIERS = (*CREATE_KEYS, "memberNumber")
MATCH_KEY_TYPES = ("contactId", "memberNumber", "socialSecurityNumber", "mobilePhone", "externalId", "email")
INVALID = {
    "email": "InvalidEmailAddress",
    "mobilePhone": "InvalidPhoneNumber",
    "socialSecurityNumber": "InvalidSocialSecurityNumber",
}

_EMAIL = re.compile(r"[^@\s\"<>(),:;\\\[\]]{1,64}@(?:[^@\s.\"<>(),:;\\\[\]]{1,63}\.)+[^@\s.\d\"<>]{2,63}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SWEDISH = re.compile(r"(?:18|19|20)[0-9]{10}")
_FINNISH = re.compile(r"([0-9]{6})([-+A-FU-Y])([0-9]{3})([0-9A-Y])", re.IGNORECASE)
_FINNISH_CHECK = "0123456789ABCDEFHJKLMNPRSTUVWXY"


def is_valid(kind: str, value: str) -> bool:
    """Whether a value has the format of its kind; kinds without a format allow any text that is not blank."""
    match kind:
        case "email":
            return len(value) <= 254 and ".." not in value and _EMAIL.fullmatch(value) is not None
        case "mobilePhone":
            return _E164.fullmatch(value) is not None
        case "socialSecurityNumber":
            return _is_swedish(value) or _is_finnish(value)
        case _:
            return bool(value.strip())


def normal(kind: str, value: str) -> str:
    """The form in which two values of a kind are compared: e-mail and contactId ignoring case."""
    return value.casefold() if kind in ("email", "contactId", "socialSecurityNumber") else value


def match_key_type(given: str) -> str | None:
    """The contract's spelling of a matchKeyType; case is ignored, for the published v2 client capitalises."""
    return {name.casefold(): name for name in MATCH_KEY_TYPES}.get(given.casefold())


def _is_swedish(value: str) -> bool:
    """A personal identity number, or a coordination number (day + 60), of 12 digits with its Luhn digit."""
    if not _SWEDISH.fullmatch(value):
        return False
    day = int(value[6:8])
    if not _is_date(int(value[:4]), int(value[4:6]), day - 60 if day > 60 else day):
        return False
    digits = [int(digit) * (2 - index % 2) for index, digit in enumerate(value[2:])]
    return sum(digit // 10 + digit % 10 for digit in digits) % 10 == 0


def _is_finnish(value: str) -> bool:
    """A Finnish personal identity code, with the century signs of 2023."""
    found = _FINNISH.fullmatch(value)
    if found is None:
        return False
    day, sign, number, check = found[1], found[2].upper(), found[3], found[4].upper()
    century = 1800 if sign == "+" else 1900 if sign in "-UVWXY" else 2000
    if not _is_date(century + int(day[4:]), int(day[2:4]), int(day[:2])):
        return False
    return _FINNISH_CHECK[int(day + number) % 31] == check


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
