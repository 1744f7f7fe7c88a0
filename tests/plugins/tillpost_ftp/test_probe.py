"""B23, K13: the file server is examined before an outage, with a file put, renamed and taken away again."""

from collections.abc import Callable

import pytest

from tests.support.program import free_ports
from tillpost import Secret
from tillpost.model import Delivered, Misconfigured, NotSent

from .conftest import Server

FOLDERS = ("contactImport", "transactionImport")


def test_b23_a_trial_puts_a_file_into_each_folder_and_takes_it_away(server: Server) -> None:
    assert server.transfer().probe_transfer(FOLDERS, True) == Delivered()
    assert server.files() == {}
    assert {path.name for path in server.at.home.iterdir()} == set(FOLDERS)
    log = server.at.log.read_text()
    assert "OK RENAME" in log
    assert ".xml" not in log


def test_a_standing_probe_writes_nothing(server: Server) -> None:
    assert server.transfer().probe_transfer(FOLDERS, False) == Delivered()
    assert list(server.at.home.iterdir()) == []


@pytest.mark.parametrize("trial", [False, True])
def test_b23_a_wrong_password_port_or_path_is_told(server: Server, trial: bool) -> None:
    outcome = server.transfer(password=Secret("not this one")).probe_transfer(FOLDERS, trial)
    assert isinstance(outcome, Misconfigured)
    assert "refuses the login" in outcome.reason
    assert "not this one" not in outcome.reason
    (port,) = free_ports(1)
    outcome = server.transfer(port=port).probe_transfer(FOLDERS, trial)
    assert isinstance(outcome, NotSent)
    assert "connection refused by" in outcome.reason
    outcome = server.transfer(path="/elsewhere").probe_transfer(FOLDERS, trial)
    assert isinstance(outcome, Misconfigured)
    assert "has no folder /elsewhere; check transfer.path" in outcome.reason
    assert not (server.at.home.parent / "elsewhere").exists()


@pytest.mark.parametrize("trial", [False, True])
def test_b23_an_untrusted_certificate_is_told(start: Callable[..., Server], trial: bool) -> None:
    server = start("TLSv1.3")
    outcome = server.transfer(ca=None).probe_transfer(FOLDERS, trial)
    assert isinstance(outcome, Misconfigured)
    assert "is not trusted" in outcome.reason
    assert "transfer.ca" in outcome.reason
    assert "PASS <" not in server.at.log.read_text()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("write_enable=NO", "no file can be written into /integration/contactImport"),
        ("anon_other_write_enable=NO", "cannot be renamed, so the destination would never see it"),
        ("cmds_denied=DELE", "stays on the file server: it cannot be removed there"),
    ],
)
def test_b23_what_the_user_may_not_do_is_told(start: Callable[..., Server], option: str, said: str) -> None:
    outcome = start("", option).transfer().probe_transfer(FOLDERS, True)
    assert not isinstance(outcome, Delivered)
    assert said in outcome.reason
