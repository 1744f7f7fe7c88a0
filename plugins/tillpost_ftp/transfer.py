"""The transfer: each call has a connection of its own, and what its failures mean."""

from __future__ import annotations

import ftplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from tillpost.kit.network import address, connection_failure
from tillpost.kit.transfer import FileTransfer
from tillpost.model import Failure, Misconfigured, NotSent
from tillpost_ftp.session import ERRORS, LoginRefusedError, NoTlsError, NotWritableError, Session, code
from tillpost_ftp.settings import Settings


class FtpTransfer(FileTransfer[Session]):
    """The hooks of the slot `transfer`. tls: None for none."""

    errors = ERRORS

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None) -> None:
        self._settings = settings
        self._tls = tls
        self.root = settings.path

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
        """See FileTransfer. The server's own words are omitted: they may repeat what it was sent."""
        settings = self._settings
        where = address(settings.host, settings.port)
        words = connection_failure(error, settings.host, settings.port, settings.timeout.total_seconds())
        match error:
            case ssl.SSLCertVerificationError():
                return Misconfigured(reason=f"{words}; transfer.ca names the certificates that are trusted")
            case NoTlsError():
                return Misconfigured(reason=f"{where} does not start TLS (it answers {error}); ask its administrator")
            case LoginRefusedError():
                return Misconfigured(
                    reason=f"{where} refuses the login (it answers {error}); check transfer.user, transfer.password, "
                    "and whether the server demands TLS (ftps)"
                )
            case NotWritableError():
                reason = f"{where} does not let transfer.user write below transfer.path {settings.path}"
                return Misconfigured(reason=reason)
            case ftplib.Error():
                return NotSent(reason=f"{where} answers {code(error)}")
        return NotSent(reason=words)
