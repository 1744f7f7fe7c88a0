"""K13: the file server is asked before it is needed, seldom, and a person is told once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.lines import line_on
from tests.support.query_cost import add_file
from tillpost.clock import SystemClock
from tillpost.flow.fallback.file_server import AGAIN, is_probed, probe_if_due, record
from tillpost.flow.limits import TransferPolicy
from tillpost.flow.line import Line
from tillpost.journal import FileState
from tillpost.model import Delivered, FallbackFile, Misconfigured, NotSent, Outcome, Refused

AWAY, WRONG = NotSent(reason="connection refused by files:22"), Misconfigured(reason="another host key")
EVERY = TransferPolicy().probe_every.total_seconds()


class Clock(SystemClock):
    now = 1_000_000.0

    def time(self) -> float:
        return self.now


class Server:
    """A file server that answers what it is told to, and the questions it got."""

    def __init__(self) -> None:
        self.answer: Outcome = Delivered()
        self.asked: list[bool] = []

    def probe(self, folders: tuple[str, ...], trial: bool) -> Outcome:
        self.asked.append(trial)
        return self.answer


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def line(tmp_path: Path, server: Server, clock: Clock) -> Iterator[Line]:
    with line_on(tmp_path, clock=clock, probe_transfer=server.probe) as made:
        yield made


def test_it_is_asked_once_every_quarter_of_an_hour_and_writes_nothing_there(
    line: Line, server: Server, clock: Clock
) -> None:
    asked_at = []
    end = clock.now + 86400
    while clock.now < end:
        before = len(server.asked)
        wait = probe_if_due(line)
        if len(server.asked) > before:
            asked_at.append(clock.now)
        clock.now += wait
    assert len(asked_at) == 86400 / EVERY == 96
    assert set(server.asked) == {False}


def test_a_crash_loop_asks_no_more_often(line: Line, server: Server) -> None:
    for _ in range(100):
        probe_if_due(line)
    assert len(server.asked) == 1


def test_a_clock_that_was_set_back_silences_nothing(line: Line, server: Server, clock: Clock) -> None:
    probe_if_due(line)
    clock.now -= 10 * 86400
    probe_if_due(line)
    assert len(server.asked) == 2


def test_a_failure_is_asked_again_in_a_minute_and_told_once(
    line: Line, server: Server, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tillpost.flow")
    probe_if_due(line)
    server.answer = AWAY
    clock.now += EVERY
    since = clock.now
    probe_if_due(line)
    known = line.journal.file_server.get()
    assert known is not None
    assert not known.is_down, "once is no outage"
    for _ in range(30):
        clock.now += AGAIN
        probe_if_due(line)
    known = line.journal.file_server.get()
    assert known is not None
    assert (known.is_down, known.failures, known.since, known.reason) == (True, 31, since, AWAY.reason)
    server.answer = Delivered()
    clock.now += AGAIN
    probe_if_due(line)
    known = line.journal.file_server.get()
    assert known is not None
    assert (known.is_down, known.since) == (False, clock.now)
    assert [each.message for each in caplog.records] == [
        f"pipeline shop: the file server cannot be used: {AWAY.reason}",
        "pipeline shop: the file server can be used again",
    ]


def test_settings_that_are_refused_are_told_at_once(line: Line, server: Server) -> None:
    server.answer = WRONG
    probe_if_due(line)
    known = line.journal.file_server.get()
    assert known is not None
    assert (known.is_down, known.reason) == (True, WRONG.reason)


@pytest.mark.parametrize("outcome", [AWAY, WRONG, Refused(reason="another file of that name")])
def test_what_a_transfer_meets_counts_and_what_speaks_for_one_file_does_not(line: Line, outcome: Outcome) -> None:
    record(line, Delivered())
    record(line, outcome)
    record(line, outcome)
    known = line.journal.file_server.get()
    assert known is not None
    assert known.is_down is isinstance(outcome, Misconfigured)
    assert known.failures == (0 if isinstance(outcome, Refused) else 1)


def test_one_file_that_fails_again_and_again_is_not_the_file_servers_outage(
    line: Line, server: Server, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A probe is asked within a minute, and decides."""
    probe_if_due(line)
    for _ in range(20):
        record(line, AWAY)
        clock.now += AGAIN
        probe_if_due(line)
        known = line.journal.file_server.get()
        assert known is not None
        assert not known.is_down
    assert not caplog.records
    server.answer = AWAY
    record(line, AWAY)
    clock.now += AGAIN
    probe_if_due(line)
    known = line.journal.file_server.get()
    assert known is not None
    assert known.is_down


def test_a_probe_does_not_take_back_what_a_transfer_was_refused(
    line: Line, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that may not be written: the probe logs in and finds the path, and writes nothing."""
    add_file(line.journal, "f.xml")
    for _ in range(10):
        record(line, WRONG)
        clock.now += AGAIN
        probe_if_due(line)
    known = line.journal.file_server.get()
    assert known is not None
    assert known.is_down
    assert len(caplog.records) == 1
    line.journal.files.move(line.journal.files.get("f.xml"), FileState.UPLOADED, clock.now)
    record(line, Delivered())
    known = line.journal.file_server.get()
    assert known is not None
    assert not known.is_down


@pytest.mark.parametrize(("found", "down"), [(False, False), (True, False), (WRONG, True)])
def test_a_transfer_without_the_hook_is_asked_for_a_file_nobody_has(tmp_path: Path, found: Any, down: bool) -> None:
    asked: list[FallbackFile] = []

    def find(file: FallbackFile) -> Any:
        asked.append(file)
        return found

    with line_on(tmp_path, find_transferred=find) as line:
        probe_if_due(line)
        (file,) = asked
        assert not file.path.exists()
        assert not file.name.endswith(".xml")
        known = line.journal.file_server.get()
        assert known is not None
        assert known.is_down is down


def test_a_pipeline_whose_transfer_was_taken_away_forgets_it(
    line: Line, server: Server, without: Callable[[Line], Line]
) -> None:
    server.answer = WRONG
    probe_if_due(line)
    assert is_probed(line)
    assert not is_probed(without(line))
    assert line.journal.file_server.get() is None


@pytest.fixture
def without() -> Callable[[Line], Line]:
    return lambda line: attrs.evolve(line, transfer=None)


def test_the_time_between_two_is_bounded() -> None:
    for wrong in (timedelta(seconds=9), timedelta(days=2)):
        with pytest.raises(ValueError, match="10s to 1d"):
            TransferPolicy(probe_every=wrong)
