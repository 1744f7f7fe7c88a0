"""Signatures of Standard Webhooks (standardwebhooks.com, specification 1.0): `v1`, HMAC-SHA256."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

TOLERANCE = 300.0
"""Seconds a timestamp may differ from our clock: five minutes, as in the reference libraries."""


def secret_bytes(secret: str) -> bytes:
    """The secret behind `whsec_` and base64. Raises ValueError that does not quote it."""
    try:
        raw = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not secret.startswith("whsec_") or not 24 <= len(raw) <= 64:
        raise ValueError("is not a signing secret: whsec_ and 24 to 64 bytes in base64")
    return raw


def in_time(timestamp: str, now: float) -> bool:
    """Whether `webhook-timestamp` (whole seconds since 1970) is within TOLERANCE of now."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(now - int(timestamp)) <= TOLERANCE


def signed(identity: str, timestamp: str, body: bytes, secret: bytes) -> bytes:
    """The signature a body must have."""
    mac = hmac.new(secret, f"{identity}.{timestamp}.".encode("latin-1"), hashlib.sha256)
    mac.update(body)
    return mac.digest()


def given(header: str) -> list[bytes]:
    """The signatures of version 1 in `webhook-signature`, at most a few; other versions are ignored."""
    found = []
    for word in header.split(" ")[:16]:
        version, _, value = word.partition(",")
        if version == "v1":
            try:
                found.append(base64.b64decode(value, validate=True))
            except (binascii.Error, ValueError):
                continue
    return found
