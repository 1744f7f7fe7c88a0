"""Answers other than 202: problem documents (RFC 9457), without personal data and without keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import attrs

Headers = Mapping[str, str]


@attrs.frozen
class Answer:
    """An answer as it is sent. close: nothing more is read from the connection."""

    status: int
    headers: Headers
    body: bytes
    close: bool = False


@attrs.define
class Problem(Exception):
    """Ends the handling of a request. kind: the last part of its `type`, for programs; the README lists them."""

    status: int
    kind: str
    detail: str
    headers: Headers = attrs.Factory(dict)
    close: bool = False
    members: Mapping[str, Any] = attrs.Factory(dict)
    """Further members of the document."""

    def answer(self) -> Answer:
        """The problem document."""
        document = {
            "type": f"urn:tillpost:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        body = json.dumps(document).encode()
        return Answer(self.status, {"Content-Type": "application/problem+json", **self.headers}, body, self.close)


def later(status: int, kind: str, detail: str, seconds: float) -> Problem:
    """A temporary problem: the sender keeps its copy and sends again after `seconds`."""
    return Problem(status, kind, detail, {"Retry-After": str(max(1, round(seconds)))})
