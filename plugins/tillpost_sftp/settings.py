"""The settings of a transfer by SFTP."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import attrs

from tillpost import Secret
from tillpost.kit.settings import host_name, no_final_slash, not_empty, over_zero, port_number


@attrs.frozen(kw_only=True)
class Settings:
    """Where files go, by which login, and which server is trusted.

    host_key: the server's public key, one line as `ssh-keyscan -t ed25519 HOST` prints it without the host
    (`ssh-ed25519 AAAA…`); no setting accepts every key. password, key: at least one; key is a private key
    file in OpenSSH form without a passphrase. path: the folder that has transactionImport and contactImport.
    timeout: for the connection and for each step over it.
    """

    host: str = attrs.field(validator=host_name)
    user: str = attrs.field(validator=not_empty)
    host_key: str = attrs.field()
    port: int = attrs.field(default=22, validator=port_number)
    password: Secret | None = None
    key: Path | None = None
    path: str = attrs.field(default="/integration", converter=no_final_slash)
    timeout: timedelta = attrs.field(default=timedelta(seconds=60), validator=over_zero)

    def __attrs_post_init__(self) -> None:
        if self.password is None and self.key is None:
            raise ValueError("password or key must be given")
