"""B6: an observer that cannot take an event now says so, keeps its place, and loses nothing; the others go on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.simulator.faults import Killed
from tests.support.lines import Ahead, make_line
from tests.support.receipts import accept, found
from tests.support.waiting import until
from tillpost.alerts.plugin_rules import observer as observer_rule
from tillpost.alerts.problem import Context
from tillpost.compose.alert_settings import AlertSettings
from tillpost.errors import Interrupted, InvalidValue
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.line import Line
from tillpost.flow.upkeep.observers import forget_observers, notify_observers
from tillpost.flow.worker import Worker
from tillpost.journal import Journal, SourceState
from tillpost.journal.tables.retention import Kind, RetentionCursor
from tillpost.model import Misconfigured, NotSent, Throttled


class Chat:
    """An observer that takes events while it is healthy."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.calls = 0
        self.seen: list[int] = []

    def __call__(self, event: Mapping[str, Any]) -> Any:
        self.calls += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        if self.answer is None:
            self.seen.append(event["seq"])
        return self.answer


class Bench:
    """A line on a journal, with observers by their plugin; its clock is set ahead."""

    def __init__(self, folder: Path, *observers: tuple[str, Any]) -> None:
        self.folder, self.observers, self.clock = folder, observers, Ahead()
        self.count = 0
        self.start()

    def start(self) -> None:
        """As after an end of the process."""
        self.journal = Journal(self.folder)
        self.line = line_with(self.journal, self.clock, *self.observers)
        forget_observers(self.line)

    def restart(self) -> None:
        self.journal.close()
        self.start()

    def sell(self, count: int = 1) -> None:
        """So many events."""
        for _ in range(count):
            self.count += 1
            self.journal.events.add(1e9, "accept", "receipt", number=str(self.count))

    def rounds(self, count: int = 1, apart: float = 100.0) -> None:
        for _ in range(count):
            notify_observers(self.line)
            self.clock.ahead += apart

    def all(self) -> list[int]:
        return [event["seq"] for event in self.journal.events.newest(10_000)]

    def alerts(self, later: float = 0.0) -> list[str]:
        context = Context(
            pipeline="shop", journal=self.journal, limits=AlertSettings(), now=self.clock.time() + later, standing={},
            sequence=False,
        )  # fmt: skip
        return [problem.what for problem in observer_rule(context)]


def line_with(journal: Journal, clock: Ahead, *observers: tuple[str, Any]) -> Line:
    callers = [(name, lambda event, call=call: [call(event)]) for name, call in observers]
    return make_line(journal, HookCalls({"observe": callers}, lets_through=(Interrupted, Killed)), clock=clock)


@pytest.fixture
def chat() -> Chat:
    return Chat()


@pytest.fixture
def log() -> Chat:
    return Chat()


@pytest.fixture
def bench(tmp_path: Path, chat: Chat, log: Chat) -> Iterator[Bench]:
    made = Bench(tmp_path / "state", ("chat", chat), ("log", log))
    with closing(made.journal):
        yield made
    made.journal.close()


LATER = [
    NotSent(reason="the chat is away"),
    Throttled(reason="too many messages"),
    Misconfigured(reason="the token is refused"),
    ConnectionResetError(104, "connection reset"),
    TimeoutError("somebody's name"),
]


@pytest.mark.parametrize("answer", LATER, ids=lambda answer: type(answer).__name__)
def test_b6_later_keeps_the_place_and_the_others_go_on(bench: Bench, chat: Chat, log: Chat, answer: Any) -> None:
    bench.sell(3)
    bench.rounds()
    chat.answer = answer
    bench.sell(5)
    bench.rounds(10)
    assert log.seen == bench.all()
    assert chat.seen == bench.all()[:3]
    (behind,) = bench.journal.observers_behind.all()
    assert (behind.name, behind.observed, bench.journal.observers_behind.count_waiting(behind)) == ("chat", 3, 5)
    assert "name" not in behind.reason
    chat.answer = None
    bench.sell(2)
    bench.rounds(3)
    assert chat.seen == log.seen == bench.all(), "in order, each once"
    assert bench.journal.observers_behind.all() == []
    assert bench.journal.steps_set_aside.standing(bench.clock.time()) == [], "nothing is lost"


