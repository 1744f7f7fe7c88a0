"""Two real servers: the sandbox's, and OpenSSH's sshd."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support import sshd as openssh
from tests.support.fallback_files import written as make_fallback_file
from tests.support.program import account
from tillpost import Secret
from tillpost.model import FallbackFile
from tillpost_sandbox import Sandbox
from tillpost_sftp import _make
from tillpost_sftp.settings import Settings


@attrs.frozen
class Server:
    """Where a server is, how to log in, and which of our folders its `path` is."""

    port: int
    host_key: str
    login: dict[str, Any]
    path: str
    home: Path
    closing: ExitStack

    def transfer(self, **changes: Any) -> Any:
        given = {"host": "127.0.0.1", "port": self.port, "host_key": self.host_key, "path": self.path, **self.login}
        given["timeout"] = timedelta(seconds=10)
        return self.closed_before(_make(Settings(**(given | changes)), None))  # type: ignore[arg-type]

    def closed_before(self, transfer: Any) -> Any:
        """Its kept connection ends before the server: it would hold a process that `userdel` waits for."""
        self.closing.callback(transfer._kept.close)
        return transfer

    def files(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.home)): p.read_bytes() for p in self.home.rglob("*") if p.is_file()}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(dir=tmp_path / "sandbox", api_key="k", import_every=3600.0, import_files_every=3600.0) as sandbox:
        yield sandbox


@pytest.fixture
def engage(sandbox: Sandbox) -> Iterator[Server]:
    login = {"user": sandbox.user, "password": Secret(sandbox.password)}
    home = sandbox.dir / "sftp" / "integration"
    with ExitStack() as stack:
        yield Server(sandbox.sftp_port, sandbox.host_key, login, "/integration", home, stack)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:

        def start(kind: str = "ed25519", password: bool = False, **options: str) -> Server:
            user = stack.enter_context(account()) if password else None
            folder = tmp_path / f"sshd-{kind}-{password}"
            server = stack.enter_context(openssh.sshd(folder, kind, account=user, **options))
            login: dict[str, Any] = {"user": server.user, "key": server.key}
            if user is not None:
                login = {"user": user.name, "password": Secret(user.password)}
            return Server(server.port, server.host_key, login, str(server.home), server.home, stack)

        yield start


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., FallbackFile]:
    return partial(make_fallback_file, tmp_path / "fallback")
