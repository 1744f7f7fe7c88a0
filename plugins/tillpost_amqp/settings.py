"""The settings of the source `amqp`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import attrs

from tillpost import Secret
from tillpost.kit.settings import host_name, must, not_empty, over_zero, port_number

_name = must("be a name of 1 to 255 bytes", lambda name: 0 < len(name.encode()) <= 255)
_keys = must(
    "be a list of one or more routing keys of up to 255 bytes",
    lambda keys: keys and all(len(key.encode()) <= 255 for key in keys),
)
_prefetch = must("be from 1 to 10000", range(1, 10_001).__contains__)


@attrs.frozen(kw_only=True)
class Settings:
    """Which queue, of which broker, by which login.

    port: None for 5671, or 5672 without TLS. ca: the authorities that may have signed the broker's certificate, None
    for those of the machine. exchange: the queue is made, if need be, and bound to it by each of `keys`; without it the
    queue must be there. prefetch: messages that may be in hand at once. timeout: for the connection and each answer.
    """

    host: str = attrs.field(validator=host_name)
    user: str = attrs.field(validator=not_empty)
    password: Secret
    queue: str = attrs.field(validator=_name)
    port: int | None = attrs.field(default=None, validator=attrs.validators.optional(port_number))
    vhost: str = attrs.field(default="/", validator=_name)
    tls: bool = True
    ca: Path | None = None
    exchange: str = ""
    keys: tuple[str, ...] = attrs.field(default=("#",), validator=_keys)
    prefetch: int = attrs.field(default=64, validator=_prefetch)
    timeout: timedelta = attrs.field(default=timedelta(seconds=30), validator=over_zero)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or (5671 if self.tls else 5672)

    def __attrs_post_init__(self) -> None:
        if self.ca is not None and not self.tls:
            raise ValueError("ca is for tls = true")
