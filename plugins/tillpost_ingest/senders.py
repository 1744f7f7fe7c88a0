"""Recognises senders, by their key or their signature. Keys are compared in constant time and never shown."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

import attrs

from tillpost_ingest.address import is_local
from tillpost_ingest.problem import Problem
from tillpost_ingest.settings import Settings
from tillpost_ingest.signature import given, in_time, secret_bytes, signed
from tillpost_ingest.webhooks import SQUARE, VENDORS, ZETTLE, Vendor, is_test_message

_ASK = {"WWW-Authenticate": 'Bearer realm="tillpost"'}


def _unknown(detail: str, close: bool = False) -> Problem:
    return Problem(401, "unauthorized", detail, _ASK, close)


@attrs.frozen
class Signer:
    """Who signed a request.

    identity: of the message, where it is signed, too. vendor: whose webhook it is; None for Standard Webhooks.
    handshake: it is a vendor's test of the address, which nobody can sign yet; nothing in it is accepted.
    """

    sender: str = ""
    identity: str = ""
    vendor: Vendor | None = None
    handshake: bool = False


@attrs.frozen
class Senders:
    """The senders of one pipeline. Headers are named in lower case."""

    keys: Mapping[bytes, tuple[str, bytes]] = attrs.field(repr=False)
    """SHA-256 of the key → sender and key: the time to find one reveals nothing of the others."""
    secrets: tuple[tuple[str, bytes], ...] = attrs.field(repr=False)
    webhooks: Mapping[Vendor, tuple[tuple[str, bytes], ...]] = attrs.field(repr=False)
    """The vendors that may send: each with the senders and their secrets."""
    url: str

    @classmethod
    def of(cls, settings: Settings) -> Senders:
        """The senders in the settings."""
        of_vendors = {vendor: getattr(settings, vendor.setting) for vendor in VENDORS}
        return cls(
            {_digest(key.reveal().encode()): (name, key.reveal().encode()) for name, key in settings.keys.items()},
            tuple((name, secret_bytes(secret.reveal())) for name, all_ in settings.secrets.items() for secret in all_),
            {
                vendor: tuple((name, secret.reveal().encode()) for name, all_ in given_.items() for secret in all_)
                for vendor, given_ in of_vendors.items()
                if given_
            },
            settings.url,
        )

    def named(self) -> bool:
        """Whether a sender must identify itself."""
        return bool(self.keys or self.secrets or self.webhooks)

    def by_key(self, headers: Mapping[str, str]) -> str | None:
        """The sender by its key; "" without keys and secrets; None: check the signature. Raises Problem."""
        if not self.named():
            _refuse_pages(headers)
            return ""
        key = _key(headers)
        if key is not None:
            found, expected = self.keys.get(_digest(key), ("", b""))
            if not found or not hmac.compare_digest(key, expected):
                raise _unknown("unknown key", close=True)
            return found
        if self.secrets and "webhook-signature" in headers:
            return None
        if ZETTLE in self.webhooks or any(vendor.given(headers) for vendor in self.webhooks):
            return None
        raise _unknown("neither a key nor a signature was sent", close=True)

    def by_signature(self, headers: Mapping[str, str], body: bytes, now: float) -> Signer:
        """Whose secret signed the body as it was sent. Raises Problem."""
        for vendor, secrets in self.webhooks.items():
            if vendor.given(headers) is not None:
                for name, secret in secrets:
                    if vendor.is_signed(headers, body, self.url, secret):
                        return Signer(name, vendor=vendor)
        if ZETTLE in self.webhooks and is_test_message(body):
            return Signer(vendor=ZETTLE, handshake=True)
        for vendor in self.webhooks:
            if vendor.given(headers) is not None:
                also = f", or url is not the address in {vendor.name}'s subscription" if vendor is SQUARE else ""
                raise _unknown(f"no secret of {vendor.setting} has signed this{also}")
        if not self.secrets or "webhook-signature" not in headers:
            raise _unknown("neither a key nor a signature was sent")
        return self._standard(headers, body, now)

    def _standard(self, headers: Mapping[str, str], body: bytes, now: float) -> Signer:
        identity, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not identity:
            raise _unknown("webhook-id is missing")
        if not in_time(timestamp, now):
            raise _unknown("webhook-timestamp is missing, or more than five minutes from this machine's clock")
        signatures = given(headers["webhook-signature"])
        found = None
        for name, secret in self.secrets:
            expected = signed(identity, timestamp, body, secret)
            if any(hmac.compare_digest(signature, expected) for signature in signatures):
                found = name
        if found is None:
            raise _unknown("no signature matches the body")
        return Signer(found, identity)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _key(headers: Mapping[str, str]) -> bytes | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip().encode("latin-1")
    if "x-api-key" in headers:
        return headers["x-api-key"].encode("latin-1")
    return None


def _refuse_pages(headers: Mapping[str, str]) -> None:
    """Refuse requests of web pages: without keys a page open in this machine's browser could send receipts."""
    host = headers.get("host", "localhost")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if "origin" in headers or "sec-fetch-site" in headers or not is_local(name):
        raise Problem(403, "forbidden", "without keys only programs of this machine may send", close=True)
