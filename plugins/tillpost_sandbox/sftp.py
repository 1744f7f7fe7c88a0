"""The SFTP server: one user, one home folder, and its faults."""

import asyncio
import hmac
import os
import secrets
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from tillpost_sandbox.faults import Faults
from tillpost_sandbox.http import reserve

if TYPE_CHECKING:
    import asyncssh

USER = "till"


@attrs.define
class SftpPort:
    """The SFTP port, with an event loop and a thread of its own; needs the extra `tillpost[sftp]`."""

    home: Path
    key_file: Path
    password: str = attrs.field(repr=False)
    faults: Faults
    wanted: int = 0
    number: int = attrs.field(default=0, init=False)
    host_key: str = attrs.field(default="", init=False)
    _loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.new_event_loop, init=False, repr=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False)
    _reserved: Any = attrs.field(default=None, init=False)
    _acceptor: Any = attrs.field(default=None, init=False)
    _connections: set[Any] = attrs.field(factory=set, init=False)
    _key: "asyncssh.SSHKey | None" = attrs.field(default=None, init=False, repr=False)

    def start(self) -> None:
        """Read or create the host key, bind the port and listen."""
        self._key = host_key(self.key_file)
        self.host_key = self._key.export_public_key().decode().strip()
        self._reserved = reserve(self.wanted)
        self.number = self._reserved.getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox-sftp", daemon=True)
        self._thread.start()
        self.open()

    def open(self) -> None:
        """Listen, unless it already does."""
        self._call(self._open())

    def refuse(self) -> None:
        """Stop listening and break every connection."""
        self._call(self._refuse())

    def close(self) -> None:
        """Stop for good."""
        if self._thread is not None:
            self._call(self._refuse())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        if self._reserved is not None:
            self._reserved.close()
        self._loop.close()

    def _call(self, what: Any) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(what, self._loop)
        done.result(30.0)

    async def _open(self) -> None:
        if self._acceptor is not None:
            return
        import asyncssh

        server, factory = _server_classes(self)
        bound, self._reserved = self._reserved, None
        self._acceptor = await asyncssh.listen(
            sock=bound,
            server_factory=server,
            sftp_factory=factory,
            server_host_keys=[self._key],
            allow_scp=False,
        )

    async def _refuse(self) -> None:
        if self._acceptor is None:
            return
        acceptor, self._acceptor = self._acceptor, None
        for connection in list(self._connections):
            connection.abort()
        acceptor.close()
        await acceptor.wait_closed()
        self._reserved = reserve(self.number)


def host_key(path: Path) -> "asyncssh.SSHKey":
    """The ed25519 host key of this folder, created on first use and kept, so that it survives a restart."""
    import asyncssh

    if path.exists():
        return asyncssh.read_private_key(path)
    key = asyncssh.generate_private_key("ssh-ed25519")
    _write_secret(path, key.export_private_key())
    return key


def kept_password(path: Path, given: str | None) -> str:
    """The password of the SFTP user: as given, else the one kept in this folder, else a new one."""
    if given is not None:
        return given
    if path.exists():
        return path.read_text("utf-8")
    password = secrets.token_urlsafe(18)
    _write_secret(path, password.encode())
    return password


def _write_secret(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _server_classes(port: SftpPort) -> tuple[type, type]:
    """The two classes asyncssh needs; defined here because asyncssh is imported only when it is used."""
    import asyncssh

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: "asyncssh.SSHServerConnection") -> None:
            self._connection = conn
            port._connections.add(conn)

        def connection_lost(self, exc: Exception | None) -> None:
            port._connections.discard(self._connection)

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return username == USER and hmac.compare_digest(password.encode(), port.password.encode())

    class Home(asyncssh.SFTPServer):
        def __init__(self, chan: "asyncssh.SSHServerChannel[bytes]") -> None:
            super().__init__(chan, chroot=os.fsencode(port.home))

        def write(self, file_obj: object, offset: int, data: bytes) -> Any:
            """Write; a cut keeps what came before it, as a connection that breaks during an upload does."""
            after = port.faults.sftp.after
            if (after is None or offset + len(data) > after) and port.faults.take_sftp_cut():
                kept = len(data) // 2 if after is None else after - offset
                written = super().write(file_obj, offset, data[: max(kept, 0)])
                file_obj.flush()  # type: ignore[attr-defined]
                self.connection.abort()
                return written
            return super().write(file_obj, offset, data)

    return Server, Home
