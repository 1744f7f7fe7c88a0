"""One SFTP connection to the one server that is trusted, and what its failures mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from tillpost.model import Failure, Misconfigured, NotSent
from tillpost_sftp.settings import Settings

# The trusted key's own kind is asked for first; the others follow so that a server whose key was changed for
# one of another kind still shows it, and its fingerprint can be told.
_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
_RSA = ("rsa-sha2-512", "rsa-sha2-256")


class HostKeyChanged(Exception):
    """The server showed another key than the trusted one."""

    def __init__(self, fingerprint: str) -> None:
        super().__init__(fingerprint)
        self.fingerprint = fingerprint


class _Client(asyncssh.SSHClient):
    def __init__(self, trusted: asyncssh.SSHKey) -> None:
        self._trusted = trusted
        self.presented = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Take the trusted key alone, and note any other."""
        if key.public_data == self._trusted.public_data:
            return True
        self.presented = str(key.get_fingerprint())
        return False


@asynccontextmanager
async def connected(settings: Settings, trusted: asyncssh.SSHKey) -> AsyncIterator[asyncssh.SFTPClient]:
    """Connect, log in and start SFTP. Raises HostKeyChanged, asyncssh.Error, OSError or TimeoutError."""
    client = _Client(trusted)
    seconds = settings.timeout.total_seconds()
    try:
        connection = await asyncssh.connect(
            settings.host,
            settings.port,
            client_factory=lambda: client,
            username=settings.user,
            password=settings.password.reveal() if settings.password else None,
            client_keys=[str(settings.key)] if settings.key else None,
            # No key is known by list: each is put to validate_host_public_key.
            known_hosts=([], [], []),
            server_host_key_algs=_algorithms(trusted),
            # Nothing of the machine's own ssh set-up decides where a customer's data goes.
            config=None,
            agent_path=None,
            gss_host=None,
            x509_trusted_certs=None,
            connect_timeout=seconds,
            login_timeout=seconds,
            keepalive_interval=max(1.0, seconds / 3),
        )
    except asyncssh.HostKeyNotVerifiable:
        raise HostKeyChanged(client.presented or "unknown") from None
    try:
        async with asyncio.timeout(seconds):
            sftp = await connection.start_sftp_client()
        yield sftp
    finally:
        # A far side that has fallen silent answers no farewell either.
        connection.abort()
        await connection.wait_closed()


def failure(error: Exception, settings: Settings) -> Failure:
    """What a failure before the decisive step means: nothing was sent, or the settings are wrong."""
    where = f"{settings.host}:{settings.port}"
    if isinstance(error, HostKeyChanged):
        return Misconfigured(
            reason=f"{where} shows the host key {error.fingerprint}, not the one of transfer.host_key; "
            "ask its administrator before you change the setting"
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return Misconfigured(reason=f"{where} does not take the user with this password or key")
    if isinstance(error, (asyncssh.KeyImportError, asyncssh.KeyEncryptionError)):
        return Misconfigured(reason="transfer.key is no private key file in OpenSSH form without a passphrase")
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        return Misconfigured(reason=f"{where} does not let the user write below transfer.path {settings.path}")
    if isinstance(error, asyncssh.SFTPNoSuchFile):
        return Misconfigured(reason=f"{where} has no folder transfer.path {settings.path}")
    if isinstance(error, FileNotFoundError) and settings.key and not settings.key.exists():
        return Misconfigured(reason=f"transfer.key names no file: {settings.key}")
    return NotSent(reason=f"{where}: {type(error).__name__}")


def _algorithms(trusted: asyncssh.SSHKey) -> list[str]:
    own = trusted.get_algorithm()
    kinds = [own, *(kind for kind in _KINDS if kind != own)]
    return [name for kind in kinds for name in (_RSA if kind == "ssh-rsa" else (kind,))]
