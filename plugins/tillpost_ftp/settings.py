"""The settings of a transfer by FTP."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import attrs

from tillpost import Secret
from tillpost.kit.settings import host_name, must, no_final_slash, not_empty, over_zero, port_number

# A line break would end the command and begin another.
_no_line_end = must("be one line", lambda password: not any(c in "\r\n\0" for c in password.reveal()))
_one_line = must("not have control characters", lambda text: not any(c < " " or c == "\x7f" for c in text))


@attrs.frozen(kw_only=True)
class Settings:
    """Where files go, and by which login.

    path: the folder that has transactionImport and contactImport. timeout: for the connection and for each step
    over it: a command, or a block of 256 KiB. passive: the client opens the data connections; false where the
    server must open them.
    """

    host: str = attrs.field(validator=host_name)
    user: str = attrs.field(validator=[not_empty, _one_line])
    password: Secret = attrs.field(validator=_no_line_end)
    port: int = attrs.field(default=21, validator=port_number)
    path: str = attrs.field(default="/integration", converter=no_final_slash, validator=_one_line)
    timeout: timedelta = attrs.field(default=timedelta(seconds=60), validator=over_zero)
    passive: bool = True


@attrs.frozen(kw_only=True)
class FtpsSettings(Settings):
    """The same with TLS.

    ca: a PEM file of trusted certificates (a CA, or the server's own); without it those the system trusts.
    """

    ca: Path | None = None
