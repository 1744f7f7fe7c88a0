"""The customers of the demo: what Engage knows of them beforehand, and what a till learns at the counter."""

from __future__ import annotations

from random import Random

import attrs

from tillpost.model import Customer, Identifier
from tillpost_demo.catalogue import CITIES, FIRST_NAMES, LAST_NAMES, PHONE_SERIES


@attrs.frozen(repr=False)
class Person:
    """One customer. `keys` are all identifiers there are; a till sees one or two of them."""

    known: bool
    first_name: str
    last_name: str
    city: str
    keys: tuple[Identifier, ...]

    def contact(self) -> dict[str, str]:
        """The contact as POST /api/v3/contacts takes it."""
        return {"firstName": self.first_name, "lastName": self.last_name} | {key.kind: key.value for key in self.keys}

    def at_the_till(self, random: Random) -> Customer:
        """The customer as one till sees them: the first key always, another now and then.

        Always the first, for two tills that see keys without a link between them see two customers.
        """
        shown = self.keys if random.random() < 0.6 else self.keys[:1]
        attributes = {"firstName": self.first_name, "lastName": self.last_name}
        if random.random() < 0.3:
            attributes["city"] = self.city
        return Customer(identifiers=shown, attributes=attributes)


def make_people(random: Random, *, known: int, new: int) -> tuple[Person, ...]:
    """Customers with keys of their own; the known ones have a card (externalId), the new ones any first key."""
    phones = iter(random.sample(PHONE_SERIES, len(PHONE_SERIES)))
    return tuple(_person(random, number, number < known, next(phones, None)) for number in range(known + new))


def _person(random: Random, number: int, known: bool, phone: int | None) -> Person:
    first, last = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
    card = Identifier("externalId", f"K{number + 1:05}")
    # The plus sign is what an encoding mistake turns into a blank.
    email = Identifier(
        "email", f"{random.choice(('shop', 'kund'))}+{number + 1}@example.{random.choice(('com', 'org'))}"
    )
    mobile = [Identifier("mobilePhone", f"+46{phone}")] if phone is not None else []
    if known:
        keys = (card, email, *mobile)
    else:
        keys = random.choice([(card, email), (email, *mobile), (*mobile, email), (card,)])
    return Person(known, first, last, random.choice(CITIES), keys)
