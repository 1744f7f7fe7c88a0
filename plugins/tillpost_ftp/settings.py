"""What can be set for a transfer by FTP."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

from tillpost import Secret


def _path(path: str) -> str:
    return path.rstrip("/") or "/"


def _one_line(_: object, field: attrs.Attribute[Any], value: str) -> None:
    # A line break would end the command it is part of and begin another.
    if any(c < " " or c == "\x7f" for c in value):
        raise ValueError(f"{field.name} must not have control characters")


@attrs.frozen(kw_only=True)
class Settings:
    """Where files go, and as whom.

    path: the folder that has transactionImport and contactImport. timeout: for the connection and for each step
    over it: a command, or a block of 256 KiB. passive: the client opens the data connections; false where the
    server must open them.
    """

    host: str = attrs.field()
    user: str = attrs.field(validator=_one_line)
    password: Secret = attrs.field()
    port: int = attrs.field(default=21)
    path: str = attrs.field(default="/integration", converter=_path, validator=_one_line)
    timeout: timedelta = attrs.field(default=timedelta(seconds=60))
    passive: bool = True

    @host.validator
    def _host(self, _: object, host: str) -> None:
        if not host or any(c <= " " or c in "/@" for c in host):
            raise ValueError("host must be a name or an address, without a scheme, a user or a path")

    @user.validator
    def _user(self, _: object, user: str) -> None:
        if not user:
            raise ValueError("user must not be empty")

    @password.validator
    def _password(self, _: object, password: Secret) -> None:
        if any(c in "\r\n\0" for c in password.reveal()):
            raise ValueError("password must be one line")

    @port.validator
    def _port(self, _: object, port: int) -> None:
        if not 0 < port < 65536:
            raise ValueError("port must be from 1 to 65535")

    @timeout.validator
    def _timeout(self, _: object, timeout: timedelta) -> None:
        if timeout <= timedelta(0):
            raise ValueError("timeout must be over 0")


@attrs.frozen(kw_only=True)
class FtpsSettings(Settings):
    """The same with TLS.

    ca: whose certificates are trusted, a PEM file (a CA, or the server's own); without it those the system trusts.
    """

    ca: Path | None = None
