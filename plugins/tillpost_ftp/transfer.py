"""The transfer: each call has a connection of its own."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from tillpost.kit.transfer import FileTransfer
from tillpost.model import Failure
from tillpost_ftp.session import ERRORS, Session, failure
from tillpost_ftp.settings import Settings


class FtpTransfer(FileTransfer[Session]):
    """The hooks of the slot `transfer`. tls: None for none."""

    errors = ERRORS

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None) -> None:
        self._settings = settings
        self._tls = tls

    @property
    def root(self) -> str:
        """See FileTransfer."""
        return self._settings.path

    @contextmanager
    def connect(self) -> Iterator[Session]:
        """A session that is logged in."""
        session = Session(self._settings, self._tls)
        try:
            session.open()
            yield session
        finally:
            session.leave()

    def failure(self, error: Exception) -> Failure:
        """See FileTransfer."""
        return failure(error, self._settings)
