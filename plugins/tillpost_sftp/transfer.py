"""The transfer: calls that follow one another share a connection."""

from __future__ import annotations

import weakref

import asyncssh

from tillpost.kit.transfer import FileTransfer
from tillpost.model import Failure
from tillpost_sftp.session import ERRORS, Kept, failure
from tillpost_sftp.settings import Settings


class SftpTransfer(FileTransfer[Kept]):
    """The hooks of the slot `transfer`."""

    errors = ERRORS

    def __init__(self, settings: Settings, trusted: asyncssh.SSHKey) -> None:
        self._settings = settings
        self._trusted = trusted
        self._kept = Kept(settings, trusted)
        weakref.finalize(self, self._kept.close)

    @property
    def root(self) -> str:
        """See FileTransfer."""
        return self._settings.path

    def connect(self) -> Kept:
        """See FileTransfer."""
        return self._kept

    def failure(self, error: Exception) -> Failure:
        """See FileTransfer."""
        return failure(error, self._settings)
