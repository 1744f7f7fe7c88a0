"""Real file servers behind a proxy that breaks the connection: no part is ever seen, and the next attempt succeeds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.support.fallback_files import NAME, written
from tests.support.fileserver import FileServer, fileserver
from tests.support.tcp_proxy import Way
from tillpost.model import Delivered, MaybeSent, NotSent

pytestmark = pytest.mark.slow

SIZE = 1 << 20
WHOLE = {f"transactionImport/{NAME}": bytes(range(256)) * (SIZE >> 8)}
SHORT = 0.5
"""Seconds a step may take while the connection is broken."""


@pytest.fixture(scope="module", params=["sftp-key", "ftps-1.3", "ftp"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    with fileserver(request.param, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(running: FileServer) -> FileServer:
    for path in running.home.rglob("*"):
        if path.is_file():
            path.unlink()
    return running


THENS: tuple[Literal["cut", "reset", "silence", "drip"], ...] = ("cut", "reset", "silence", "drip")
BREAKS = [
    pytest.param(direction, Way(after=after, then=then), data, id=f"{then}-{direction}-{after}-{where}")
    for then in THENS
    for direction, after, data, where in (
        ("up", 0, False, "control"),
        ("down", 0, False, "control"),
        ("down", 40, False, "control"),
        ("up", 700, False, "control"),
        ("down", 1500, False, "control"),
        ("down", 3500, False, "control"),
        ("up", 0, True, "data"),
        ("up", SIZE // 2, True, "data"),
        ("down", 500, True, "data"),
    )
]


@pytest.mark.parametrize(("direction", "way", "data"), BREAKS)
def test_a_broken_connection_never_shows_a_part_and_the_next_attempt_succeeds(
    server: FileServer, tmp_path: Path, direction: str, way: Way, data: bool
) -> None:
    """Upload cut in half: the importer never sees a part (temporary name, size check, rename) and the next attempt
    succeeds. At one byte every 5 s the file would take two months: every step has an end."""
    (content,) = WHOLE.values()
    file = written(tmp_path, content)
    with server.front() as front:
        front.set(direction, way, data)
        outcome = server.transfer(SHORT, front).transfer(file)
        assert isinstance(outcome, Delivered | NotSent | MaybeSent), outcome
        final = {name: body for name, body in server.files().items() if not name.endswith(".part")}
        assert final == (WHOLE if isinstance(outcome, Delivered) else final)
        assert final in ({}, WHOLE)
        found = server.transfer(SHORT, front).find_transferred(file)
        assert isinstance(found, NotSent) or found is bool(final)
        front.heal()
        assert isinstance(server.transfer(front=front).transfer(file), Delivered)
        assert server.transfer(front=front).find_transferred(file) is True
    assert server.files() == WHOLE


def test_a_slow_line_is_no_broken_one(server: FileServer, tmp_path: Path) -> None:
    (content,) = WHOLE.values()
    with server.front() as front:
        for direction in ("up", "down"):
            for data in (False, True):
                front.set(direction, Way(latency=0.01), data)
        assert server.transfer(front=front).transfer(written(tmp_path, content)) == Delivered()
    assert server.files() == WHOLE


def test_a_port_that_refuses_is_tried_again(server: FileServer, tmp_path: Path) -> None:
    (content,) = WHOLE.values()
    file = written(tmp_path, content)
    with server.front() as front:
        for refusing in (front.control, front.data or front.control):
            refusing.refuse()
            assert isinstance(server.transfer(front=front).transfer(file), NotSent)
            front.heal()
        assert server.transfer(front=front).transfer(file) == Delivered()
    assert server.files() == WHOLE
