"""Debian's vsftpd: without TLS, with TLS 1.2 alone, with TLS 1.3 alone."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.fallback_files import written as make_fallback_file
from tests.support.vsftpd import Vsftpd, vsftpd
from tillpost import Secret
from tillpost.model import FallbackFile
from tillpost_ftp import _ftp, _ftps
from tillpost_ftp.settings import FtpsSettings, Settings
from tillpost_ftp.transfer import FtpTransfer


@attrs.frozen
class Server:
    """A running vsftpd, and transfers to it."""

    at: Vsftpd
    tls: str

    def transfer(self, **changes: Any) -> FtpTransfer:
        given: dict[str, Any] = {
            "host": "127.0.0.1", "port": self.at.port, "user": self.at.user, "password": Secret(self.at.password),
            "timeout": timedelta(seconds=20),
        } | changes  # fmt: skip
        if not self.tls:
            return _ftp(Settings(**given), None)  # type: ignore[arg-type]
        return _ftps(FtpsSettings(**({"ca": self.at.ca} | given)), None)  # type: ignore[arg-type]

    def files(self) -> dict[str, bytes]:
        home = self.at.home
        return {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:

        def start(tls: str = "", options: str = "") -> Server:
            folder = tmp_path / f"vsftpd-{tls}"
            folder.mkdir()
            return Server(stack.enter_context(vsftpd(folder, tls, options)), tls)

        yield start


@pytest.fixture(params=["", "TLSv1.2", "TLSv1.3"], ids=["ftp", "ftps-1.2", "ftps-1.3"])
def tls(request: pytest.FixtureRequest) -> str:
    wanted: str = request.param
    return wanted


@pytest.fixture
def server(start: Callable[..., Server], tls: str) -> Server:
    return start(tls)


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., FallbackFile]:
    return partial(make_fallback_file, tmp_path / "fallback")
