"""The promise suite of a transfer, on the sandbox's SFTP server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh

from tillpost import Context, Use, simple
from tillpost.testing import FakeDestination, TransferSuite
from tillpost_sandbox import Sandbox
from tillpost_sftp import plugin as sftp
from tillpost_sftp.session import Kept
from tillpost_sftp.settings import Settings
from tillpost_sftp.transfer import SftpTransfer


class LostRename(SftpTransfer):
    """The real transfer, to which the answer of its first rename is lost."""

    lost = False

    def rename(self, folder: Kept, temporary: str, final: str) -> None:
        super().rename(folder, temporary, final)
        if not self.lost:
            self.lost = True
            raise asyncssh.ConnectionLost("cut")


class TestSftp(TransferSuite):
    plugin = "sftp"

    @contextmanager
    def destination(self, fault: str, folder: Path) -> Iterator[FakeDestination]:
        with Sandbox(dir=folder / "sandbox", api_key="k", import_every=3600.0, import_files_every=3600.0) as sandbox:
            if fault in ("cut", "refuse"):
                sandbox.engage.faults.set({"sftp": fault, "count": 1} if fault == "cut" else {"sftp": fault})
                sandbox._apply_faults()
            home = sandbox.dir / "sftp" / "integration" / "transactionImport"

            def add(name: str, content: str) -> str:
                (home / name).write_text(content)
                return name

            table = {
                "host": "127.0.0.1",
                "port": sandbox.sftp_port,
                "user": sandbox.user,
                "password": sandbox.password,
                "host_key": sandbox.host_key,
                "timeout": "10s",
            }
            yield FakeDestination(
                uses={"transfer": table},
                holds=lambda: {path.name: path.read_bytes() for path in home.iterdir()},
                add=add,
                plugin=simple("sftp", "transfer", Settings, _lost) if fault == "lost_rename" else None,
            )


def _lost(settings: Settings, context: Context) -> LostRename:
    [plain] = sftp.build([Use("transfer", settings)], context)
    assert isinstance(plain, SftpTransfer)
    return LostRename(plain._settings, plain._trusted)
