"""Programs of the machine that tests start: servers on loopback, and an account that is gone again afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import attrs
import pytest


def needed(program: str, package: str, root: bool = False) -> str:
    """Where the program is. It may be missing, or only root may start it."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if found and (os.geteuid() == 0 or not root):
        return found
    missing(f"{program} can be started by root only" if found else f"{program} is missing: install {package}")


def missing(reason: str) -> NoReturn:
    """This machine lacks something a test needs: the test fails in CI, where all is installed, and skips elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def serving(
    command: Sequence[str],
    port: int,
    folder: Path,
    host: str = "127.0.0.1",
    environment: Mapping[str, str] = {},
    seconds: float = 20.0,
) -> Iterator[None]:
    """Run a server from when it takes connections, within so many seconds, to the end of the block."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment)
    try:
        until = time.monotonic() + seconds
        while True:
            with suppress(OSError), socket.create_connection((host, port), 0.2):
                break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(seconds)


_WORKERS, _PORTS = 10, 1500
_given: set[int] = set()


def free_ports(count: int, *hosts: str) -> list[int]:
    """So many ports in a row that nobody has on any of the hosts, below those the system hands out.

    Each process of a run of tests has ports of its own, and none is given twice: nobody can take one before its server.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    while True:
        first = 15000 + worker * _PORTS + secrets.randbelow(_PORTS - count)
        ports = range(first, first + count)
        if not _given.isdisjoint(ports) and len(_given) < _PORTS // 2:
            continue
        with suppress(OSError):
            for host in hosts or ("127.0.0.1",):
                for port in ports:
                    socket.create_server((host, port)).close()
            _given.update(ports)
            return list(ports)


@attrs.frozen
class Account:
    """A user of this machine with a password, and a folder of his own that he can reach."""

    name: str
    password: str
    home: Path


@contextmanager
def account() -> Iterator[Account]:
    """A user for the time of the block. Needs root."""
    needed("useradd", "passwd", root=True)
    name, password = f"tillpost-{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    with tempfile.TemporaryDirectory(prefix=name) as folder:
        home = Path(folder)
        options = ["--no-create-home", "--no-user-group", "--home-dir", folder, "--shell", "/bin/sh"]
        subprocess.run(["useradd", *options, name], check=True, capture_output=True)
        try:
            subprocess.run(["chpasswd"], input=f"{name}:{password}", text=True, check=True, capture_output=True)
            shutil.chown(home, name)
            home.chmod(0o755)
            yield Account(name, password, home)
        finally:
            # 8: a process of his is still ending.
            while (gone := subprocess.run(["userdel", name], capture_output=True, check=False)).returncode == 8:
                time.sleep(0.1)
            assert gone.returncode == 0, gone.stderr
