"""What an answer of Engage means: an answer in, an Outcome out.

Whether a POST may be repeated, by status (contract, section 1, "Retrying", and section 2):
- 500, 503: Engage itself answered that it did not do it; uniqueReceiptId makes a repeat harmless anyway, and
  contacts are looked up before they are created. NotSent.
- 502, 504: a server in front of Engage answered, and Engage may have it. MaybeSent.
Only 400, 409, 413, 414, 422 and 431 are about the value that was sent; every other 4xx is about the settings, so that
no receipt is held for a wrong key or address.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import attrs

from tillpost.model import Delivered, MaybeSent, Misconfigured, NotSent, Outcome, Refused, Throttled

# The error names of the contract, searched anywhere in an error body, whose shape is not published.
KNOWN_CODES = (
    "ContactNotFound",
    "MultipleMatches",
    "InvalidEmailAddress",
    "InvalidPhoneNumber",
    "InvalidSocialSecurityNumber",
    "InvalidContactType",
    "InvalidSearchQuery",
    "InvalidSystemConfiguration",
)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{2,59}")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_.\[\]]{0,79}")
_UNSEEN = {500, 503}

Kind = Literal["json", "empty", "page", "other"]


@attrs.frozen(kw_only=True)
class Answer:
    """A complete answer. kind: what its body is; value: the parsed JSON, where it is JSON."""

    status: int
    kind: Kind
    value: Any = attrs.field(default=None, repr=False)
    retry_after: float | None = None


@attrs.frozen(kw_only=True)
class Absent:
    """The tenant does not have an endpoint that is not documented, or our key may not use it."""

    status: int = 0


def code(answer: Answer) -> str:
    """Engage's name for an error, "" when the body has none. Never any other text of the body."""
    if not isinstance(answer.value, (dict, list, str)):
        return ""
    texts = list(_texts(answer.value, depth=3))
    for known in KNOWN_CODES:
        if any(known in text for text in texts):
            return known
    if isinstance(answer.value, dict):
        for name in ("errorCode", "code", "error"):
            given = answer.value.get(name)
            if isinstance(given, str) and _CODE.fullmatch(given):
                return given
    return ""


def fields(answer: Answer) -> list[str]:
    """The names of the fields an error body complains about, at most five; names, never values."""
    errors = answer.value.get("errors") if isinstance(answer.value, dict) else None
    names = [error.get("field") for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return [name for name in names if isinstance(name, str) and _FIELD.fullmatch(name)][:5]


def judge(answer: Answer, *, changes: bool) -> Outcome:
    """What the answer means for the request. changes: whether the request changes something."""
    status = answer.status
    if 200 <= status < 300:
        return _success(answer, changes)
    if 300 <= status < 400:
        reason = f"answered {status}, a redirect, which is not followed; set transport.url to Engage's own address"
        return Misconfigured(reason=reason, status=status)
    if status == 429:
        return Throttled(reason="answered 429, too many requests", retry_after=answer.retry_after)
    named = f" {found}" if (found := code(answer)) else ""
    if status in (400, 409, 413, 414, 422, 431):
        where = f" ({', '.join(listed)})" if (listed := fields(answer)) else ""
        return Refused(reason=f"answered {status}{named}{where}", status=status)
    if status in (401, 403):
        reason = f"answered {status}{named}: Engage refuses the key; check transport.api_key"
        return Misconfigured(reason=reason, status=status)
    if status == 408 or status in _UNSEEN or (status >= 500 and not changes):
        return NotSent(reason=f"answered {status}{named}", status=status, retry_after=answer.retry_after)
    if status >= 500:
        return MaybeSent(reason=f"answered {status}{named}", status=status)
    return Misconfigured(reason=f"answered {status}{named}: unknown address; check transport.url", status=status)


def _success(answer: Answer, changes: bool) -> Outcome:
    status = answer.status
    if answer.kind in ("json", "empty"):
        return Delivered(status=status)
    if answer.kind == "page":
        # A captive portal or a proxy's own page: it did not reach Engage.
        return NotSent(reason=f"answered {status} with a page instead of JSON", status=status)
    reason = f"answered {status} with a body that is not JSON"
    return MaybeSent(reason=reason, status=status) if changes else NotSent(reason=reason, status=status)


def _texts(value: Any, depth: int) -> list[str]:
    if isinstance(value, str):
        return [value]
    if depth == 0:
        return []
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in below for text in _texts(item, depth - 1)]
