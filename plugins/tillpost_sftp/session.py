"""One SFTP connection to the one server that is trusted, kept for a while, and what its failures mean."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncssh

from tillpost.model import Failure, Misconfigured, NotSent
from tillpost_sftp.settings import Settings

T = TypeVar("T")
IDLE = 15.0
"""Seconds a connection nobody uses is kept: the files of one round come right after one another."""

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


class Kept:
    """The connection, kept from call to call and closed when nobody has used it for IDLE seconds.

    Its event loop runs only during a call. So a connection that has died meanwhile is found dead by the next one.
    """

    def __init__(self) -> None:
        self.sftp: asyncssh.SFTPClient | None = None
        self._connection: asyncssh.SSHClientConnection | None = None
        self._runner: asyncio.Runner | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work of one call. What it leaves open in `sftp` is kept."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._runner is None:
                self._runner = asyncio.Runner()
            try:
                return self._runner.run(work)
            finally:
                if self.sftp is None:
                    self._end()
                else:
                    self._timer = threading.Timer(IDLE, self._idle)
                    self._timer.daemon = True
                    self._timer.start()

    async def open(self, settings: Settings, trusted: asyncssh.SSHKey) -> asyncssh.SFTPClient:
        """Connect, log in and start SFTP. Raises HostKeyChanged, asyncssh.Error, OSError or TimeoutError."""
        self._connection = await _connect(settings, trusted)
        async with asyncio.timeout(settings.timeout.total_seconds()):
            self.sftp = await self._connection.start_sftp_client()
        return self.sftp

    async def drop(self) -> None:
        """Close it at once."""
        connection, self._connection, self.sftp = self._connection, None, None
        if connection is not None:
            # A destination that has fallen silent answers no farewell either.
            connection.abort()
            await connection.wait_closed()

    def close(self) -> None:
        """Close it, unless a call has it: at the end of the process one that hangs is not waited for."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._end()
        else:  # collected as garbage amid somebody else's event loop
            closing = threading.Thread(target=self._end)
            closing.start()
            closing.join()
        finally:
            self._lock.release()

    def _idle(self) -> None:
        with self._lock:
            if self._timer is threading.current_thread():  # else a call came in between
                self._end()

    def _end(self) -> None:
        runner, self._runner, self._timer = self._runner, None, None
        if runner is not None:
            with runner:
                runner.run(self.drop())


async def _connect(settings: Settings, trusted: asyncssh.SSHKey) -> asyncssh.SSHClientConnection:
    client = _Client(trusted)
    seconds = settings.timeout.total_seconds()
    try:
        return await asyncssh.connect(
            settings.host,
            settings.port,
            client_factory=lambda: client,
            username=settings.user,
            password=settings.password.reveal() if settings.password else None,
            client_keys=[str(settings.key)] if settings.key else None,
            # No key is known by list: each is put to validate_host_public_key.
            known_hosts=([], [], []),
            server_host_key_algs=_algorithms(trusted),
            # First what the processor has instructions for; all the others it takes by default stay.
            encryption_algs="^aes128-gcm@openssh.com,aes256-gcm@openssh.com",
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
