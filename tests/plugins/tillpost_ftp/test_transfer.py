"""A file reaches the other side whole or not at all, with TLS or without, and whatever breaks."""

import ftplib
import io
import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.support.fallback_files import NAME
from tests.support.vsftpd import authority
from tillpost import ConfigurationError, Secret
from tillpost.model import Delivered, FallbackFile, MaybeSent, Misconfigured, NotSent, Refused
from tillpost_ftp.session import Session
from tillpost_ftp.settings import Settings
from tillpost_ftp.transfer import FtpTransfer

from .conftest import Server

BIG = bytes(range(256)) * (3 << 12)
Written = Callable[..., FallbackFile]


@pytest.mark.parametrize("content", [b"", b"<a/>", BIG], ids=["empty", "small", "3-MiB"])
def test_a_file_arrives_whole_under_its_name_alone(server: Server, written: Written, content: bytes) -> None:
    assert server.transfer().transfer(written(content)) == Delivered()
    assert server.files() == {f"transactionImport/{NAME}": content}


def test_the_server_may_open_the_data_connections(start: Callable[..., Server], tls: str, written: Written) -> None:
    server = start(tls, "pasv_enable=NO")
    assert server.transfer(passive=False).transfer(written(BIG)) == Delivered()
    assert server.files() == {f"transactionImport/{NAME}": BIG}


def test_it_is_found_while_it_is_there_and_not_sent_twice(server: Server, written: Written) -> None:
    file, transfer = written(), server.transfer()
    assert transfer.find_transferred(file) is False
    transfer.transfer(file)
    assert transfer.find_transferred(file) is True
    there = server.at.home / "transactionImport" / NAME
    before = there.stat().st_mtime_ns, there.stat().st_ino
    assert transfer.transfer(file) == Delivered(reason="it was there already")
    assert (there.stat().st_mtime_ns, there.stat().st_ino) == before
    there.unlink()
    assert transfer.find_transferred(file) is False


def test_another_file_of_that_name_is_left_alone(server: Server, written: Written) -> None:
    folder = server.at.home / "transactionImport"
    folder.mkdir()
    (folder / NAME).write_bytes(b"of another")
    assert isinstance(server.transfer().transfer(written()), Refused)
    assert server.files() == {f"transactionImport/{NAME}": b"of another"}


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_the_data_channel_takes_up_the_tls_session_of_the_control_channel(
    start: Callable[..., Server], written: Written, version: str
) -> None:
    """FTPS servers that demand TLS session reuse on the data channel: vsftpd's default, where a plain
    ftplib.FTP_TLS dies."""
    server = start(version)
    trust = ssl.create_default_context(cafile=server.at.ca)
    with ftplib.FTP_TLS(context=trust, timeout=20) as plain:
        plain.connect("127.0.0.1", server.at.port)
        plain.login(server.at.user, server.at.password)
        plain.prot_p()
        with pytest.raises((ftplib.Error, OSError)):
            plain.storbinary("STOR /integration/plain", io.BytesIO(b"x"))
    assert server.transfer().transfer(written(BIG)) == Delivered()
    log = server.at.log.read_text()
    assert f"SSL version: {version}" in log
    assert "No SSL session reuse on data channel." in log  # the plain one's
    assert f"transactionImport/{NAME}" in server.files()


