"""Transfers files by SFTP; the destination sees each whole or not at all. Needs `tillpost[sftp]`."""

from __future__ import annotations

from tillpost import ConfigurationError, Context, Finding, simple
from tillpost_sftp.settings import Settings


def _make(settings: Settings, _context: Context) -> object:
    try:
        import asyncssh
    except ImportError:
        raise ConfigurationError(
            Finding(
                key="transfer.use",
                message="SFTP needs a package that is not installed.",
                next_step="Run: pip install 'tillpost[sftp]'.",
            )
        ) from None
    from tillpost_sftp.transfer import SftpTransfer

    try:
        trusted = asyncssh.import_public_key(settings.host_key.strip())
    except (asyncssh.KeyImportError, ValueError):
        raise ConfigurationError(
            Finding(
                key="transfer.host_key",
                message="the host key is not valid: it is not an OpenSSH public key.",
                next_step='Ask the server\'s administrator for it: one line, such as "ssh-ed25519 AAAA…".',
            )
        ) from None
    return SftpTransfer(settings, trusted)


plugin = simple("transfer by SFTP", "transfer", Settings, _make)
