"""The outcome of one attempt to reach the destination; the classes differ in whether it may have got the request.

`flow/retry_policy.py` decides by the class: a wrong key never makes a receipt fail, and a lost answer never makes a
second sale.

reason: short, without personal data or keys. status: of the HTTP answer, 0 where there is none. retry_after: seconds
the destination asks to wait (HTTP Retry-After), None where it does not say; they override the schedule.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from tillpost.model.typed import Typed


@attrs.frozen(kw_only=True)
class Delivered(Typed):
    """The destination accepted it: a 2xx with a body of the expected kind."""

    status: int = 0
    reason: str = ""


@attrs.frozen(kw_only=True)
class NotSent(Typed):
    """The destination cannot have accepted it: no connection, or a 5xx that says so. A retry is safe."""

    reason: str
    status: int = 0
    retry_after: float | None = None


@attrs.frozen(kw_only=True)
class MaybeSent(Typed):
    """The request may have arrived, and there is no usable answer. Verify before a retry."""

    reason: str
    status: int = 0


@attrs.frozen(kw_only=True)
class Refused(Typed):
    """This value is wrong, and a retry does not help: a person decides. Other receipts are sent."""

    reason: str
    status: int = 0


@attrs.frozen(kw_only=True)
class Misconfigured(Typed):
    """The settings are wrong (key, address): the pipeline pauses, keeps the order and counts no attempt."""

    reason: str
    status: int = 0


@attrs.frozen(kw_only=True)
class Throttled(Typed):
    """Too many requests: the shared rate budget is lowered, and no attempt is counted."""

    reason: str
    retry_after: float | None = None
    status: int = 429


Outcome = Delivered | NotSent | MaybeSent | Refused | Misconfigured | Throttled
Failure = NotSent | MaybeSent | Refused | Misconfigured | Throttled


@attrs.frozen(kw_only=True)
class Tenant(Typed):
    """Who the destination is, as far as the settings tell: contactIds of one tenant mean nothing to another.

    address: without anything secret; another one may be another tenant. credential: a digest of the key, or ""; another
    one is mostly the same tenant after a rotation. Either way a few lookups tell before anything is sent.
    """

    address: str
    credential: str = ""


@attrs.frozen(kw_only=True)
class Identified(Typed):
    """A resolver's answer: the contact exists.

    contact_id: the destination's id of the contact.
    created: this call created it. by: the kind of identifier that found it, "" when it was cached.
    holds: attributes the destination has now: those just sent, or those read by `reconcile_contact`; where an e-mail or
    a phone number found it, also the stronger identifiers it has. refused: kinds of identifier it was found or created
    without, because the destination does not take their value.
    """

    contact_id: str
    created: bool = False
    by: str = ""
    holds: dict[str, str] = attrs.field(factory=dict, repr=False)
    refused: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Conflict(Typed):
    """The contact's identifiers match several contacts of the destination: a rule or a person selects one.

    reason: without personal data. found: kind of identifier → the contactId it matches, in the order of the requests;
    "" where the destination has several for that identifier and does not name them.
    """

    reason: str
    found: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Gone(Typed):
    """The stored contactId is no longer valid (merged or erased). It is removed, and the contact is resolved again."""

    reason: str = "the stored contactId answers 404"


@attrs.frozen(kw_only=True)
class ReceiptRef(Typed):
    """A receipt that is looked for in a history.

    id: the receipt's. created: its time of sale, around which it stands there.
    """

    id: str
    created: datetime


@attrs.frozen(kw_only=True)
class History(Typed):
    """What a contact's history shows of the receipts asked for.

    shown: their ids. unread: ids of those that may stand in a part that was not read, because it would have taken too
    many requests. The others are not in the history.
    """

    shown: frozenset[str]
    unread: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True)
class NoHints(Typed):
    """The destination answers, and does not tell which contacts are gone."""

    reason: str
    status: int = 0


@attrs.frozen(kw_only=True)
class NoHistory(Typed):
    """The destination answers and shows no history of this contact: it shows none at all, or the contact is gone."""

    reason: str
    status: int = 0
