"""Webhooks of vendors: how Shopify, Square and Zettle sign what they send, each by HMAC-SHA256."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

LONGEST_MESSAGE = 1 << 20
"""Bytes of a message of Zettle, which must be read as JSON before its signature can be checked."""


@attrs.frozen
class Vendor:
    """How one vendor signs.

    setting: the key of the settings that has its secrets. headers: those that may hold the signature, in lower case.
    decode: the signature's bytes; raises ValueError. content: what is signed, of the body as sent and of the address
    the vendor was given; None when the body is nothing the vendor sends.
    """

    name: str
    setting: str
    headers: tuple[str, ...]
    decode: Callable[[str], bytes]
    content: Callable[[bytes, str], bytes | None]

    def given(self, headers: Mapping[str, str]) -> str | None:
        """The signature as it was sent; None without one."""
        return next((headers[name] for name in self.headers if name in headers), None)

    def is_signed(self, headers: Mapping[str, str], body: bytes, url: str, secret: bytes) -> bool:
        """Whether the secret made the signature that was sent."""
        try:
            given = self.decode((self.given(headers) or "").strip())
        except (binascii.Error, ValueError):
            return False
        content = self.content(body, url)
        if content is None:
            return False
        return hmac.compare_digest(given, hmac.new(secret, content, hashlib.sha256).digest())


def message(body: bytes) -> dict[str, Any] | None:
    """A message of Zettle; None for anything else."""
    if len(body) > LONGEST_MESSAGE:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("eventName"), str) else None


def is_test_message(body: bytes) -> bool:
    """Whether it is what Zettle sends to an address it is given, before anybody has the key it will sign with."""
    found = message(body)
    return found is not None and found["eventName"] == "TestMessage"


def _zettle_content(body: bytes, _url: str) -> bytes | None:
    """`timestamp.payload`, the payload as the text it is inside the message, without the escapes of JSON."""
    found = message(body) or {}
    timestamp, payload = found.get("timestamp"), found.get("payload")
    if not isinstance(timestamp, str | int) or not isinstance(payload, str):
        return None
    try:
        return f"{timestamp}.{payload}".encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return None


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


SHOPIFY = Vendor(
    "Shopify",
    "shopify",
    ("x-shopify-hmac-sha256", "shopify-hmac-sha256"),
    _base64,
    lambda body, _url: body,
)
SQUARE = Vendor("Square", "square", ("x-square-hmacsha256-signature",), _base64, lambda body, url: url.encode() + body)
ZETTLE = Vendor("Zettle", "zettle", ("x-izettle-signature",), bytes.fromhex, _zettle_content)
VENDORS = (SHOPIFY, SQUARE, ZETTLE)
