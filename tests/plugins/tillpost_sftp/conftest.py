"""Two real servers: the sandbox's, and OpenSSH's sshd."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from tillpost import Secret
from tillpost.model import SpooledFile
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

    def transfer(self, **changes: Any) -> Any:
        given = {"host": "127.0.0.1", "port": self.port, "host_key": self.host_key, "path": self.path, **self.login}
        given["timeout"] = timedelta(seconds=10)
        return _make(Settings(**(given | changes)), None)  # type: ignore[arg-type]

    def files(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.home)): p.read_bytes() for p in self.home.rglob("*") if p.is_file()}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(dir=tmp_path / "sandbox", api_key="k", import_every=3600.0, import_files_every=3600.0) as sandbox:
        yield sandbox


@pytest.fixture
def engage(sandbox: Sandbox) -> Server:
    login = {"user": sandbox.user, "password": Secret(sandbox.password)}
    home = sandbox.dir / "sftp" / "integration"
    return Server(sandbox.sftp_port, sandbox.host_key, login, "/integration", home)


def _keygen(path: Path, kind: str = "ed25519") -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text() if path.suffix else Path(f"{path}.pub").read_text()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("sshd is missing: install openssh-server")
        pytest.skip("sshd is missing: install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # privilege separation wants it
    running: list[subprocess.Popen[bytes]] = []

    def start(kind: str = "ed25519", options: str = "", sftp_options: str = "") -> Server:
        folder = tmp_path / f"sshd{len(running)}"
        home = folder / "integration"
        home.mkdir(parents=True)
        host_key = _keygen(folder / "host", kind)
        public = _keygen(folder / "user")
        (folder / "authorized").write_text(public)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config = f"""Port {port}
ListenAddress 127.0.0.1
HostKey {folder / "host"}
AuthorizedKeysFile {folder / "authorized"}
PasswordAuthentication no
UsePAM no
StrictModes no
PidFile none
Subsystem sftp internal-sftp {sftp_options}
{options}
"""
        (folder / "config").write_text(config)
        log = (folder / "log").open("wb")
        with log:
            running.append(subprocess.Popen([program, "-D", "-e", "-f", str(folder / "config")], stderr=log))
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            assert running[-1].poll() is None, (folder / "log").read_text()
            time.sleep(0.02)
        login = {"user": getpass.getuser(), "key": folder / "user"}
        return Server(port, host_key.rsplit(" ", 1)[0], login, str(home), home)

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


@pytest.fixture
def spooled(tmp_path: Path) -> Callable[..., SpooledFile]:
    def make(
        content: bytes = b"<a/>", name: str = "20260301123000_1_transactions.xml", folder: str = "transactionImport"
    ) -> SpooledFile:
        path = tmp_path / "spool" / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return SpooledFile(name=name, kind="receipts", sha256="", size=len(content), keys=("r",), path=path)

    return make
