"""The file servers Tillpost is tested with, each behind proxies if wanted: OpenSSH's sshd and Debian's vsftpd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

from tests.support.program import account
from tests.support.sshd import sshd
from tests.support.tcp_proxy import Proxy, Way
from tests.support.vsftpd import FRONT, HOST, vsftpd
from tillpost import Secret
from tillpost_ftp import _ftp, _ftps
from tillpost_ftp.settings import FtpsSettings, Settings
from tillpost_sftp import _make
from tillpost_sftp.settings import Settings as SftpSettings

KINDS = ("sftp-key", "sftp-password", "ftps-1.2", "ftps-1.3", "ftp")


@attrs.frozen
class Fronts:
    """The proxies before a server: of the connection that is opened first, and of the data connections of FTP."""

    control: Proxy
    data: Proxy | None

    def heal(self) -> None:
        """All is well again."""
        for each in filter(None, (self.control, self.data)):
            each.heal()

    def set(self, direction: str, way: Way, data: bool) -> None:
        """Give one direction a fault: of the data connections where there are any, or of the first connection."""
        proxy = self.data if data and self.data else self.control
        setattr(proxy, direction, way)


@attrs.frozen
class FileServer:
    """A running server. home: the folder its `path` is; `make(host, port, timeout)` gives a transfer to it."""

    kind: str
    home: Path
    port: int
    data_ports: list[int]
    make: Callable[[str, int, timedelta], Any]

    def transfer(self, seconds: float = 30.0, front: Fronts | None = None) -> Any:
        """A transfer, straight to the server or by way of the proxies."""
        host, port = (HOST, self.port) if front is None else (FRONT, front.control.port)
        return self.make(host, port, timedelta(seconds=seconds))

    @contextmanager
    def front(self) -> Iterator[Fronts]:
        """Proxies on the ports of the server, at another address of loopback."""
        with ExitStack() as stack:
            control = stack.enter_context(Proxy([(self.port, self.port)], FRONT, HOST))
            pairs = [(port, port) for port in self.data_ports]
            yield Fronts(control, stack.enter_context(Proxy(pairs, FRONT, HOST)) if pairs else None)

    def files(self) -> dict[str, bytes]:
        """What lies there, temporary names as well."""
        return {str(p.relative_to(self.home)): p.read_bytes() for p in self.home.rglob("*") if p.is_file()}


@contextmanager
def fileserver(kind: str, folder: Path) -> Iterator[FileServer]:
    """Start a server of one of KINDS in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if not kind.startswith("sftp"):
        tls = {"ftps-1.2": "TLSv1.2", "ftps-1.3": "TLSv1.3", "ftp": ""}[kind]
        with vsftpd(folder, tls) as ftpd:

            def ftp(host: str, port: int, timeout: timedelta) -> Any:
                given: dict[str, Any] = {
                    "host": host, "port": port, "timeout": timeout,
                    "user": ftpd.user, "password": Secret(ftpd.password),
                }  # fmt: skip
                if tls:
                    return _ftps(FtpsSettings(ca=ftpd.ca, **given), None)  # type: ignore[arg-type]
                return _ftp(Settings(**given), None)  # type: ignore[arg-type]

            yield FileServer(kind, ftpd.home, ftpd.port, ftpd.data_ports, ftp)
        return
    with ExitStack() as stack:
        user = stack.enter_context(account()) if kind == "sftp-password" else None
        server = stack.enter_context(sshd(folder, account=user))
        login: dict[str, Any] = {"password": Secret(user.password)} if user else {"key": server.key}

        def sftp(host: str, port: int, timeout: timedelta) -> Any:
            settings = SftpSettings(
                host=host, port=port, timeout=timeout, user=server.user, host_key=server.host_key,
                path=str(server.home), **login,
            )  # fmt: skip
            made: Any = _make(settings, None)  # type: ignore[arg-type]
            # A connection that is kept would keep a process of the account alive, and `userdel` waits for that.
            stack.callback(made._kept.close)
            return made

        yield FileServer(kind, server.home, server.port, [], sftp)
