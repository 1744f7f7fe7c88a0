"""One SFTP connection to the one server that is trusted, kept for a while."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import asyncssh

from tillpost_sftp.settings import Login

IDLE = 15.0
"""Seconds an unused connection is kept: the files of one round come right after one another."""
_BLOCK = 255 << 10
"""Bytes: the most OpenSSH takes in one request."""
_AHEAD = 16
"""Blocks sent before the first of them is acknowledged."""
_T = TypeVar("_T")

# The trusted key's own kind is asked for first. The others follow so that a server whose key was replaced by
# one of another kind still shows it, and the message has its fingerprint.
_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
_RSA = ("rsa-sha2-512", "rsa-sha2-256")


class HostKeyChanged(Exception):
    """The server showed a key that is not the trusted one."""

    def __init__(self, fingerprint: str) -> None:
        super().__init__(fingerprint)
        self.fingerprint = fingerprint


ERRORS = (HostKeyChanged, asyncssh.Error, asyncssh.KeyImportError, OSError)  # TimeoutError is an OSError


class _Client(asyncssh.SSHClient):
    def __init__(self, trusted: asyncssh.SSHKey) -> None:
        self._trusted = trusted
        self.presented = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Accept only the trusted key, and note any other."""
        if key.public_data == self._trusted.public_data:
            return True
        self.presented = str(key.get_fingerprint())
        return False


class Kept:
    """The folders of the server, over a connection kept from call to call and closed after IDLE seconds without one.

    Each call is a `with` block. The event loop runs only during its steps, so a connection that has died between two
    calls is noticed by the next one: its first step connects again, for nothing was sent yet.
    """

    def __init__(self, settings: Login, trusted: asyncssh.SSHKey) -> None:
        self._settings = settings
        self._trusted = trusted
        self.sftp: asyncssh.SFTPClient | None = None
        self._answered = False
        self._connection: asyncssh.SSHClientConnection | None = None
        self._runner: asyncio.Runner | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._lock.acquire()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._answered = False
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None or self.sftp is None:
                self._end()
            else:
                self._timer = threading.Timer(IDLE, self._idle)
                self._timer.daemon = True
                self._timer.start()
        finally:
            self._lock.release()

    def find_size(self, path: str) -> int | None:
        """The size of a file there; None when there is none."""
        return self._run(self._look(path, self._size))

    def has_folder(self, path: str) -> bool:
        """Whether there is a folder of this path."""
        return self._run(self._look(path, self._is_folder))

    def put(self, path: str, source: Path) -> None:
        """Write a file, and its folder where there is none."""
        self._run(self._put(path, source))

    def move(self, old: str, new: str) -> None:
        """Rename a file."""
        self._run(self._move(old, new))

    def remove(self, path: str) -> None:
        """Delete a file, if it is there and the server lets us."""
        self._run(self._remove(path))

    def close(self) -> None:
        """Close the connection, unless a call is under way: at the end of the process one that hangs is not waited
        for."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._end()
        else:  # collected as garbage while another event loop runs in this thread
            closing = threading.Thread(target=self._end)
            closing.start()
            closing.join()
        finally:
            self._lock.release()

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(work)

    def _idle(self) -> None:
        with self._lock:
            if self._timer is threading.current_thread():  # else a call came in between
                self._end()

    def _end(self) -> None:
        runner, self._runner, self._timer = self._runner, None, None
        if runner is not None:
            with runner:
                runner.run(self._drop())

    async def _drop(self) -> None:
        connection, self._connection, self.sftp = self._connection, None, None
        if connection is not None:
            connection.abort()  # at once: a server that has stopped answering does not answer a farewell either
            await connection.wait_closed()

    async def _look(self, path: str, question: Callable[[asyncssh.SFTPClient, str], Awaitable[_T]]) -> _T:
        if self.sftp is not None and not self._answered:
            try:
                answer = await question(self.sftp, path)
            except ERRORS:
                await self._drop()
            else:
                self._answered = True
                return answer
        if self.sftp is None:
            self._connection = await self._watched(_connect(self._settings, self._trusted))
            self.sftp = await self._step(self._connection.start_sftp_client())
        self._answered = True
        return await question(self.sftp, path)

    async def _is_folder(self, sftp: asyncssh.SFTPClient, path: str) -> bool:
        return await self._step(sftp.isdir(path))

    async def _size(self, sftp: asyncssh.SFTPClient, path: str) -> int | None:
        try:
            return (await self._step(sftp.stat(path))).size
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            return None

    async def _put(self, path: str, source: Path) -> None:
        assert self.sftp is not None
        try:
            remote = await self._step(self.sftp.open(path, "wb"))
        except asyncssh.SFTPNoSuchFile:
            await self._step(self.sftp.makedirs(path.rpartition("/")[0], exist_ok=True))
            remote = await self._step(self.sftp.open(path, "wb"))
        await self._write(remote, source)
        with suppress(asyncssh.SFTPOpUnsupported):  # an extension of OpenSSH
            await self._step(remote.fsync())
        # After a failure the connection is ended, and the file with it: closing it as well would wait once more.
        await self._step(remote.close())

    async def _write(self, remote: asyncssh.SFTPClientFile, source: Path) -> None:
        """Write all of the file, each block at its offset."""
        ahead: deque[asyncio.Task[int]] = deque()
        offset = 0
        try:
            with source.open("rb") as content:
                while block := content.read(_BLOCK):
                    ahead.append(asyncio.ensure_future(remote.write(block, offset)))
                    offset += len(block)
                    if len(ahead) >= _AHEAD:
                        await self._step(ahead.popleft())
            while ahead:
                await self._step(ahead.popleft())
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _move(self, old: str, new: str) -> None:
        assert self.sftp is not None
        try:
            await self._step(self.sftp.posix_rename(old, new))
        except asyncssh.SFTPOpUnsupported:
            await self._step(self.sftp.rename(old, new))

    async def _remove(self, path: str) -> None:
        assert self.sftp is not None
        with suppress(asyncssh.SFTPError):
            await self._step(self.sftp.remove(path))

    async def _step(self, work: Awaitable[_T]) -> _T:
        async with asyncio.timeout(self._settings.timeout.total_seconds()):
            return await self._watched(work)

    async def _watched(self, work: Awaitable[_T]) -> _T:
        """Every wait for the server; a subclass may give one up."""
        return await work


async def _connect(settings: Login, trusted: asyncssh.SSHKey) -> asyncssh.SSHClientConnection:
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
            # First the cipher the processor has instructions for; the other defaults stay on offer.
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


def _algorithms(trusted: asyncssh.SSHKey) -> list[str]:
    own = trusted.get_algorithm()
    kinds = [own, *(kind for kind in _KINDS if kind != own)]
    return [name for kind in kinds for name in (_RSA if kind == "ssh-rsa" else (kind,))]
