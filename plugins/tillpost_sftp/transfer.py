"""The transfer: calls that follow one another share a connection, and what its failures mean."""

from __future__ import annotations

import weakref

import asyncssh

from tillpost.kit.network import address, connection_failure
from tillpost.kit.transfer import FileTransfer
from tillpost.model import Failure, Misconfigured, NotSent
from tillpost_sftp.session import ERRORS, HostKeyChanged, Kept
from tillpost_sftp.settings import Settings


class SftpTransfer(FileTransfer[Kept]):
    """The hooks of the slot `transfer`."""

    errors = ERRORS

    def __init__(self, settings: Settings, trusted: asyncssh.SSHKey) -> None:
        self._settings = settings
        self._trusted = trusted
        self.root = settings.path
        self._kept = Kept(settings, trusted)
        weakref.finalize(self, self._kept.close)

    def connect(self) -> Kept:
        """See FileTransfer."""
        return self._kept

    def failure(self, error: Exception) -> Failure:
        """See FileTransfer."""
        settings = self._settings
        where = address(settings.host, settings.port)
        if isinstance(error, HostKeyChanged):
            return Misconfigured(
                reason=f"{where} shows the host key {error.fingerprint}, and transfer.host_key expects "
                f"{self._trusted.get_fingerprint()}; ask its administrator before you change the setting"
            )
        if isinstance(error, asyncssh.PermissionDenied):
            return Misconfigured(reason=f"{where} refuses the login; check transfer.user and its password or key")
        if isinstance(error, (asyncssh.KeyImportError, asyncssh.KeyEncryptionError)):
            return Misconfigured(reason="transfer.key is not a private key in OpenSSH form without a passphrase")
        if isinstance(error, asyncssh.SFTPPermissionDenied):
            return Misconfigured(reason=f"{where} does not let transfer.user write below transfer.path {settings.path}")
        if isinstance(error, asyncssh.SFTPNoSuchFile):
            return Misconfigured(reason=f"{where} has no folder {settings.path}; check transfer.path")
        if isinstance(error, FileNotFoundError) and settings.key and not settings.key.exists():
            return Misconfigured(reason=f"transfer.key: there is no file {settings.key}")
        if isinstance(error, (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost, asyncssh.ConnectionLost)):
            error = ConnectionResetError()
        elif isinstance(error, asyncssh.SFTPError):
            return NotSent(reason=f"{where} refuses a request (SFTP error {error.code})")
        elif isinstance(error, asyncssh.Error):
            return NotSent(reason=f"no SSH connection with {where} (SSH error {error.code})")
        return NotSent(reason=connection_failure(error, settings.host, settings.port, settings.timeout.total_seconds()))
