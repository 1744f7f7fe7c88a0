"""The settings of a transfer by SFTP, and of a source that fetches files by SFTP."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

import attrs

from tillpost import Secret
from tillpost.kit.settings import host_name, must, no_final_slash, not_empty, over_zero, port_number

_not_negative = must("not be negative", lambda length: length >= timedelta(0))


@attrs.frozen(kw_only=True)
class Login:
    """By which login, and which server is trusted.

    host_key: the server's public key, one line as `ssh-keyscan -t ed25519 HOST` prints it without the host
    (`ssh-ed25519 AAAA…`); no setting accepts every key. password, key: at least one; key is a private key
    file in OpenSSH form without a passphrase. timeout: for the connection and for each step over it.
    """

    host: str = attrs.field(validator=host_name)
    user: str = attrs.field(validator=not_empty)
    host_key: str = attrs.field()
    port: int = attrs.field(default=22, validator=port_number)
    password: Secret | None = None
    key: Path | None = None
    timeout: timedelta = attrs.field(default=timedelta(seconds=60), validator=over_zero)

    def __attrs_post_init__(self) -> None:
        if self.password is None and self.key is None:
            raise ValueError("password or key must be given")


@attrs.frozen(kw_only=True)
class Settings(Login):
    """Where files go. path: the folder that has transactionImport and contactImport."""

    path: str = attrs.field(default="/integration", converter=no_final_slash)


@attrs.frozen(kw_only=True)
class SourceSettings(Login):
    """Which files are fetched, and what becomes of them on the server.

    path: the folder they are put into; its subfolders are not read. after: whether a file is moved to `done` or deleted
    once its receipts are committed. done, failed: "" for `<path>/done` and `<path>/failed`; a file that cannot be read
    goes to `failed`, whatever `after` says. pattern: which names are read (shell pattern, such as `*.xml`).
    settle: how long size and time of a file must stay unchanged before it is read. watch: how long a file is watched
    after it was moved: what its writer still adds is read; "0s" watches none.
    """

    default_poll: ClassVar[timedelta] = timedelta(minutes=1)

    path: str = attrs.field(validator=not_empty, converter=no_final_slash)
    after: Literal["move", "delete"] = "move"
    done: str = attrs.field(default="")
    failed: str = attrs.field(default="")
    pattern: str = attrs.field(default="*", validator=not_empty)
    settle: timedelta = attrs.field(default=timedelta(seconds=30), validator=_not_negative)
    watch: timedelta = attrs.field(default=timedelta(hours=1), validator=_not_negative)

    @done.validator
    @failed.validator
    def _elsewhere(self, field: attrs.Attribute[str], folder: str) -> None:
        if folder and no_final_slash(folder) == self.path:
            raise ValueError(f"{field.name} must not be the folder that is read, {self.path}")

    @property
    def done_folder(self) -> str:
        """Where accepted files go."""
        return no_final_slash(self.done) if self.done else f"{self.path.rstrip('/')}/done"

    @property
    def failed_folder(self) -> str:
        """Where files go that cannot be read."""
        return no_final_slash(self.failed) if self.failed else f"{self.path.rstrip('/')}/failed"
