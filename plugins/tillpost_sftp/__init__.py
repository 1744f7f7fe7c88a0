"""SFTP: `transfer` puts files where the destination reads them, `source` fetches a till's. Needs `tillpost[sftp]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tillpost import ConfigurationError, Context, Finding, Plugin, Use
from tillpost_sftp.settings import Login, Settings, SourceSettings

if TYPE_CHECKING:
    import asyncssh


def _make(settings: Settings, _context: Context) -> object:
    trusted = _trusted(settings, "transfer")
    from tillpost_sftp.transfer import SftpTransfer

    return SftpTransfer(settings, trusted)


def _make_source(settings: SourceSettings, context: Context) -> object:
    trusted = _trusted(settings, "source")
    from tillpost_sftp.source import SftpSource

    return SftpSource(settings, trusted, context)


def _trusted(settings: Login, slot: str) -> asyncssh.SSHKey:
    try:
        import asyncssh
    except ImportError:
        raise ConfigurationError(
            Finding(
                key=f"{slot}.use",
                message="SFTP needs a package that is not installed.",
                next_step="Run: pip install 'tillpost[sftp]'.",
            )
        ) from None
    try:
        return asyncssh.import_public_key(settings.host_key.strip())
    except (asyncssh.KeyImportError, ValueError):
        raise ConfigurationError(
            Finding(
                key=f"{slot}.host_key",
                message="the host key is not valid: it is not an OpenSSH public key.",
                next_step='Ask the server\'s administrator for it: one line, such as "ssh-ed25519 AAAA…".',
            )
        ) from None


def _build(uses: Sequence[Use], context: Context) -> Sequence[object]:
    return [(_make if use.slot == "transfer" else _make_source)(use.settings, context) for use in uses]


plugin = Plugin(
    summary="Files by SFTP: fetched from a till's server, or transferred to the destination's",
    slots={"source": SourceSettings, "transfer": Settings},
    build=_build,
)
