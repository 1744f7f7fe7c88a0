"""B23, K13: the file server is examined before an outage, with a file put, renamed and taken away again."""

import subprocess
from collections.abc import Callable

import asyncssh
import pytest

from tests.support.mounts import fill, tmpfs
from tests.support.program import free_ports
from tillpost import Secret
from tillpost.model import Delivered, Misconfigured, NotSent

from .conftest import Server

FOLDERS = ("contactImport", "transactionImport")


@pytest.fixture(params=["sandbox", "sshd"])
def server(request: pytest.FixtureRequest) -> Server:
    if request.param == "sandbox":
        found: Server = request.getfixturevalue("engage")
        return found
    made: Server = request.getfixturevalue("sshd")()
    return made


def test_b23_a_trial_puts_a_file_into_each_folder_and_takes_it_away(server: Server) -> None:
    before = server.files()
    assert server.transfer().probe_transfer(FOLDERS, True) == Delivered()
    assert server.files() == before
    assert {path.name for path in server.home.iterdir()} >= set(FOLDERS)


def test_a_standing_probe_writes_nothing(server: Server) -> None:
    before = sorted(server.home.rglob("*"))
    assert server.transfer().probe_transfer(FOLDERS, False) == Delivered()
    assert sorted(server.home.rglob("*")) == before


@pytest.mark.parametrize("trial", [False, True])
def test_b23_a_wrong_host_key_is_told_with_both_fingerprints(sshd: Callable[..., Server], trial: bool) -> None:
    server = sshd()
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    outcome = server.transfer(host_key=other).probe_transfer(FOLDERS, trial)
    assert isinstance(outcome, Misconfigured)
    for key in (server.host_key, other):
        assert asyncssh.import_public_key(key).get_fingerprint() in outcome.reason
    assert "expects" in outcome.reason


@pytest.mark.parametrize("trial", [False, True])
def test_b23_a_wrong_password_is_told(sshd: Callable[..., Server], trial: bool) -> None:
    server = sshd(password=True)
    outcome = server.transfer(password=Secret("not this one")).probe_transfer(FOLDERS, trial)
    assert isinstance(outcome, Misconfigured)
    assert "refuses the login; check transfer.user" in outcome.reason
    assert "not this one" not in outcome.reason


@pytest.mark.parametrize("trial", [False, True])
def test_b23_a_wrong_port_is_told(server: Server, trial: bool) -> None:
    (port,) = free_ports(1)
    outcome = server.transfer(port=port).probe_transfer(FOLDERS, trial)
    assert isinstance(outcome, NotSent)
    assert f"connection refused by 127.0.0.1:{port}" in outcome.reason


@pytest.mark.parametrize("trial", [False, True])
def test_b23_a_wrong_path_is_told_and_not_made(server: Server, trial: bool) -> None:
    """`transfer` would make it, and the destination would never look into it."""
    outcome = server.transfer(path=f"{server.path}/elsewhere").probe_transfer(FOLDERS, trial)
    assert isinstance(outcome, Misconfigured)
    assert f"has no folder {server.path}/elsewhere; check transfer.path" in outcome.reason
    assert not (server.home / "elsewhere").exists()


def test_b23_a_folder_that_may_not_be_written_is_told(sshd: Callable[..., Server]) -> None:
    server = sshd(sftp_options="-R")
    for name in FOLDERS:
        (server.home / name).mkdir()
    assert server.transfer().probe_transfer(FOLDERS, False) == Delivered()
    outcome = server.transfer().probe_transfer(FOLDERS, True)
    assert isinstance(outcome, Misconfigured)
    assert f"no file can be written into {server.path}/contactImport: " in outcome.reason


@pytest.mark.parametrize("forbidden", ["rename,posix-rename", "remove"])
def test_b23_a_user_who_may_not_rename_or_remove_is_told(sshd: Callable[..., Server], forbidden: str) -> None:
    server = sshd(sftp_options=f"-P {forbidden}")
    outcome = server.transfer().probe_transfer(FOLDERS, True)
    assert not isinstance(outcome, Delivered)
    if "rename" in forbidden:
        assert "cannot be renamed, so the destination would never see it" in outcome.reason
        assert server.files() == {}, "what was put is taken away"
    else:
        (left,) = server.files()
        assert left.endswith(".txt")
        assert f"{left} stays on the file server" in outcome.reason


def test_b23_a_full_folder_is_told(sshd: Callable[..., Server]) -> None:
    server = sshd()
    with tmpfs(server.home / "contactImport", "size=64k"):
        fill(server.home / "contactImport")
        outcome = server.transfer().probe_transfer(FOLDERS, True)
        # The server's process for this connection has the disk open for another moment.
        subprocess.run(["umount", "--lazy", str(server.home / "contactImport")], check=True)
    assert isinstance(outcome, NotSent)
    assert f"no file can be written into {server.path}/contactImport" in outcome.reason


def test_a_kept_connection_that_died_is_no_failure_of_the_probe(sshd: Callable[..., Server]) -> None:
    server = sshd()
    transfer = server.transfer()
    assert transfer.probe_transfer(FOLDERS, False) == Delivered()
    transfer._kept._connection.abort()
    assert transfer.probe_transfer(FOLDERS, False) == Delivered()
