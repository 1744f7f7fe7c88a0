"""What can be set for a transfer by SFTP."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import attrs

from tillpost import Secret


def _path(path: str) -> str:
    return path.rstrip("/") or "/"


@attrs.frozen(kw_only=True)
class Settings:
    """Where files go, as whom, and which server is trusted.

    host_key: the server's public key, one line as `ssh-keyscan -t ed25519 HOST` prints it without the host
    (`ssh-ed25519 AAAA…`); there is no way to take any key. password, key: at least one; key is a private key
    file in OpenSSH form without a passphrase. path: the folder that has transactionImport and contactImport.
    timeout: for the connection and for each step over it.
    """

    host: str = attrs.field()
    user: str = attrs.field()
    host_key: str = attrs.field()
    port: int = attrs.field(default=22)
    password: Secret | None = None
    key: Path | None = None
    path: str = attrs.field(default="/integration", converter=_path)
    timeout: timedelta = attrs.field(default=timedelta(seconds=60))

    @host.validator
    def _host(self, _: object, host: str) -> None:
        if not host or any(c <= " " or c in "/@" for c in host):
            raise ValueError("host must be a name or an address, without a scheme, a user or a path")

    @user.validator
    def _user(self, _: object, user: str) -> None:
        if not user:
            raise ValueError("user must not be empty")

    @port.validator
    def _port(self, _: object, port: int) -> None:
        if not 0 < port < 65536:
            raise ValueError("port must be from 1 to 65535")

    @timeout.validator
    def _timeout(self, _: object, timeout: timedelta) -> None:
        if timeout <= timedelta(0):
            raise ValueError("timeout must be over 0")

    def __attrs_post_init__(self) -> None:
        if self.password is None and self.key is None:
            raise ValueError("password or key must be given")
