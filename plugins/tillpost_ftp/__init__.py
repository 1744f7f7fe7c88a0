"""Transfers files by FTP, with TLS (`ftps`) or without (`ftp`), so that the destination sees each whole or not at
all."""

from __future__ import annotations

import ssl

from tillpost import ConfigurationError, Context, Finding, simple
from tillpost_ftp.settings import FtpsSettings, Settings
from tillpost_ftp.transfer import FtpTransfer


def _trust(settings: FtpsSettings) -> ssl.SSLContext:
    """A context that takes the server's certificate only when it is trusted and names the host."""
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            Finding(
                key="transfer.ca",
                message=f"{settings.ca} is no file of certificates that can be read ({type(error).__name__}).",
                next_step="Give the CA's certificate, or the server's own, in PEM form.",
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