def test_an_untrusted_certificate_is_refused(
    start: Callable[..., Server], written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ftplib.FTP_TLS()` without a context accepts any certificate: ours never does without one."""
    server = start("TLSv1.3")
    for transfer in (server.transfer(ca=None), server.transfer(host="127.0.0.3")):
        with monkeypatch.context() as patch:
            patch.setattr(socket, "create_connection", _to("127.0.0.1"))
            outcome = transfer.transfer(written())
        assert isinstance(outcome, Misconfigured), outcome
        assert "certificate" in outcome.reason
        assert "is not trusted: " in outcome.reason
        assert "transfer.ca" in outcome.reason
    assert server.files() == {}
    assert "PASS <" not in server.at.log.read_text()


def _to(host: str) -> Callable[..., socket.socket]:
    """Connections that all go to `host`, as when a name leads to somebody else's server."""
    real = socket.create_connection
    return lambda address, *given, **named: real((host, address[1]), *given, **named)


def test_an_expired_certificate_is_refused(start: Callable[..., Server], written: Written, tmp_path: Any) -> None:
    expired = tmp_path / "expired"
    expired.mkdir()
    authority(expired, expired=True)
    options = f"rsa_cert_file={expired / 'server.pem'}\nrsa_private_key_file={expired / 'server.key'}"
    outcome = start("TLSv1.2", options).transfer(ca=expired / "ca.pem").transfer(written())
    assert isinstance(outcome, Misconfigured)
    assert "expired" in outcome.reason


def test_the_servers_own_certificate_may_be_the_trusted_one(start: Callable[..., Server], written: Written) -> None:
    server = start("TLSv1.3")
    pinned = server.at.ca.with_name("server.pem")
    assert server.transfer(ca=pinned).transfer(written()) == Delivered()


def test_a_server_without_tls_gets_no_password(start: Callable[..., Server], written: Written) -> None:
    server = start("")
    outcome = attrs.evolve(server, tls="TLSv1.3").transfer().transfer(written())
    assert isinstance(outcome, Misconfigured)
    assert "TLS" in outcome.reason
    assert "PASS <" not in server.at.log.read_text()


def test_a_server_that_wants_tls_is_not_served_without(start: Callable[..., Server], written: Written) -> None:
    server = start("TLSv1.3")
    assert isinstance(attrs.evolve(server, tls="").transfer().transfer(written()), Misconfigured)


def test_a_login_that_is_not_taken_is_a_setting(server: Server, written: Written) -> None:
    transfer = server.transfer(password=Secret("not-it-å"))
    for outcome in (transfer.transfer(written()), transfer.find_transferred(written())):
        assert isinstance(outcome, Misconfigured)
        assert "password" in outcome.reason
        assert "not-it" not in outcome.reason


def test_a_folder_that_may_not_be_written_is_a_setting(
    start: Callable[..., Server], tls: str, written: Written
) -> None:
    outcome = start(tls, "write_enable=NO").transfer().transfer(written())
    assert isinstance(outcome, Misconfigured)
    assert "transfer.path" in outcome.reason


@pytest.mark.parametrize("denied", ["APPE,REST,RETR,MDTM", "SIZE", "SIZE,MLST,MKD,DELE"])
def test_a_server_may_forbid_what_is_not_needed(
    start: Callable[..., Server], tls: str, written: Written, denied: str
) -> None:
    """The server refuses APPEND/READ open modes: neither is used, and a refused SIZE is asked for otherwise."""
    server = start(tls, f"cmds_denied={denied}")
    (server.at.home / "transactionImport").mkdir()
    (server.at.home / "transactionImport").chmod(0o777)
    file, transfer = written(BIG), server.transfer()
    assert transfer.transfer(file) == Delivered()
    assert transfer.find_transferred(file) is True
    assert transfer.transfer(file) == Delivered(reason="it was there already")
    (server.at.home / "transactionImport" / NAME).unlink()
    assert transfer.find_transferred(file) is False


def test_what_an_earlier_attempt_left_is_no_hindrance(server: Server, written: Written) -> None:
    """Upload cut in half: the next attempt succeeds."""
    folder = server.at.home / "transactionImport"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / f".{NAME}.part").write_bytes(BIG + BIG)
    (folder / f".{NAME}.part").chmod(0o666)
    assert server.transfer().transfer(written(BIG)) == Delivered()
    assert server.files() == {f"transactionImport/{NAME}": BIG}


class Shortened(Session):
    """Uploads whose last bytes do not arrive, though the server says that all is well."""

    def put(self, path: str, source: Any) -> None:
        half = source.with_name("half")
        half.write_bytes(source.read_bytes()[:1000])
        super().put(path, half)


def test_a_part_that_passes_for_the_whole_is_found_by_its_size(
    server: Server, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upload cut in half: the importer never sees a part."""
    file = written(BIG)
    with monkeypatch.context() as patch:
        patch.setattr("tillpost_ftp.transfer.Session", Shortened)
        outcome = server.transfer().transfer(file)
    assert outcome == NotSent(reason=f"1000 of {len(BIG)} bytes of {NAME} arrived")
    assert server.files() == {}
    assert server.transfer().transfer(file) == Delivered()


class BrokenRename(FtpTransfer):
    """The real transfer, whose connection breaks before or after the server did the rename."""

    when = ""
    look = True
    read: Callable[[], None] = staticmethod(lambda: None)

    def rename(self, folder: Session, temporary: str, final: str) -> None:
        if self.when == "after":
            super().rename(folder, temporary, final)
            self.read()
        if not self.look:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self._settings = attrs.evolve(self._settings, port=free.getsockname()[1])
        raise EOFError


@pytest.mark.parametrize(
    ("when", "look", "expected"),
    [("after", True, Delivered), ("before", True, NotSent), ("after", False, MaybeSent), ("before", False, MaybeSent)],
)
def test_a_lost_answer_to_the_rename_is_judged_by_looking(
    server: Server, written: Written, when: str, look: bool, expected: type
) -> None:
    """The rename succeeded but its answer was lost: judged by looking, not by the error."""
    plain = server.transfer()
    broken = BrokenRename(plain._settings, plain._tls)
    broken.when, broken.look = when, look
    file = written(BIG)
    assert type(broken.transfer(file)) is expected
    assert isinstance(plain.transfer(file), Delivered)
    assert server.files() == {f"transactionImport/{NAME}": BIG}


def test_a_file_read_before_the_answer_to_its_rename_counts_as_up(server: Server, written: Written) -> None:
    """The server deletes consumed files at any moment, also between upload and check."""
    plain = server.transfer()
    broken = BrokenRename(plain._settings, plain._tls)
    broken.when = "after"
    broken.read = (server.at.home / "transactionImport" / NAME).unlink
    assert isinstance(broken.transfer(written()), Delivered)
    assert plain.find_transferred(written()) is False


def test_a_rename_that_is_refused_leaves_nothing_under_the_name(
    start: Callable[..., Server], tls: str, written: Written
) -> None:
    """The server refuses rename over existing: ours is to a name that is free, and a refusal is judged by looking."""
    server = start(tls, "cmds_denied=RNTO")
    outcome = server.transfer().transfer(written())
    assert isinstance(outcome, NotSent)
    assert "rename" in outcome.reason
    assert list(server.files()) == [f"transactionImport/.{NAME}.part"]


def test_a_server_that_does_not_listen_is_not_sent(start: Callable[..., Server], written: Written) -> None:
    server = start("")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for change, words in (
        ({"port": port}, f"connection refused by 127.0.0.1:{port}"),
        ({"host": "no-such-host.invalid"}, "host name not found: no-such-host.invalid"),
    ):
        assert server.transfer(**change).transfer(written()) == NotSent(reason=words)
        assert server.transfer(**change).find_transferred(written()) == NotSent(reason=words)


def test_a_server_that_says_nothing_is_given_up(start: Callable[..., Server], written: Written) -> None:
    server = start("")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        transfer = server.transfer(port=silent.getsockname()[1], timeout=timedelta(seconds=0.5))
        assert transfer.transfer(written()) == NotSent(
            reason=f"no answer from 127.0.0.1:{transfer._settings.port} within 0.5 s"
        )


def test_a_fallback_file_that_changed_here_is_not_sent(start: Callable[..., Server], written: Written) -> None:
    server, file = start(""), written(b"whole file")
    file.path.write_bytes(b"half")
    assert isinstance(server.transfer().transfer(file), Refused)
    file.path.unlink()
    assert isinstance(server.transfer().transfer(file), Refused)
    assert server.files() == {}


def test_names_outside_ascii_arrive_as_they_are(server: Server, written: Written) -> None:
    file = written(folder="mottagning-åäö")
    assert server.transfer().transfer(file) == Delivered()
    assert list(server.files()) == [f"mottagning-åäö/{NAME}"]


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_an_invalid_ca_file_is_a_finding(start: Callable[..., Server], tmp_path: Any, content: str) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        start("TLSv1.3").transfer(ca=path)
    assert caught.value.findings[0].key == "transfer.ca"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"port": 0}, "port"),
        ({"host": "ftp://x"}, "host"),
        ({"user": ""}, "user"),
        ({"user": "till\r\nDELE x"}, "user"),
        ({"password": Secret("a\nb")}, "password"),
        ({"path": "/a\nb"}, "path"),
        ({"timeout": timedelta(0)}, "timeout"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], named: str) -> None:
    given: dict[str, Any] = {"host": "h", "user": "u", "password": Secret("p")} | wrong
    with pytest.raises(ValueError, match=named) as caught:
        Settings(**given)
    assert "a\nb" not in str(caught.value)
