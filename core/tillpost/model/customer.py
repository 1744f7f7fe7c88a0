"""Who bought: identifiers of typed kind, attributes the till knows, and the contact they lead to.

Values of this module are personal data: their `repr` shows kinds and counts, never a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

import attrs

from tillpost.errors import InvalidValue

IdentifierKind = Literal["contactId", "externalId", "memberNumber", "socialSecurityNumber", "email", "mobilePhone"]
"""The type of a setting that says what a till's number is."""

IDENTIFIER_KINDS: tuple[str, ...] = get_args(IdentifierKind)
"""The matchKeyTypes of the Engage contract; other systems map theirs to these."""


def tidy_identifier(kind: str, value: str) -> str:
    """Without blanks around it; e-mail addresses are matched without regard to case (Engage contract, matchKeyType)."""
    return value.strip().lower() if kind == "email" else value.strip()


@attrs.frozen
class Identifier:
    """One key a customer is known by, such as `externalId` or `email`."""

    kind: str
    value: str = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        if self.kind not in IDENTIFIER_KINDS:
            raise InvalidValue(f"unknown identifier kind {self.kind[:40]!r}, known are {', '.join(IDENTIFIER_KINDS)}")
        tidy = tidy_identifier(self.kind, self.value)
        if not tidy:
            raise InvalidValue(f"the identifier {self.kind} is empty")
        if tidy != self.value:
            object.__setattr__(self, "value", tidy)

    @classmethod
    def parse(cls, text: str) -> Identifier:
        """From `kind:value`, as the configuration and the command line write it."""
        kind, _, value = text.partition(":")
        return cls(kind.strip(), value)

    def digest(self) -> str:
        """Twelve hex digits that stand for the value in logs, events and pages."""
        return hashlib.sha256(f"{self.kind}:{self.value}".encode()).hexdigest()[:12]

    def __str__(self) -> str:
        return f"{self.kind}:#{self.digest()}"


def _filled(attributes: Mapping[str, str]) -> Mapping[str, str]:
    # An empty value would overwrite what Engage has (Engage contract, PATCH): it is never kept.
    return MappingProxyType({name: value for name, value in attributes.items() if value})


@attrs.frozen(kw_only=True)
class Customer:
    """What the till knows of the buyer: zero or more identifiers, and attributes named as Engage names them."""

    identifiers: tuple[Identifier, ...] = ()
    attributes: Mapping[str, str] = attrs.field(
        factory=dict, hash=False, repr=lambda given: f"<{len(given)} attributes>"
    )

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "attributes", _filled(self.attributes))


@attrs.frozen(kw_only=True)
class Contact:
    """A customer as Tillpost remembers one: local id, identifiers, and Engage's contactId once it is known.

    key: Tillpost's own id, also while Engage has none (it stands for the contact through an outage).
    contact_id: Engage's GUID, or "" while unknown.
    attributes: what the till knows; sent: what of it the destination is known to hold.
    """

    key: str
    contact_id: str = ""
    identifiers: tuple[Identifier, ...] = ()
    attributes: Mapping[str, str] = attrs.field(
        factory=dict, converter=_filled, hash=False, repr=lambda given: f"<{len(given)} attributes>"
    )
    sent: Mapping[str, str] = attrs.field(
        factory=dict, converter=_filled, hash=False, repr=lambda given: f"<{len(given)} attributes>"
    )
    store: str = ""
    """The store that saw the customer first; sent as storeExternalId when the contact is created."""

    def identifier(self, kind: str) -> Identifier | None:
        """The first identifier of this kind."""
        return next((known for known in self.identifiers if known.kind == kind), None)

    def changes(self) -> dict[str, str]:
        """The attributes the till knows and the destination is not known to hold: the body of a PATCH."""
        return {name: value for name, value in self.attributes.items() if self.sent.get(name) != value}
