"""The settings of Engage, by slot. What the contract leaves open is a setting, with a default."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Literal
from urllib.parse import urlsplit

import attrs

from tillpost import Secret
from tillpost.kit.settings import must, no_final_slash, not_empty, over_zero

LookupKey = Literal["externalId", "email", "mobilePhone", "socialSecurityNumber", "memberNumber"]


_printable = must("be printable ASCII", lambda text: text.isascii() and text.isprintable())
_no_repeats = must("not name a key twice", lambda keys: len(set(keys)) == len(keys))


@attrs.frozen(kw_only=True)
class ResolveSettings:
    """How contacts are found and created.

    keys: the kinds of identifier by which a contact is looked up, in this order.
    create: create a contact that no key finds. source, contact_type, unapproved: of a new contact.
    """

    keys: tuple[LookupKey, ...] = attrs.field(
        default=("externalId", "email", "mobilePhone"), validator=[not_empty, _no_repeats]
    )
    create: bool = True
    source: str = attrs.field(default="POS", validator=not_empty)
    contact_type: str = "Member"
    unapproved: bool = False


@attrs.frozen(kw_only=True)
class MapSettings:
    """How a receipt is written.

    price_basis: whether grossPaidPrice and taxAmount are for the whole `line` or for one `unit` [open in the
    contract]. contact_type: of a contact not named by contactId. exchange_rates: currency → multiplier to the
    group currency; a currency that is not listed is sent without one.
    """

    price_basis: Literal["line", "unit"] = "line"
    contact_type: str = "Member"
    exchange_rates: dict[str, Decimal] = attrs.field(factory=dict)

    @exchange_rates.validator
    def _rates(self, _: object, rates: dict[str, Decimal]) -> None:
        for currency, rate in rates.items():
            if not rate.is_finite() or rate <= 0:
                raise ValueError(f"exchange_rates: the rate of {currency} must be a number over 0")


@attrs.frozen(kw_only=True)
class TransportSettings:
    """Where Engage is, and the limits of its requests.

    url: the tenant's base address, without /api/v3. rate: requests a second and API key (the contract asks for
    50 at most). timeout: the longest time a request may take, from the connection to the last byte of the answer.
    user_agent: "" for `tillpost/<version>`.
    """

    url: str = attrs.field(converter=no_final_slash)
    api_key: Secret = attrs.field()
    rate: int = attrs.field(default=50, validator=over_zero)
    timeout: timedelta = attrs.field(default=timedelta(seconds=30), validator=over_zero)
    user_agent: str = attrs.field(default="", validator=_printable)

    @url.validator
    def _address(self, _: object, url: str) -> None:
        example = "such as https://tenant.voyado.com"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError(f"url must be an address {example}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            raise ValueError(f"url must begin with https:// (or http://) and name a host, {example}")
        if any(c <= " " for c in url):
            raise ValueError(f"url must not have blanks, {example}")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(f"url must have no user, query or fragment, {example}")
        if "/api/" in f"{parts.path}/":
            raise ValueError(f"url must stop before /api, which is added, {example}")

    @api_key.validator
    def _key(self, _: object, key: Secret) -> None:
        text = key.reveal()
        if not text or not text.isascii() or any(c <= " " or c == "\x7f" for c in text):
            raise ValueError(f"api_key ({key.origin}) must be visible ASCII characters, without blanks or line ends")
