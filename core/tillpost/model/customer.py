"""The buyer: identifiers of a known kind, attributes, and the contact in the destination.

Values of this module are personal data: their `repr` shows kinds and counts, never a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

import attrs

from tillpost.errors import InvalidValue
from tillpost.model.typed import Typed, settle_types

IdentifierKind = Literal["contactId", "externalId", "memberNumber", "socialSecurityNumber", "email", "mobilePhone"]
"""The type of a setting that names the kind of a till's customer number."""

IDENTIFIER_KINDS: tuple[str, ...] = get_args(IdentifierKind)
"""The matchKeyTypes of the Engage contract. Other destinations map theirs to these."""


def normalize_identifier(kind: str, value: str) -> str:
    """Strip white space; lower the case of an e-mail, which Engage matches in any case (contract, matchKeyType)."""
    return value.strip().lower() if kind == "email" else value.strip()


@attrs.frozen
class Identifier(Typed):
    """One key that identifies a customer.

    kind: one of the kinds below. value: in the form of its kind; white space around it is removed.

    Raises InvalidValue for another kind and for an empty value.
    """

    kind: str
    value: str = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        settle_types(self)
        if self.kind not in IDENTIFIER_KINDS:
            raise InvalidValue(f"unknown identifier kind {self.kind[:40]!r}, known are {', '.join(IDENTIFIER_KINDS)}")
        normal = normalize_identifier(self.kind, self.value)
        if not normal:
            raise InvalidValue(f"the identifier {self.kind} is empty")
        if normal != self.value:
            object.__setattr__(self, "value", normal)

    @classmethod
    def parse(cls, text: str) -> Identifier:
        """Parse `kind:value`, the form of the configuration and the command line. Raises InvalidValue."""
        kind, _, value = text.partition(":")
        return cls(kind.strip(), value)

    def digest(self) -> str:
        """Twelve hex digits that replace the value in logs, events and pages."""
        return hashlib.sha256(f"{self.kind}:{self.value}".encode()).hexdigest()[:12]

    def __str__(self) -> str:
        return f"{self.kind}:#{self.digest()}"


def _without_empty(attributes: Mapping[str, str]) -> Mapping[str, str]:
    # An empty value would overwrite the one in Engage (contract, PATCH).
    if type(attributes) not in (dict, MappingProxyType) and not isinstance(attributes, Mapping):
        return attributes  # refused by its type
    return MappingProxyType({name: value for name, value in attributes.items() if value is not None and value != ""})


@attrs.frozen(kw_only=True)
class Customer(Typed):
    """The buyer as the till knows one.

    identifiers: possibly none: the receipt is then skipped. attributes: Engage's names and what the till has, such as
    `firstName`; an empty value is dropped, for it would overwrite the one in Engage.
    """

    identifiers: tuple[Identifier, ...] = ()
    attributes: Mapping[str, str] = attrs.field(
        factory=dict, hash=False, repr=lambda given: f"<{len(given)} attributes>"
    )

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "attributes", _without_empty(self.attributes))
        settle_types(self)


@attrs.frozen(kw_only=True)
class Contact(Typed):
    """A customer as the journal stores one: local id, identifiers, and the destination's id once it is known.

    key: Tillpost's own id, also used while the destination has none (during an outage).
    contact_id: Engage's GUID, or "" while it is unknown. identifiers: all that its receipts named.
    attributes: the attributes from tills. sent: those of them that the destination has confirmed. attribute_times: when
    the sale was that stated each (seconds since 1970). is_gone: its contactId turned out to be gone, and the contact is
    not identified again yet; then `attributes` has what the receipts that wait carry, and nothing of earlier sales.
    """

    key: str
    contact_id: str = ""
    identifiers: tuple[Identifier, ...] = ()
    attributes: Mapping[str, str] = attrs.field(
        factory=dict, converter=_without_empty, hash=False, repr=lambda given: f"<{len(given)} attributes>"
    )
    sent: Mapping[str, str] = attrs.field(
        factory=dict, converter=_without_empty, hash=False, repr=lambda given: f"<{len(given)} attributes>"
    )
    attribute_times: Mapping[str, float] = attrs.field(factory=dict, hash=False, repr=False)
    is_gone: bool = False
    store: str = ""
    """The store of the customer's first receipt, sent as storeExternalId when the contact is created."""

    def identifier(self, kind: str) -> Identifier | None:
        """The first identifier of this kind."""
        return next((known for known in self.identifiers if known.kind == kind), None)

    def changes(self) -> dict[str, str]:
        """The attributes the destination has not confirmed: the body of a PATCH."""
        return {name: value for name, value in self.attributes.items() if self.sent.get(name) != value}
