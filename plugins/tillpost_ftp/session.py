"""One FTP connection, each step of it with a time limit."""

from __future__ import annotations

import ftplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tillpost_ftp.listing import size_in_facts, size_in_list
from tillpost_ftp.settings import Settings

ERRORS = (ftplib.Error, OSError, EOFError)  # TimeoutError and ssl.SSLError are OSErrors
_BLOCK = 1 << 18
_FAREWELL = 5.0
"""Seconds to wait for the server to end TLS on a data connection."""
_NONE_THERE = ("450", "550")
_NOT_WRITABLE = ("532", "550", "553")


class LoginRefusedError(ftplib.Error):
    """The server refuses the login."""


class NoTlsError(ftplib.Error):
    """The server refuses a command that TLS needs."""


class NotWritableError(ftplib.Error):
    """The server does not let the user write."""


class Session(ftplib.FTP):
    """Commands over one control connection. Every method raises one of ERRORS.

    ftplib's own time-out is for each read, and a server that sends one byte a second never exceeds it. So each step
    has a timer of ours, which shuts the sockets at its end.
    """

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None) -> None:
        # Replies may be in any encoding; latin-1 decodes all of them. What we send is UTF-8 (`_wire`).
        super().__init__(timeout=settings.timeout.total_seconds(), encoding="latin-1")
        self._settings = settings
        self._tls = tls
        self._seconds = settings.timeout.total_seconds()
        self._channel: socket.socket | None = None
        self.set_pasv(settings.passive)

    def open(self) -> None:
        """Connect, start TLS where it is wanted, log in."""
        with self._step():
            self.connect(self._settings.host, self._settings.port)
        if self._tls is not None:
            with self._step(), _meaning(NoTlsError):
                self.voidcmd("AUTH TLS")
            with self._step():
                self._secure(self._tls)
        with self._step(), _meaning(LoginRefusedError, "53"):
            self.login(_wire(self._settings.user), _wire(self._settings.password.reveal()))
        if self._tls is not None:
            with self._step(), _meaning(NoTlsError):
                self.voidcmd("PBSZ 0")
                self.voidcmd("PROT P")
        with self._step():
            self.voidcmd("TYPE I")

    def leave(self) -> None:
        """Close at once, without waiting for an answer to QUIT."""
        if self.sock is not None:
            with suppress(*ERRORS), self._step():
                self.putcmd("QUIT")
        self.close()

    def has_folder(self, path: str) -> bool:
        """Whether there is a folder of this path that may be entered."""
        with self._step():
            before = self.pwd()
        try:
            with self._step():
                self.cwd(_wire(path))
        except ftplib.error_perm as error:
            if code(error) not in _NONE_THERE:
                raise
            return False
        with self._step():
            self.cwd(before)
        return True

    def find_size(self, path: str) -> int | None:
        """The size of a file there; None when there is none.

        A refused SIZE proves nothing (servers also answer 550 to a command they forbid), so MLST and a listing are
        tried then.
        """
        with suppress(ftplib.error_perm), self._step():
            size = self.size(_wire(path))
            if size is not None:
                return size
        with suppress(ftplib.error_perm), self._step():
            size = size_in_facts(self.sendcmd(f"MLST {_wire(path)}"))
            if size is not None:
                return size
        try:
            lines = self._list(path)
        except (ftplib.error_perm, ftplib.error_temp) as error:
            if code(error) not in _NONE_THERE:
                raise
            return None
        return size_in_list(lines, _wire(path.rpartition("/")[2]))

    def put(self, path: str, source: Path) -> None:
        """Write a file, over what is there under that name, and its folder where there is none."""
        try:
            self._store(path, source)
            return
        except ftplib.error_perm as error:
            if code(error) not in _NOT_WRITABLE:
                raise
        # There is no folder, or a file that must not be overwritten.
        self._make_folder(path.rpartition("/")[0])
        self.remove(path)
        with _meaning(NotWritableError, *_NOT_WRITABLE):
            self._store(path, source)

    def remove(self, path: str) -> None:
        """Delete a file, if it is there and the server lets us."""
        with suppress(ftplib.error_perm, ftplib.error_temp), self._step():
            self.delete(_wire(path))

    def move(self, old: str, new: str) -> None:
        """Rename a file."""
        with self._step():
            self.rename(_wire(old), _wire(new))

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """A data connection, with the TLS session of the control connection: vsftpd accepts no other by default.

        With TLS 1.3 the session is known only once the server has sent its ticket, so it is read here.
        """
        data, size = super().ntransfercmd(cmd, rest)
        self._channel = data
        if self._tls is not None:
            assert isinstance(self.sock, ssl.SSLSocket)
            data = self._wrap(self._tls, data, self.sock.session)
        return data, size

    def _secure(self, tls: ssl.SSLContext) -> None:
        assert self.sock is not None
        assert self.file is not None
        self.sock, self._channel = self._wrap(tls, self.sock, None), None
        # A new reader: what came unencrypted before the handshake must not be taken for an answer.
        self.file.close()
        self.file = self.sock.makefile("r", encoding=self.encoding)

    def _wrap(self, tls: ssl.SSLContext, plain: socket.socket, session: ssl.SSLSession | None) -> ssl.SSLSocket:
        try:
            plain.getpeername()  # fails for a connection that is gone, of which wrap_socket would lose the socket
            secured = tls.wrap_socket(
                plain, server_hostname=self._settings.host, session=session, do_handshake_on_connect=False
            )
        except BaseException:
            plain.close()
            raise
        self._channel = secured  # so that the timer can shut it during the handshake
        try:
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured

    def _list(self, path: str) -> list[str]:
        with self._channel_for(f"LIST {_wire(path)}") as data, self._step(), data.makefile("rb") as listing:
            return [line.decode("latin-1") for line in listing]

    def _store(self, path: str, source: Path) -> None:
        with source.open("rb") as content, self._channel_for(f"STOR {_wire(path)}") as data:
            while block := content.read(_BLOCK):
                with self._step():
                    data.sendall(block)

    @contextmanager
    def _channel_for(self, command: str) -> Iterator[socket.socket]:
        with self._step():
            data = self.transfercmd(command)
        try:
            yield data
            if isinstance(data, ssl.SSLSocket):
                # TLS marks the end of the data. Not every server answers that; its reply below counts.
                data.settimeout(min(_FAREWELL, self._seconds))
                with suppress(OSError), self._step():
                    data.unwrap()
        finally:
            data.close()
            self._channel = None
        with self._step():
            self.voidresp()

    def _make_folder(self, folder: str) -> None:
        path = ""
        for name in folder.strip("/").split("/"):
            path += f"/{name}" if path or folder.startswith("/") else name
            with suppress(ftplib.error_perm), self._step():
                self.mkd(_wire(path))

    @contextmanager
    def _step(self) -> Iterator[None]:
        """Ends what is done within after `timeout`, however slowly bytes come."""
        expired = threading.Event()

        def end() -> None:
            expired.set()
            for open_socket in (self.sock, self._channel):
                if open_socket is not None:
                    with suppress(OSError):
                        socket.socket.shutdown(open_socket, socket.SHUT_RDWR)  # below TLS, which another thread is in

        timer = threading.Timer(self._seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except ERRORS:
            if expired.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()


def _wire(text: str) -> str:
    """UTF-8, in the encoding of the control connection that never fails."""
    return text.encode().decode("latin-1")


def code(error: Exception) -> str:
    """The three digits of a refusal."""
    return str(error)[:3]


@contextmanager
def _meaning(kind: type[ftplib.Error], *codes: str) -> Iterator[None]:
    """Turns a permanent refusal (with a code that begins with one of `codes`, if any are given) into this kind."""
    try:
        yield
    except ftplib.error_perm as error:
        if codes and not code(error).startswith(codes):
            raise
        raise kind(code(error)) from None
