"""What a failure of SFTP means: nothing was done now, or the settings are wrong."""

from __future__ import annotations

import asyncssh

from tillpost.kit.network import address, connection_failure
from tillpost.model import Misconfigured, NotSent
from tillpost_sftp.session import HostKeyChanged
from tillpost_sftp.settings import Settings, SourceSettings

LOST = (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost, asyncssh.ConnectionLost)


def failure_of(
    error: Exception, settings: Settings | SourceSettings, trusted: asyncssh.SSHKey, slot: str
) -> NotSent | Misconfigured:
    """slot: whose settings they are, for the names of keys in the message."""
    where = address(settings.host, settings.port)
    if isinstance(error, HostKeyChanged):
        return Misconfigured(
            reason=f"{where} shows the host key {error.fingerprint}, and {slot}.host_key expects "
            f"{trusted.get_fingerprint()}; ask its administrator before you change the setting"
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return Misconfigured(reason=f"{where} refuses the login; check {slot}.user and its password or key")
    if isinstance(error, (asyncssh.KeyImportError, asyncssh.KeyEncryptionError)):
        return Misconfigured(reason=f"{slot}.key is not a private key in OpenSSH form without a passphrase")
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        may = "write" if slot == "transfer" else "read"
        return Misconfigured(reason=f"{where} does not let {slot}.user {may} below {slot}.path {settings.path}")
    if isinstance(error, asyncssh.SFTPNoSuchFile):
        return Misconfigured(reason=f"{where} has no folder {settings.path}; check {slot}.path")
    if isinstance(error, FileNotFoundError) and settings.key and not settings.key.exists():
        return Misconfigured(reason=f"{slot}.key: there is no file {settings.key}")
    if isinstance(error, LOST):
        error = ConnectionResetError()
    elif isinstance(error, asyncssh.SFTPError):
        return NotSent(reason=f"{where} refuses a request (SFTP error {error.code})")
    elif isinstance(error, asyncssh.Error):
        return NotSent(reason=f"no SSH connection with {where} (SSH error {error.code})")
    return NotSent(reason=connection_failure(error, settings.host, settings.port, settings.timeout.total_seconds()))


def refusal(error: asyncssh.SFTPError) -> str:
    """The server's answer about one file, in words of ours: its text may be anything."""
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        return "the server does not permit it"
    if isinstance(error, asyncssh.SFTPNoSuchFile):
        return "the server has no such file or folder"
    return f"the server refuses it (SFTP error {error.code})"