def test_b6_an_observer_that_waits_is_asked_after_growing_waits(bench: Bench, chat: Chat) -> None:
    chat.answer = NotSent(reason="the chat is away")
    bench.sell()
    bench.rounds(3600, apart=1.0)
    assert 60 <= chat.calls <= 100, "once a minute, not once a second"
    calls = chat.calls
    chat.answer = Throttled(reason="too many messages", retry_after=1800.0)
    bench.rounds(1800, apart=1.0)
    assert chat.calls <= calls + 2
    chat.answer = None
    bench.rounds(2, apart=1900.0)
    assert chat.seen == bench.all()


def test_b6_a_restart_keeps_the_place(bench: Bench, chat: Chat, log: Chat) -> None:
    chat.answer = NotSent(reason="the chat is away")
    bench.sell(4)
    bench.rounds()
    chat.answer = None
    bench.restart()
    bench.rounds(2)
    assert chat.seen == log.seen == bench.all()


@pytest.mark.parametrize("at", range(1, 8))
def test_b6_an_end_of_the_process_at_any_event_loses_none(tmp_path: Path, at: int) -> None:
    """At the call of either observer, also while one catches up; what was passed on may come again."""
    calls, seen = 0, {"chat": list[int](), "log": list[int]()}
    away = True

    def observer(name: str) -> Any:
        def call(event: Mapping[str, Any]) -> Any:
            nonlocal calls
            calls += 1
            if calls == at:
                raise Killed
            if name == "chat" and away:
                return NotSent(reason="away")
            seen[name].append(event["seq"])
            return None

        return call

    bench = Bench(tmp_path / "state", ("chat", observer("chat")), ("log", observer("log")))
    bench.sell(3)
    for number in range(8):
        away = number < 2
        try:
            bench.rounds()
        except Killed:
            bench.restart()
    for name in seen:
        assert sorted(set(seen[name])) == bench.all()
        assert [each for each in seen[name] if seen[name].count(each) == 1]
    bench.journal.close()


def test_b6_two_uses_of_one_plugin_have_places_of_their_own(tmp_path: Path, chat: Chat, log: Chat) -> None:
    bench = Bench(tmp_path / "state", ("chat", chat), ("chat", log))
    log.answer = NotSent(reason="away")
    bench.sell(2)
    bench.rounds()
    assert [each.name for each in bench.journal.observers_behind.all()] == ["chat 2"]
    assert chat.seen == bench.all()
    chat.answer, log.answer = NotSent(reason="away, too"), None
    bench.sell(2)
    bench.rounds(2)
    assert [each.name for each in bench.journal.observers_behind.all()] == ["chat"]
    chat.answer = None
    bench.rounds(2)
    assert chat.seen == log.seen == bench.all()
    bench.journal.close()


@pytest.mark.parametrize(
    "answer", [ValueError("a name"), InvalidValue("no date"), SystemExit(1), "done", True], ids=lambda a: repr(a)[:20]
)
def test_an_event_that_an_observer_fails_at_is_lost_alone_and_named(
    bench: Bench, chat: Chat, log: Chat, answer: Any
) -> None:
    bench.sell()
    chat.answer = answer
    bench.rounds()
    chat.answer = None
    bench.sell()
    bench.rounds()
    assert chat.seen == bench.all()[1:]
    assert log.seen == bench.all()
    (lost,) = bench.journal.steps_set_aside.standing(bench.clock.time())
    assert (lost.name, lost.count) == ("chat", 1)
    assert "a name" not in lost.reason
    assert "no date" not in lost.reason


def test_b6_an_observer_that_waits_for_long_is_an_alert_until_it_has_caught_up(bench: Bench, chat: Chat) -> None:
    chat.answer = Misconfigured(reason="the token is refused")
    bench.sell(3)
    bench.rounds(apart=0.0)
    assert bench.alerts() == [], "a moment is no trouble"
    (said,) = bench.alerts(later=400.0)
    assert "observer chat" in said
    assert "has not got 3 events" in said
    assert "the token is refused" in said
    chat.answer = None
    bench.clock.ahead += 100.0
    bench.rounds(2)
    assert bench.alerts(later=400.0) == []


