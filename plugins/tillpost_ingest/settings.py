"""The settings of the source `ingest`."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

from tillpost import Secret
from tillpost.kit.settings import must
from tillpost_ingest.address import parse
from tillpost_ingest.signature import secret_bytes

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)
_timeout = must("be from 1s to 1h", lambda length: timedelta(seconds=1) <= length <= timedelta(hours=1))
_KEY = re.compile(r"[!-~]{16,}", re.ASCII)
_address = must(
    "be the whole address, such as https://pos.example.com/v1/shop/receipts",
    lambda url: re.fullmatch(r"(https?://[!-~]+)?", url) is not None,
)


def _named(field: str, names: object) -> None:
    for name in names if isinstance(names, dict) else ():
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{field}: {name!r} is not a valid sender name: a-z, 0-9, _ and -, beginning with a letter or digit"
            )


@attrs.frozen(kw_only=True)
class Settings:
    """listen: host:port, an IPv6 address in brackets; pipelines with the same one share a server.

    keys: sender → its key, sent as `Authorization: Bearer KEY` or `X-Api-Key: KEY`.
    secrets: sender → its signing secrets (`whsec_…`, the new one beside the old while they rotate), Standard Webhooks.
    shopify, square, zettle: sender → the secrets with which the vendor signs its webhooks; of Zettle an empty list
    until it has given its signing key. url: the address the vendor was given for this pipeline; Square signs it, too.
    certificate, key: PEM files for TLS; certificate has the whole chain, the server's first.
    largest: most bytes of a body, also after unpacking; it is held in memory.
    timeout: the longest time a request may take to arrive.
    """

    listen: str = attrs.field()
    keys: dict[str, Secret] = attrs.field(factory=dict)
    secrets: dict[str, tuple[Secret, ...]] = attrs.field(factory=dict)
    shopify: dict[str, tuple[Secret, ...]] = attrs.field(factory=dict)
    square: dict[str, tuple[Secret, ...]] = attrs.field(factory=dict)
    zettle: dict[str, tuple[Secret, ...]] = attrs.field(factory=dict)
    url: str = attrs.field(default="", validator=_address)
    certificate: Path | None = None
    key: Path | None = None
    largest: int = attrs.field(default=64 * 1024 * 1024, validator=attrs.validators.ge(1024))
    timeout: timedelta = attrs.field(default=timedelta(seconds=60), validator=_timeout)

    @listen.validator
    def _listen(self, _: object, listen: str) -> None:
        parse(listen)

    @keys.validator
    def _keys(self, _: object, keys: dict[str, Secret]) -> None:
        _named("keys", keys)
        for name, key in keys.items():
            if not _KEY.fullmatch(key.reveal()):
                raise ValueError(f"keys: that of {name} must be 16 or more visible ASCII characters")
        if len(set(keys.values())) < len(keys):
            raise ValueError("keys: two senders have the same key")

    @secrets.validator
    def _secrets(self, _: object, secrets: dict[str, tuple[Secret, ...]]) -> None:
        _named("secrets", secrets)
        for name, given in secrets.items():
            if not given:
                raise ValueError(f"secrets: {name} has none")
            for secret in given:
                try:
                    secret_bytes(secret.reveal())
                except ValueError as error:
                    raise ValueError(f"secrets: one of {name} {error}") from None

    @shopify.validator
    @square.validator
    @zettle.validator
    def _webhooks(self, field: attrs.Attribute[dict[str, tuple[Secret, ...]]], secrets: dict[str, Any]) -> None:
        _named(field.name, secrets)
        for name, given in secrets.items():
            if not given and field.name != "zettle":
                raise ValueError(f"{field.name}: {name} has none")
            if not all(_KEY.fullmatch(secret.reveal()) for secret in given):
                raise ValueError(f"{field.name}: each secret of {name} must be 16 or more visible ASCII characters")

    def __attrs_post_init__(self) -> None:
        if self.square and not self.url:
            raise ValueError("square needs url, the address in Square's subscription, because Square signs it")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key must be given together")
