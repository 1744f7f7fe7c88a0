"""The promise suite of a source, on OpenSSH's sshd behind a proxy."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from tests.support.sshd import Sshd, sshd
from tests.support.tcp_proxy import Proxy, Way
from tillpost.testing import FakeOrigin, SourceSuite


class TestSftpSource(SourceSuite):
    plugin = "sftp"
    waivers = {
        "throttled": "a server by SFTP has no answer for that",
        "foreign_page": "whatever lies in the folder is a document, and a server without the trusted key is not asked",
    }
    _sshd: ClassVar[Sshd]
    _names = itertools.count()

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _server(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with sshd(tmp_path_factory.mktemp("sshd")) as server:
            cls._sshd = server
            yield

    @contextmanager
    def origin(self, fault: str, folder: Path) -> Iterator[FakeOrigin]:
        remote = self._sshd.home / str(next(self._names))
        remote.mkdir()
        folder.mkdir(parents=True)
        key = folder / "key"
        key.touch(0o600)
        key.write_bytes((self._sshd.key.parent / "host" if fault == "key" else self._sshd.key).read_bytes())

        def add(*numbers: str) -> None:
            (remote / f"{next(self._names)}.txt").write_text(" ".join(numbers))

        with Proxy([(0, self._sshd.port)]) as proxy:
            if fault == "refuse":
                proxy.refuse()
            if fault in ("error", "cut"):
                proxy.down = Way(after=0 if fault == "error" else 4000, then="reset")

            def heal() -> None:
                proxy.heal()
                shutil.copyfile(self._sshd.key, key)

            uses = {
                "host": "127.0.0.1", "port": proxy.port, "user": self._sshd.user, "key": str(key), "settle": "0s",
                "host_key": self._sshd.host_key, "path": str(remote), "timeout": "10s",
            }  # fmt: skip
            yield FakeOrigin(
                uses=uses, add=add, left=lambda: [path.read_bytes() for path in remote.glob("*.txt")], heal=heal
            )
