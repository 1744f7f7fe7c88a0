"""What identifiers say of a person: their rank, their one spelling, and which of them no destination takes. Pure.

Values of this module are personal data: a fault names the kind and never the value.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import lru_cache

import attrs

from tillpost.model.customer import IDENTIFIER_KINDS, Contact, Customer, Identifier

STRONG = frozenset(("contactId", "externalId", "memberNumber", "socialSecurityNumber"))
"""Kinds that say who somebody is. An e-mail or a phone number may be shared, as in a family."""
MOST_CHARACTERS = 254
"""Of an identifier: an e-mail cannot be longer, and a request line of several KB is answered 414."""
UNUSABLE = "unusable-"
"""Begins the flag of a receipt that has an identifier no destination takes; the kind follows."""

FORMS: Mapping[str, str] = {
    "contactId": "the contact's GUID at Engage",
    "externalId": "the customer's number in a system of the retailer's, any text",
    "memberNumber": "the number of the member in Engage, any text",
    "socialSecurityNumber": "Swedish in 12 digits (YYYYMMDDNNNN), Finnish in capitals; other spellings become these",
    "email": "one @, with a name before it and a domain with a dot behind it; in any case of letters",
    "mobilePhone": "international (E.164), such as +46701234567; with `country` a national number is made so",
}
"""Kind of identifier → the form its value must have. What no destination takes is flagged `unusable-KIND`."""

_SPELT = ("mobilePhone", "socialSecurityNumber")
"""Kinds of which people write one value in several ways."""
_EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;.]+")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_BETWEEN_DIGITS = re.compile(r"[\s\-.()/\u2010-\u2015]")
_SWEDISH = re.compile(r"([12][0-9])?([0-9]{2})([0-9]{2})([0-9]{2})([-+]?)([0-9]{4})")
_FINNISH = re.compile(r"[0-3][0-9][01][0-9]{3}[-+A-FU-Y][0-9]{3}[0-9A-Y]", re.I)


@attrs.frozen(kw_only=True)
class IdentifierRules:
    """How a pipeline reads identifiers.

    order: kinds in the order in which the resolver asks for them, which is their rank among the strong and among the
    weak ones. country: ISO 3166 code for national phone numbers, "" for none; countries: of single stores.
    """

    order: tuple[str, ...] = ()
    country: str = ""
    countries: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    ranks: Mapping[str, int] = attrs.field(init=False, eq=False, repr=False)
    """Kind → its rank; the lower one decides."""

    @ranks.default
    def _ranks(self) -> Mapping[str, int]:
        listed = [*self.order, *(kind for kind in IDENTIFIER_KINDS if kind not in self.order)]
        listed.sort(key=lambda kind: kind not in STRONG)
        return {kind: rank for rank, kind in enumerate(listed)}

    def normal(self, known: Identifier, store: str) -> Identifier:
        """The identifier in its one spelling; as it is where it cannot be read."""
        if known.kind == "mobilePhone" and not _E164.fullmatch(known.value):
            value = _phone(known.value, self.countries.get(store, self.country))
        elif known.kind == "socialSecurityNumber":
            value = _national_id(known.value, self.countries.get(store, self.country), time.gmtime().tm_year)
        else:
            return known
        return known if value == known.value else Identifier(known.kind, value)

    def customer(self, customer: Customer, store: str) -> Customer:
        """The customer with usable identifiers in their one spelling, by rank; all of them when none is usable."""
        given = customer.identifiers
        before = -1
        for known in given:
            rank = self.ranks[known.kind]
            if rank <= before or known.kind in _SPELT or fault(known):
                break
            before = rank
        else:
            return customer  # as nearly every customer is
        normal = [self.normal(known, store) if known.kind in _SPELT else known for known in given]
        usable = [known for known in normal if not fault(known)] or normal
        usable.sort(key=lambda known: self.ranks[known.kind])
        return attrs.evolve(customer, identifiers=tuple(dict.fromkeys(usable)))

    def contact(self, contact: Contact) -> Contact:
        """The contact with its identifiers in their one spelling, as the setting of today reads them."""
        normal = tuple(dict.fromkeys(self.normal(known, contact.store) for known in contact.identifiers))
        return contact if normal == contact.identifiers else attrs.evolve(contact, identifiers=normal)

    def flags(self, customer: Customer | None, store: str) -> list[str]:
        """Flags of a receipt for those identifiers of its customer that no destination takes."""
        known = customer.identifiers if customer is not None else ()
        return list(dict.fromkeys([f"{UNUSABLE}{each.kind}" for each in known if fault(self.normal(each, store))]))


def fault(known: Identifier) -> str:
    """Why no destination takes the identifier; "" when it may."""
    kind, value = known.kind, known.value
    if len(value) > MOST_CHARACTERS:
        return f"{len(value)} characters long; at most {MOST_CHARACTERS} can be looked up"
    if not value.isprintable():
        return "has characters that cannot be printed"
    if kind == "externalId":
        return ""
    if kind == "contactId" and not _GUID.fullmatch(value):
        return "not an id of the destination"
    if kind == "email" and not _EMAIL.fullmatch(value):
        return "not an e-mail address"
    if kind == "mobilePhone" and not _E164.fullmatch(value):
        if _BETWEEN_DIGITS.sub("", value).isdecimal():
            return "a phone number without its country's code; `country` in the configuration reads national numbers"
        return "not a phone number"
    return ""


@lru_cache(maxsize=4096)
def _phone(value: str, country: str) -> str:
    """In international form (E.164), where the number or the country says which it is."""
    plain = _BETWEEN_DIGITS.sub("", value)
    if "(0)" not in value and _E164.fullmatch(plain):
        return plain
    if not country or not any(character.isdecimal() for character in value) or len(value) > MOST_CHARACTERS:
        return value
    import phonenumbers  # only where a pipeline has set its country

    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException:
        return value
    if not phonenumbers.is_possible_number(number):
        return value
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _national_id(value: str, country: str, year: int) -> str:
    """A Swedish identity number in 12 digits, a Finnish one in capitals; any other as it is. year: the present one."""
    text = "".join(value.split())
    if _FINNISH.fullmatch(text):
        return text.upper()
    found = _SWEDISH.fullmatch(text) if country in ("", "SE") else None
    if found is None:
        return value
    century, decade, month, day, sign, last = found.groups()
    # The day of a coordination number has 60 added.
    if not (1 <= int(month) <= 12 and 1 <= int(day) % 60 <= 31):
        return value
    if century is None:
        born = year - (year - int(decade)) % 100 - (100 if sign == "+" else 0)
        century = str(born // 100)
    return f"{century}{decade}{month}{day}{last}"
