"""K6, B11 at the steps that work on a file or a contact: what ends the process again and again is set aside alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.simulator.faults import Killed
from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import DAY, deliver_all, outage, take
from tillpost.alerts.problem import Context as AlertContext
from tillpost.alerts.rules import evaluate
from tillpost.compose.alert_settings import AlertSettings
from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.deadly import RAISED, in_hand
from tillpost.flow.delivery.verify import verify
from tillpost.flow.fallback.write_files import write_files
from tillpost.flow.intake.collected_source import CollectedSource
from tillpost.flow.retry_policy import MAX_CRASHES
from tillpost.flow.upkeep.observers import notify_observers
from tillpost.flow.worker import UPKEEP, run_steps
from tillpost.journal import SourceState, State, StepSetAside
from tillpost.journal.sqlite.crash_marks import CrashMarks
from tillpost.model import Document, FallbackFile

COUNT = 6
HOURS, AGAIN = 36, 6
"""Rounds of three hours, and how often what was set aside is tried again within them: after a minute, two more, ..."""


def kill(*_: object, **__: object) -> None:
    raise Killed


def poison(machine: Machine, hook: str, is_poisoned: Callable[[Any], bool]) -> None:
    (name, healthy), *others = machine.line.hooks.callers[hook]

    def call(**given: Any) -> Any:
        return kill() if is_poisoned(next(iter(given.values()))) else healthy(**given)

    machine.line.hooks.callers[hook] = [(name, call), *others]  # type: ignore[index]


def is_third(contact: Any) -> bool:
    known = contact.identifier("externalId")
    return known is not None and known.value == "c3"


def has_third(file: FallbackFile) -> bool:
    """Whether it is the receipts file of the first batch."""
    return file.kind == "receipts" and b"_3<" in file.path.read_bytes()


def run(machine: Machine, hook: str, is_poisoned: Callable[[Any], bool], rounds: int) -> int:
    """Rounds of everything, started again after each end of the process; how often that was."""
    deaths = 0
    poison(machine, hook, is_poisoned)
    for _ in range(rounds):
        machine.clock.advance(300.0)
        machine.engage.advance(machine.clock.monotonic())
        machine.imports.advance(machine.clock.monotonic())
        try:
            run_steps(machine.line, UPKEEP)
            deliver_all(machine)
            verify(machine.line)
        except Killed:
            deaths += 1
            machine.restart()
            poison(machine, hook, is_poisoned)
    return deaths


def states(machine: Machine) -> dict[str, State]:
    return {entry.number: entry.state for entry in machine.line.journal.receipts.find({})}


def failing(machine: Machine) -> list[StepSetAside]:
    return machine.line.journal.steps_set_aside.standing(machine.clock.time())


def told(machine: Machine) -> set[tuple[str, str]]:
    events = machine.line.journal.events.unobserved(100_000)
    return {(each["detail"]["hook"], each["detail"]["name"]) for each in events if each["what"] == "set aside"}


@pytest.mark.parametrize("hook", ["transfer", "find_transferred"])
def test_k6_a_file_that_ends_the_process_is_set_aside_and_the_others_are_imported(machine: Machine, hook: str) -> None:
    """The receipts of two batches: those of the second are delivered."""
    take(machine, *(sale(number, {"externalId": f"c{number}"}) for number in range(COUNT)))
    outage(machine)
    take(machine, *(sale(COUNT + number, {"externalId": f"c{COUNT + number}"}) for number in range(COUNT)))
    write_files(machine.line)
    machine.faults.api = "ok"
    assert MAX_CRASHES <= run(machine, hook, has_third, HOURS) <= MAX_CRASHES + AGAIN
    assert {number for number, state in states(machine).items() if state is State.DELIVERED} >= {
        str(COUNT + number) for number in range(COUNT)
    }
    (stuck,) = machine.line.journal.files.open()
    assert has_third(stuck.file)
    assert stuck.alerted_at is not None
    assert "times during" in stuck.reason
    assert (hook, stuck.file.name) in told(machine)
    machine.restart()
    machine.clock.advance(2 * DAY)
    assert run(machine, hook, lambda file: False, HOURS) == 0
    assert set(states(machine).values()) == {State.DELIVERED}, "tried again, once the plugin is healed"


@pytest.mark.parametrize("hook", ["reconcile_contact", "confirm_receipts"])
def test_k6_a_contact_that_ends_the_process_after_an_outage_is_set_aside_and_the_others_are_delivered(
    machine: Machine, hook: str
) -> None:
    take(machine, *(sale(number, {"externalId": f"c{number}"}) for number in range(COUNT)))
    outage(machine)
    machine.faults.api = "ok"
    assert MAX_CRASHES <= run(machine, hook, is_third, HOURS) <= MAX_CRASHES + AGAIN
    assert {number for number, state in states(machine).items() if state is not State.DELIVERED} <= {"3"}
    assert {step for step, _ in told(machine)} == {hook}


def test_k6_a_history_that_ends_the_process_is_set_aside_and_the_others_are_verified(machine: Machine) -> None:
    take(machine, *(sale(number, {"externalId": f"c{number}"}) for number in range(COUNT)))
    ends = run(machine, "confirm_receipts", is_third, 12)
    assert MAX_CRASHES <= ends <= MAX_CRASHES + AGAIN
    rows = machine.line.journal.receipts.find({})
    assert [row.number for row in rows if row.verified_at is None] == ["3"]
    assert [step for step, _ in told(machine)] == ["confirm_receipts"]
    (standing,) = failing(machine)
    assert (standing.step, standing.name, standing.count) == ("confirm_receipts", rows[3].contact, ends)
    assert "tried again at" in standing.reason
    machine.restart()
    machine.clock.advance(3600.0)
    assert run(machine, "confirm_receipts", lambda contact: False, 12) == 0
    assert failing(machine) == [], "it came to its end, in another process than the one that set it aside"


@pytest.mark.parametrize("error", [InvalidValue("no date"), PluginError("engage", "raised KeyError at engage.py:7")])
def test_a_history_that_raises_again_and_again_is_told_and_tried_on(machine: Machine, error: Exception) -> None:
    take(machine, *(sale(number, {"externalId": f"c{number}"}) for number in range(COUNT)))
    (name, healthy), *_ = machine.line.hooks.callers["confirm_receipts"]
    calls = 0

    def call(contact: Any, **given: Any) -> Any:
        nonlocal calls
        if is_third(contact):
            calls += 1
            raise error
        return healthy(contact=contact, **given)

    machine.line.hooks.callers["confirm_receipts"] = [(name, call)]  # type: ignore[index]
    while calls < RAISED - 1:
        assert run(machine, "map_receipt", lambda receipt: False, 1) == 0
    assert failing(machine) == []
    while calls < 3 * RAISED:
        assert run(machine, "map_receipt", lambda receipt: False, 12) == 0
    (standing,) = failing(machine)
    assert standing.step == "confirm_receipts"
    assert str(error) in standing.reason
    machine.line.hooks.callers["confirm_receipts"] = [(name, healthy)]  # type: ignore[index]
    assert run(machine, "map_receipt", lambda receipt: False, 300) == 0
    assert failing(machine) == []
    assert all(row.verified_at is not None for row in machine.line.journal.receipts.find({}))


def test_k6_an_event_that_ends_the_process_is_passed_on_no_more(machine: Machine) -> None:
    seen: list[int] = []

    def observe(event: Any) -> None:
        if event["seq"] == 3:
            kill()
        seen.append(event["seq"])

    take(machine, *(sale(number, {"externalId": f"c{number}"}) for number in range(COUNT)))
    for _ in range(MAX_CRASHES):
        machine.line.hooks.callers["observe"] = [("log", observe)]  # type: ignore[index]
        with pytest.raises(Killed):
            notify_observers(machine.line)
        machine.restart()
    machine.line.hooks.callers["observe"] = [("log", observe)]  # type: ignore[index]
    assert notify_observers(machine.line) >= COUNT
    assert set(seen) >= {1, 2, 4, 5, 6}
    (lost,) = failing(machine)
    assert (lost.step, lost.count, lost.due) == ("observe", 1, None)
    assert "3 times during observe of event 3" in lost.reason


def test_an_event_for_which_an_observer_raises_is_counted_as_lost_and_told_for_a_day(machine: Machine) -> None:
    def observe(event: Any) -> None:
        if event["step"] == "accept":
            raise ValueError("x")

    take(machine, *(sale(number, {"externalId": f"c{number}"}) for number in range(COUNT)))
    machine.line.hooks.callers["observe"] = [("chat", observe), ("log", lambda event: None)]  # type: ignore[index]
    before = notify_observers(machine.line)
    assert before >= COUNT
    (lost,) = failing(machine)
    assert (lost.name, lost.count) == ("chat", COUNT)
    assert "observe raised ValueError" in lost.reason
    assert notify_observers(machine.line) == 0, "losing an event is no event"
    machine.clock.advance(DAY + 1)
    assert failing(machine) == []


def rounds(machine: Machine, collect: Callable[..., object], accept: Callable[..., Any] = lambda document: {}) -> int:
    """Rounds of a source, started again after each end of the process, until it works or is not asked; its ends."""
    for deaths in range(10):
        machine.line.hooks.callers["collect_documents"] = [("folder", collect)]  # type: ignore[index]
        try:
            CollectedSource(machine.line, accept, threading.Event(), 1.0).run_round()
        except Killed:
            machine.restart()
        else:
            return deaths
    return 10


def test_a_source_that_ends_the_process_again_and_again_fails_and_is_asked_again_after_a_minute(
    machine: Machine,
) -> None:
    assert rounds(machine, kill) == MAX_CRASHES, "then the process goes on without it"
    (source,) = machine.line.journal.sources.all()
    assert (source.name, source.state) == ("folder", SourceState.FAILING)
    assert "ended 3 times during collect_documents" in source.reason
    context = AlertContext(
        pipeline="shop", journal=machine.line.journal, limits=AlertSettings(), now=machine.clock.time(), standing={},
        sequence=False,
    )  # fmt: skip
    assert list(evaluate(context, ["source", "set_aside"])[0]) == ["source folder"]
    machine.clock.advance(61.0)
    assert rounds(machine, kill) == 1, "tried once, and left for twice as long"
    machine.clock.advance(61.0)
    assert rounds(machine, kill) == 0
    machine.clock.advance(61.0)
    assert rounds(machine, lambda **given: 0) == 0
    assert machine.line.journal.sources.all()[0].state is SourceState.WORKING
    assert failing(machine) == []


def test_an_end_of_the_process_while_the_flow_reads_a_document_is_not_the_sources(machine: Machine) -> None:
    document = Document.from_bytes("1.jsonl", b"{}")

    def collect(accept: Callable[[Document], Any], **given: Any) -> int:
        accept(document)
        return 1

    assert rounds(machine, collect, kill) == 10
    assert machine.line.journal.sources.all() == []


def test_a_source_that_hands_over_a_document_has_come_through(machine: Machine) -> None:
    """Killed by a person again and again in the midst of a long round."""

    def collect(accept: Callable[[Document], Any], **given: Any) -> int:
        accept(Document.from_bytes("1.jsonl", b"{}"))
        kill()
        return 1

    assert rounds(machine, collect) == 10


def test_what_comes_through_or_raises_is_counted_from_the_start(machine: Machine) -> None:
    for _ in range(MAX_CRASHES - 1):
        with pytest.raises(Killed), in_hand(machine.line, "transfer", "1.xml"):
            kill()
        machine.restart()
    with pytest.raises(ValueError, match="x"), in_hand(machine.line, "transfer", "1.xml"):
        raise ValueError("x")
    with pytest.raises(Killed), in_hand(machine.line, "transfer", "1.xml"):
        kill()
    machine.restart()
    ran = False
    with in_hand(machine.line, "transfer", "1.xml"):
        ran = True
    assert ran
    assert not (machine.disk.folder / "crash_marks.counts").exists()


def test_of_marks_inside_each_other_the_inner_one_counts_and_then_the_outer_one(tmp_path: Path) -> None:
    marks = CrashMarks(tmp_path / "crash_marks")
    with marks.holding(7):
        with marks.holding(-9):
            assert (marks.marked(), marks.was_in(-9)) == ([], True)
        assert (marks.marked(), marks.was_in(-9)) == ([7], False)
    assert marks.marked() == []
    marks.close()


def test_counted_ends_survive_a_tear_and_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    marks = CrashMarks(tmp_path / "crash_marks")
    with pytest.raises(Killed), marks.holding(-9):
        kill()
    marks.count_ends(5.0)
    marks.close()
    counts = tmp_path / "crash_marks.counts"
    counts.write_bytes(counts.read_bytes() + b"\x01\x02")
    again = CrashMarks(tmp_path / "crash_marks")
    assert (again.ends(-9), again.ends(-8)) == ((1, 5.0), (0, 0.0))
    (tmp_path / "crash_marks.counts.part").mkdir()
    again.count_ends(6.0)
    assert again.ends(-9) == (2, 6.0)
    again.close()
