"""What became of one attempt to reach the destination, told by whether it may have seen the request.

The classes decide what happens to data (flow/retry_policy.py): a wrong key must never condemn a receipt, and a lost
answer must never become a second sale. `reason` is short, without personal data or keys.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen(kw_only=True)
class Delivered:
    """The destination has it (a 2xx with the expected kind of body)."""

    status: int = 0
    reason: str = ""


@attrs.frozen(kw_only=True)
class NotSent:
    """It cannot have been taken: no connection, or a 5xx that says so. Repeating is safe."""

    reason: str
    status: int = 0
    retry_after: float | None = None
    """Seconds the destination asked for (HTTP Retry-After); wins over the schedule."""


@attrs.frozen(kw_only=True)
class MaybeSent:
    """The request may have arrived, and no usable answer came: ask before repeating."""

    reason: str
    status: int = 0


@attrs.frozen(kw_only=True)
class Refused:
    """This one value is wrong, and repeating changes nothing: a person decides. The others go on."""

    reason: str
    status: int = 0


@attrs.frozen(kw_only=True)
class Misconfigured:
    """The settings are wrong (key, address, destination): the pipeline pauses, order is kept, no attempt is burnt."""

    reason: str
    status: int = 0


@attrs.frozen(kw_only=True)
class Throttled:
    """Too many requests: the shared budget slows down, no attempt is burnt."""

    reason: str
    retry_after: float | None = None
    status: int = 429


Outcome = Delivered | NotSent | MaybeSent | Refused | Misconfigured | Throttled
Failure = NotSent | MaybeSent | Refused | Misconfigured | Throttled


@attrs.frozen(kw_only=True)
class Identified:
    """A resolver's answer: the contact exists.

    created: this call made it. by: the kind of identifier that found it ("" when it was remembered).
    holds: attributes the destination is known to hold now: those just sent, or, of `reconcile_contact`, those read.
    """

    contact_id: str
    created: bool = False
    by: str = ""
    holds: dict[str, str] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class Conflict:
    """The contact's keys lead to several contacts of the destination: a rule or a person decides which one it is.

    reason: without personal data. found: kind of identifier → the contactId it leads to, in the order in which they
    were asked; "" where the destination has several by that one key and does not say which.
    """

    reason: str
    found: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Gone:
    """The stored contactId is no longer valid (merged or erased): forget it and identify again."""

    reason: str = "the stored contactId answers 404"