def test_b6_the_log_has_it_once_a_reason(bench: Bench, chat: Chat, caplog: pytest.LogCaptureFixture) -> None:
    chat.answer = NotSent(reason="the chat is away")
    bench.sell(2)
    with caplog.at_level(logging.INFO, "tillpost.flow"):
        bench.rounds(20)
        chat.answer = NotSent(reason="the chat is full")
        bench.rounds(20)
        chat.answer = None
        bench.rounds(2)
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "observer chat cannot take event 1: the chat is away; the events from there on wait for it",
        "observer chat cannot take event 1: the chat is full; the events from there on wait for it",
        "observer chat has caught up",
    ]


def test_b6_what_retention_removes_while_an_observer_waits_is_lost_to_it_and_said(bench: Bench, chat: Chat) -> None:
    chat.answer = NotSent(reason="the chat is away")
    bench.sell(4)
    bench.rounds()
    bench.journal.retention.step(RetentionCursor(Kind.EVENTS), before=2e9, now=bench.clock.time())
    (lost,) = bench.journal.steps_set_aside.standing(bench.clock.time())
    assert (lost.name, lost.count) == ("chat", 4)
    assert "longer than events are kept: the chat is away" in lost.reason


def test_an_observer_that_is_taken_out_of_the_configuration_is_named_with_what_it_has_not_got(
    bench: Bench, chat: Chat, log: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    chat.answer = NotSent(reason="away")
    bench.sell(2)
    bench.rounds()
    bench.observers = (("log", log),)
    bench.restart()
    said = "observer chat is not in the configuration any more; it has not got 2 events"
    assert said in caplog.text
    assert bench.alerts(later=400.0) == []
    (loss,) = bench.journal.losses.open()
    assert loss.what == f"{said}: away"
    bench.restart()
    assert bench.journal.losses.open() == [loss], "recorded once, and stands until it is settled"


def test_an_observer_that_catches_up_is_told_as_such(bench: Bench, chat: Chat) -> None:
    chat.answer = NotSent(reason="the chat is away")
    bench.sell(1200)
    bench.rounds(3, apart=0.0)
    bench.clock.ahead += 400.0
    chat.answer = None
    bench.rounds()
    (behind,) = bench.journal.observers_behind.all()
    assert (behind.state, "away" in behind.reason) == (SourceState.WORKING, False)
    (said,) = bench.alerts(later=400.0)
    assert "observer chat works again; 700 events of those since" in said
    assert "away" not in said


def test_b6_a_slow_observer_is_told_again_at_most_what_a_round_has(tmp_path: Path) -> None:
    """A round ends after a second, and what was passed on is marked."""
    clock, seen = Ahead(), list[int]()

    def slow(event: Mapping[str, Any]) -> None:
        seen.append(event["seq"])
        clock.ahead += 0.4

    with closing(Journal(tmp_path / "state")) as journal:
        for _ in range(9):
            journal.events.add(1e9, "accept", "receipt")
        line = line_with(journal, clock, ("slow", slow))
        assert notify_observers(line) == 3
        line.heartbeat.stopping = True
        assert notify_observers(line) == 0
        line.heartbeat.stopping = False
        for _ in range(3):
            notify_observers(line)
        assert seen == [event["seq"] for event in journal.events.newest(100)]


def test_an_observer_that_hangs_keeps_no_upkeep_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, let_go, rounds = threading.Event(), threading.Event(), list[Line]()
    monkeypatch.setattr("tillpost.flow.worker.UPKEEP", (rounds.append,))

    def hang(event: Mapping[str, Any]) -> None:
        hanging.set()
        let_go.wait(60)

    with closing(Journal(tmp_path / "state")) as journal:
        line = line_with(journal, Ahead(), ("chat", hang))
        accept(journal, found(number="1"))
        worker = Worker(line)
        worker.start()
        until(hanging.is_set)
        before = len(rounds)
        until(lambda: len(rounds) > before + 1)
        let_go.set()
        worker.stop()
        assert worker.join(30)
