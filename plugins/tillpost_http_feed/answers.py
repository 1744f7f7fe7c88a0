"""What an answer of the feed means, and what its error says, in words of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tillpost.kit.network import retry_after
from tillpost.model import Misconfigured, NotSent, Throttled
from tillpost_http_feed.client import Answer, Failed, Failure

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{2,59}")
_NAMES = ("code", "error", "errorCode", "error_code", "type", "errorType")
STALE = (400, 404, 409, 410, 422)
"""Statuses by which a feed says that it does not know a position any more."""


def failure_of(answer: Answer, now: float, what: str = "source.url") -> Failure | None:
    """None for a success. what: the setting that is asked about, for messages. now: seconds since 1970."""
    status = answer.status
    if 200 <= status < 300:
        return None
    named = next(codes(answer.body), "")
    says = f"{answer.where} answers {status}" + (f" ({named})" if named else "")
    wait = retry_after(answer.headers.get("retry-after"), now)
    if status == 429:
        return Throttled(reason=f"{says}: too many requests", retry_after=wait)
    if status in (408, 425) or status >= 500:
        return NotSent(reason=says, status=status, retry_after=wait)
    if status in (401, 403):
        return Misconfigured(
            reason=f"{says}: it does not let us in; check the token, or what it permits", status=status
        )
    if 300 <= status < 400:
        return Misconfigured(reason=f"{says}: it is elsewhere; write its new address as {what}", status=status)
    if status in (404, 405, 410):
        return Misconfigured(reason=f"{says}: there is no such list; check {what}", status=status)
    return Misconfigured(reason=f"{says}: it does not take the question; check {what} and what is sent", status=status)


def codes(body: bytes) -> Iterator[str]:
    """Names of errors in a body; never another text of it."""
    try:
        yield from _codes(json.loads(body[: 1 << 16]), 3)
    except (ValueError, RecursionError):
        return


def _codes(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, list) and depth:
        for each in value[:5]:
            yield from _codes(each, depth - 1)
    if isinstance(value, dict) and depth:
        for name in _NAMES:
            text = value.get(name)
            if isinstance(text, str) and _CODE.fullmatch(text):
                yield text
        for each in value.values():
            yield from _codes(each, depth - 1)


def read_json(answer: Answer) -> Any:
    """The answer's JSON. Raises Failed: a page of a server in between is no list of sales."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        kind = "a web page" if answer.body.lstrip()[:1] == b"<" else "something"
        reason = f"{answer.where} answers {answer.status} with {kind} that is not JSON"
        raise Failed(NotSent(reason=reason, status=answer.status)) from None
