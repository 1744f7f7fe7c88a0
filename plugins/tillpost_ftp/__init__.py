"""Transfers files by FTP, with TLS (`ftps`) or without (`ftp`); the destination sees each whole or not at all."""

from __future__ import annotations

import os
import ssl

from tillpost import ConfigurationError, Context, Finding, simple
from tillpost_ftp.settings import FtpsSettings, Settings
from tillpost_ftp.transfer import FtpTransfer


def _trust(settings: FtpsSettings) -> ssl.SSLContext:
    """A context that accepts the server's certificate only when it is trusted and names the host."""
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except OSError as error:
        why = "it is not in PEM form" if isinstance(error, ssl.SSLError) else os.strerror(error.errno or 0).lower()
        raise ConfigurationError(
            Finding(
                key="transfer.ca",
                message=f"no certificate can be read from {settings.ca}: {why}.",
                next_step="Name a file with the CA's certificate, or the server's own, in PEM form.",
            )
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a server's own certificate may be the trusted one
    return context


def _ftps(settings: FtpsSettings, _context: Context) -> FtpTransfer:
    return FtpTransfer(settings, _trust(settings))


def _ftp(settings: Settings, _context: Context) -> FtpTransfer:
    return FtpTransfer(settings, None)


ftps = simple("transfer by FTP with explicit TLS", "transfer", FtpsSettings, _ftps)
ftp = simple("transfer by FTP without TLS: password and files are not encrypted", "transfer", Settings, _ftp)
