"""Calls that follow one another share a connection; one that has died meanwhile is made again, once."""

import gc
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.tcp_proxy import Proxy
from tillpost.model import Delivered, FallbackFile, NotSent
from tillpost_sftp import session

from .conftest import Server

NAMES = [f"20260301123000_{number}_transactions.xml" for number in range(3)]


@pytest.fixture
def server(sshd: Callable[..., Server]) -> Server:
    return sshd()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy([(0, server.port)]) as proxy:
        yield proxy


def test_a_round_of_files_is_one_connection(server: Server, proxy: Proxy, written: Callable[..., FallbackFile]) -> None:
    transfer = server.transfer(port=proxy.port)
    files = [written(name.encode(), name) for name in NAMES]
    assert [transfer.transfer(file) for file in files] == [Delivered()] * 3
    assert [transfer.find_transferred(file) for file in files] == [True] * 3
    assert len(proxy._pairs) == 1
    assert server.files() == {f"transactionImport/{name}": name.encode() for name in NAMES}


def test_a_connection_that_died_between_two_files_is_made_again_and_no_attempt_is_lost(
    server: Server, proxy: Proxy, written: Callable[..., FallbackFile]
) -> None:
    transfer = server.transfer(port=proxy.port)
    first, second, third = [written(name.encode(), name) for name in NAMES]
    assert transfer.transfer(first) == Delivered()
    proxy.refuse()  # resets the connection there is
    proxy.accept()
    assert transfer.transfer(second) == Delivered()
    proxy.refuse()
    proxy.accept()
    assert transfer.find_transferred(second) is True
    proxy.refuse()
    assert isinstance(transfer.transfer(third), NotSent)
    assert isinstance(transfer.find_transferred(third), NotSent)
    proxy.accept()
    assert transfer.transfer(third) == Delivered()
    assert server.files() == {f"transactionImport/{name}": name.encode() for name in NAMES}


def test_an_unused_connection_is_closed(
    server: Server, proxy: Proxy, written: Callable[..., FallbackFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "IDLE", 0.05)
    transfer = server.transfer(port=proxy.port)
    assert transfer.transfer(written(b"a", NAMES[0])) == Delivered()
    until = time.monotonic() + 20
    while transfer._kept.sftp is not None or any(thread.is_alive() for thread in proxy._pairs[0]._threads):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert transfer.transfer(written(b"b", NAMES[1])) == Delivered()


def test_it_is_closed_with_the_plugin(server: Server, proxy: Proxy, written: Callable[..., FallbackFile]) -> None:
    transfer = server.transfer(port=proxy.port)
    assert transfer.transfer(written(b"a", NAMES[0])) == Delivered()
    kept = transfer._kept
    del transfer
    gc.collect()
    assert kept.sftp is None
