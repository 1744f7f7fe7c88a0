"""The transfer: calls that follow one another share a connection, and what its failures mean."""

from __future__ import annotations

import weakref

import asyncssh

from tillpost.kit.transfer import FileTransfer
from tillpost.model import Failure
from tillpost_sftp.failures import failure_of
from tillpost_sftp.session import ERRORS, Kept
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
        return failure_of(error, self._settings, self._trusted, "transfer")
