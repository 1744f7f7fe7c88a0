"""A file reaches the other side whole or not at all, whichever server it is, and whatever breaks."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tillpost import ConfigurationError, Secret
from tillpost.model import Delivered, FallbackFile, MaybeSent, Misconfigured, NotSent, Refused
from tillpost_sandbox import Sandbox
from tillpost_sftp.session import Kept
from tillpost_sftp.settings import Settings
from tillpost_sftp.transfer import SftpTransfer

from .conftest import Server

NAME = "20260301123000_1_transactions.xml"
BIG = os.urandom(3 << 20)


@pytest.fixture(params=["sandbox", "sshd", "sshd-rsa", "sshd-ecdsa", "sshd-password"])
def server(request: pytest.FixtureRequest) -> Server:
    if request.param == "sandbox":
        found: Server = request.getfixturevalue("engage")
        return found
    start = request.getfixturevalue("sshd")
    kind = request.param.partition("-")[2]
    made: Server = start(password=True) if kind == "password" else start(kind or "ed25519")
    return made


class Strict(asyncssh.SFTPServer):
    """A server without extensions that takes plain writes alone, and renames over nothing."""

    def open(self, path: bytes, pflags: int, attrs: Any) -> Any:
        if pflags & (asyncssh.FXF_APPEND | asyncssh.FXF_READ):
            raise asyncssh.SFTPPermissionDenied("write only")
        return super().open(path, pflags, attrs)

    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        if Path(os.fsdecode(self.map_path(newpath))).exists():
            raise asyncssh.SFTPFailure("there is such a file")
        return super().rename(oldpath, newpath)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
        raise asyncssh.SFTPOpUnsupported("posix-rename")

    def fsync(self, file_obj: object) -> Any:
        raise asyncssh.SFTPOpUnsupported("fsync")


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Server]:
    """An asyncssh server on loopback with `Strict` files."""
    home, key = tmp_path / "strict" / "integration", asyncssh.generate_private_key("ssh-ed25519")
    home.mkdir(parents=True)
    loop = asyncio.new_event_loop()
    connections: list[asyncssh.SSHServerConnection] = []

    class Login(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            connections.append(conn)

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("till", "p")

    acceptor = loop.run_until_complete(
        asyncssh.listen(
            "127.0.0.1", 0, server_factory=Login, server_host_keys=[key],
            sftp_factory=lambda chan: Strict(chan, chroot=os.fsencode(home.parent)),
        )
    )  # fmt: skip
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    login = {"user": "till", "password": Secret("p")}
    with ExitStack() as stack:
        yield Server(acceptor.get_port(), key.export_public_key().decode(), login, "/integration", home, stack)

    async def end() -> None:
        acceptor.close()
        await acceptor.wait_closed()
        for connection in connections:  # a client keeps its connection for a while
            connection.abort()
            await connection.wait_closed()

    asyncio.run_coroutine_threadsafe(end(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.parametrize("content", [b"", b"<a/>", BIG], ids=["empty", "small", "3-MiB"])
def test_a_file_arrives_whole_under_its_name_alone(
    server: Server, written: Callable[..., FallbackFile], content: bytes
) -> None:
    file = written(content)
    assert server.transfer().transfer(file) == Delivered()
    assert server.files() == {f"transactionImport/{NAME}": content}


def test_it_is_found_while_it_is_there_and_not_sent_twice(server: Server, written: Callable[..., FallbackFile]) -> None:
    file, transfer = written(), server.transfer()
    assert transfer.find_transferred(file) is False
    transfer.transfer(file)
    assert transfer.find_transferred(file) is True
    there = server.home / "transactionImport" / NAME
    before = there.stat().st_mtime_ns, there.stat().st_ino
    assert transfer.transfer(file) == Delivered(reason="it was there already")
    assert (there.stat().st_mtime_ns, there.stat().st_ino) == before
    there.unlink()
    assert transfer.find_transferred(file) is False


def test_another_file_of_that_name_is_left_alone(server: Server, written: Callable[..., FallbackFile]) -> None:
    folder = server.home / "transactionImport"
    folder.mkdir(exist_ok=True)
    (folder / NAME).write_bytes(b"of another")
    outcome = server.transfer().transfer(written())
    assert isinstance(outcome, Refused)
    assert (folder / NAME).read_bytes() == b"of another"


def test_a_changed_host_key_is_refused_and_its_fingerprint_shown(
    server: Server, written: Callable[..., FallbackFile]
) -> None:
    """Unknown or changed SSH host key: refuse, say which fingerprint."""
    own = asyncssh.import_public_key(server.host_key)
    for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256"):
        other = asyncssh.generate_private_key(kind).export_public_key().decode()
        outcome = server.transfer(host_key=other).transfer(written())
        assert isinstance(outcome, Misconfigured)
        assert own.get_fingerprint() in outcome.reason
        assert isinstance(server.transfer(host_key=other).find_transferred(written()), Misconfigured)
    assert server.files() == {}


def test_a_login_that_is_not_taken_is_a_setting(server: Server, written: Callable[..., FallbackFile]) -> None:
    outcome = server.transfer(key=None, password=Secret("not-it")).transfer(written())
    assert isinstance(outcome, Misconfigured)
    assert "password" in outcome.reason
    assert "not-it" not in outcome.reason


def test_an_invalid_key_file_is_a_setting(engage: Server, written: Callable[..., FallbackFile]) -> None:
    file = written()
    for path in (file.path, file.path.with_name("missing")):
        outcome = engage.transfer(key=path, password=None).transfer(file)
        assert isinstance(outcome, Misconfigured), outcome
        assert "transfer.key" in outcome.reason


def test_a_cut_upload_is_never_seen_and_the_next_attempt_succeeds(
    sandbox: Sandbox, engage: Server, written: Callable[..., FallbackFile]
) -> None:
    """Upload cut in half: the importer never sees a part and the next attempt succeeds."""
    sandbox.engage.faults.set({"sftp": "cut", "count": 1})
    file, transfer = written(BIG), engage.transfer()
    cut = NotSent(reason=f"127.0.0.1:{engage.port} closed the connection before it had answered")
    assert transfer.transfer(file) == cut
    assert list(engage.files()) == [f"transactionImport/.{NAME}.part"]
    assert transfer.transfer(file) == Delivered()
    assert engage.files() == {f"transactionImport/{NAME}": BIG}


def test_a_server_that_does_not_listen_is_not_sent(
    sandbox: Sandbox, engage: Server, written: Callable[..., FallbackFile]
) -> None:
    sandbox.engage.faults.set({"sftp": "refuse"})
    sandbox._apply_faults()
    refused = NotSent(reason=f"connection refused by 127.0.0.1:{engage.port}")
    assert engage.transfer().transfer(written()) == refused
    assert engage.transfer().find_transferred(written()) == refused
    unknown = engage.transfer(host="no-such-host.invalid").transfer(written())
    assert unknown == NotSent(reason="host name not found: no-such-host.invalid")


def test_a_server_that_says_nothing_is_given_up(engage: Server, written: Callable[..., FallbackFile]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        transfer = engage.transfer(port=port, timeout=timedelta(seconds=0.5))
        assert transfer.transfer(written()) == NotSent(reason=f"no answer from 127.0.0.1:{port} within 0.5 s")


class BrokenRename(SftpTransfer):
    """The real transfer, whose connection breaks before or after the server did the rename."""

    when = ""
    look = True
    read: Callable[[], None] = staticmethod(lambda: None)

    def rename(self, folder: Kept, temporary: str, final: str) -> None:
        if self.when == "after":
            super().rename(folder, temporary, final)
            self.read()
        if not self.look:
            folder._settings = _elsewhere(self._settings)
        raise asyncssh.ConnectionLost("cut")


def _elsewhere(settings: Settings) -> Settings:
    import attrs

    with socket.create_server(("127.0.0.1", 0)) as free:
        return attrs.evolve(settings, port=free.getsockname()[1])


@pytest.mark.parametrize(
    ("when", "look", "expected"),
    [("after", True, Delivered), ("before", True, NotSent), ("after", False, MaybeSent), ("before", False, MaybeSent)],
)
def test_a_lost_answer_to_the_rename_is_judged_by_looking(
    server: Server, written: Callable[..., FallbackFile], when: str, look: bool, expected: type
) -> None:
    """The rename succeeded but its answer was lost: judged by looking, not by the error."""
    plain = server.transfer()
    broken = server.closed_before(BrokenRename(plain._settings, plain._trusted))
    broken.when, broken.look = when, look
    file = written(BIG)
    assert type(broken.transfer(file)) is expected
    assert isinstance(plain.transfer(file), Delivered)
    assert server.files() == {f"transactionImport/{NAME}": BIG}


def test_a_file_read_before_the_answer_to_its_rename_counts_as_up(
    server: Server, written: Callable[..., FallbackFile]
) -> None:
    """The server deletes consumed files at any moment, also between upload and check."""
    plain = server.transfer()
    broken = server.closed_before(BrokenRename(plain._settings, plain._trusted))
    broken.when = "after"
    broken.read = (server.home / "transactionImport" / NAME).unlink
    assert isinstance(broken.transfer(written()), Delivered)
    assert plain.find_transferred(written()) is False


def test_a_server_that_takes_plain_writes_and_renames_to_free_names_only_is_served(
    strict: Server, written: Callable[..., FallbackFile]
) -> None:
    """The server refuses rename over an existing file, or refuses APPEND/READ open modes."""
    file, transfer = written(BIG), strict.transfer()
    assert transfer.transfer(file) == Delivered()
    assert transfer.find_transferred(file) is True
    assert strict.files() == {f"transactionImport/{NAME}": BIG}
    other = written(b"another of that name")
    assert isinstance(transfer.transfer(other), Refused)
    assert strict.files() == {f"transactionImport/{NAME}": BIG}


class RacedRename(SftpTransfer):
    """Another file of that name appears between the look and the rename."""

    final: Path

    def rename(self, folder: Kept, temporary: str, final: str) -> None:
        self.final.write_bytes(b"of another")
        super().rename(folder, temporary, final)


def test_a_refused_rename_over_another_file_leaves_it_as_it_is(
    strict: Server, written: Callable[..., FallbackFile]
) -> None:
    """The server refuses rename over an existing file: judged by looking, the other file is left alone."""
    plain = strict.transfer()
    raced = RacedRename(plain._settings, plain._trusted)
    raced.final = strict.home / "transactionImport" / NAME
    outcome = raced.transfer(written(BIG))
    assert isinstance(outcome, Refused)
    assert "another file" in outcome.reason
    assert raced.final.read_bytes() == b"of another"


def test_a_server_without_extensions_is_served_by_plain_rename(
    sshd: Callable[..., Server], written: Callable[..., FallbackFile]
) -> None:
    server = sshd(sftp_options="-P posix-rename,fsync")
    assert server.transfer().transfer(written()) == Delivered()
    assert list(server.files()) == [f"transactionImport/{NAME}"]


def test_a_folder_that_may_not_be_written_is_a_setting(
    sshd: Callable[..., Server], written: Callable[..., FallbackFile]
) -> None:
    outcome = sshd(sftp_options="-R").transfer().transfer(written())
    assert isinstance(outcome, Misconfigured)
    assert "transfer.path" in outcome.reason


def test_a_fallback_file_that_changed_here_is_not_sent(engage: Server, written: Callable[..., FallbackFile]) -> None:
    file = written(b"whole file")
    file.path.write_bytes(b"half")
    assert isinstance(engage.transfer().transfer(file), Refused)
    file.path.unlink()
    assert isinstance(engage.transfer().transfer(file), Refused)
    assert engage.files() == {}


@pytest.mark.parametrize("host_key", ["any", "*", "", "ssh-ed25519 AAAA", "127.0.0.1 ssh-ed25519"])
def test_an_invalid_host_key_is_a_finding(engage: Server, host_key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        engage.transfer(host_key=host_key)
    assert caught.value.findings[0].key == "transfer.host_key"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"port": 0}, "port"), ({"host": "sftp://x"}, "host"), ({"user": ""}, "user"), ({"password": None}, "password")],
)
def test_settings_that_cannot_be_are_refused(engage: Server, wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        engage.transfer(**wrong)
