"""K6, B34: one contact, history or file in trouble during an outage and after it: the others go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import deliver_all, outage, take
from tillpost.flow.fallback.write_files import write_files
from tillpost.flow.worker import UPKEEP, run_steps
from tillpost.journal import State
from tillpost.model import Contact, FallbackBatch, FallbackFile, NotSent, Refused

COUNT = 20
SICK = NotSent(reason="answered 500 InvalidSystemConfiguration", status=500)


def poison(machine: Machine, hook: str, is_poisoned: Callable[[Any], bool], answer: Any) -> None:
    """From now on the hook gives this answer, or raises it, for what is poisoned; given: its first argument."""
    (name, healthy), *others = machine.line.hooks.callers[hook]

    def call(**given: Any) -> Any:
        if is_poisoned(next(iter(given.values()))):
            if isinstance(answer, BaseException):
                raise answer
            return answer
        return healthy(**given)

    machine.line.hooks.callers[hook] = [(name, call), *others]  # type: ignore[index]


def sold(machine: Machine) -> None:
    """Twenty sales of twenty customers, and an outage that outlasts `after`."""
    take(machine, *(sale(number, {"externalId": f"c{number}"}) for number in range(COUNT)))
    outage(machine)


def after_the_outage(machine: Machine, hours: float) -> Counter[str]:
    """The API answers, imports run, and the upkeep and the senders work; the receipts by state."""
    machine.faults.api = "ok"
    for _ in range(round(hours * 12)):
        machine.clock.advance(300.0)
        machine.engage.advance(machine.clock.monotonic())
        machine.imports.advance(machine.clock.monotonic())
        run_steps(machine.line, UPKEEP)
        deliver_all(machine)
    return Counter(str(receipt.state) for receipt in machine.line.journal.receipts.find({}))


def changes(machine: Machine) -> list[str]:
    return [state for _, state, _ in machine.line.journal.destination.history()]


def is_seventh(contact: Contact) -> bool:
    known = contact.identifier("externalId")
    return known is not None and known.value == "c7"


@pytest.mark.parametrize("answer", [SICK, SystemExit(), KeyError()], ids=["500", "exit", "raises"])
def test_b34_a_contact_whose_lookup_never_answers_keeps_no_other_from_its_file(machine: Machine, answer: Any) -> None:
    """It is taken out of its file before the upload; its receipts wait alone, by API, and say why."""
    sold(machine)
    for hook in ("reconcile_contact", "resolve_contact"):
        poison(machine, hook, is_seventh, answer)
    before = len(changes(machine))
    assert after_the_outage(machine, 3)[State.DELIVERED] == COUNT - 1
    (one,) = machine.line.journal.receipts.find({"number": "7"})
    assert one.state in (State.WAITING, State.HELD)
    assert one.reason
    assert changes(machine)[before:] == ["catching up", "confirming", "online"], "it moves once, and does not flap"


def test_b34_a_contact_that_falls_sick_after_its_file_went_up_keeps_no_receipts_file_back(machine: Machine) -> None:
    sold(machine)
    machine.faults.api = "ok"
    for _ in range(9):
        run_steps(machine.line, UPKEEP)
        machine.clock.advance(10.0)
    poison(machine, "reconcile_contact", is_seventh, SICK)
    assert after_the_outage(machine, 3)[State.DELIVERED] >= COUNT - 1
    assert changes(machine).count("degraded") == 1


@pytest.mark.parametrize("answer", [SICK, SystemExit()], ids=["500", "exit"])
def test_k6_a_history_that_never_answers_keeps_no_other_receipt_unconfirmed(machine: Machine, answer: Any) -> None:
    sold(machine)
    poison(machine, "confirm_receipts", is_seventh, answer)
    states = after_the_outage(machine, 6)
    assert states == {State.DELIVERED: COUNT - 1, State.TRANSFERRED: 1}
    (stuck,) = machine.line.journal.file_states.stuck()
    assert "history has no answer" in stuck.reason
    assert changes(machine).count("degraded") == 1


@pytest.mark.parametrize(
    "answer", [Refused(reason="550"), NotSent(reason="cut"), SystemExit()], ids=["refused", "not sent", "exit"]
)
@pytest.mark.parametrize("kind", ["contacts", "receipts"])
def test_k6_a_file_the_server_does_not_take_keeps_back_only_what_needs_it(
    machine: Machine, kind: str, answer: Any
) -> None:
    """Five batches, each with a contacts file and a receipts file; one file of the third fails for ever."""
    for batch in range(5):
        take(machine, *(sale(batch * 4 + number, {"externalId": f"c{batch * 4 + number}"}) for number in range(4)))
        if not batch:
            outage(machine)
        write_files(machine.line)
    third = [entry.file.name for entry in machine.line.journal.files.open() if entry.file.kind == kind][2]

    def is_poisoned(file: FallbackFile) -> bool:
        return file.name == third

    poison(machine, "transfer", is_poisoned, answer)
    assert after_the_outage(machine, 6) == {State.DELIVERED: 16, State.WRITTEN: 4}
    assert machine.engage.violations == []


def test_k6_a_file_nobody_can_look_for_keeps_no_other_from_being_confirmed(machine: Machine) -> None:
    for batch in range(5):
        take(machine, *(sale(batch * 4 + number, {"externalId": "4711"}) for number in range(4)))
        if not batch:
            outage(machine)
        write_files(machine.line)
    third = [entry.file.name for entry in machine.line.journal.files.open() if entry.file.kind == "receipts"][2]
    poison(machine, "find_transferred", lambda file: file.name == third, SystemExit())
    assert after_the_outage(machine, 6) == {State.DELIVERED: 16, State.TRANSFERRED: 4}


@pytest.mark.parametrize("hook", ["match_in_file", "map_receipt"])
def test_k6_a_receipt_that_cannot_be_mapped_for_a_file_is_held_alone(machine: Machine, hook: str) -> None:
    take(machine, *(sale(number, {"externalId": f"c{number}"}) for number in range(COUNT)))
    is_poisoned = is_seventh if hook == "match_in_file" else lambda receipt: receipt.number == "7"
    poison(machine, hook, is_poisoned, SystemExit())
    outage(machine)
    counts = Counter(str(receipt.state) for receipt in machine.line.journal.receipts.find({}))
    assert counts == {State.WRITTEN: COUNT - 1, State.HELD: 1}


@pytest.mark.parametrize("number", range(0, COUNT, 5))
def test_k6_a_receipt_that_makes_the_writer_fail_is_found_and_the_others_are_written(
    machine: Machine, number: int
) -> None:
    """It stays open, and goes by API after the outage."""
    take(machine, *(sale(each, {"externalId": f"c{each}"}) for each in range(COUNT)))

    def is_poisoned(batch: FallbackBatch) -> bool:
        return any(payload.fields["receiptNumber"] == str(number) for payload in batch.receipts)

    poison(machine, "write_files", is_poisoned, SystemExit())
    outage(machine)
    counts = Counter(str(receipt.state) for receipt in machine.line.journal.receipts.find({}))
    assert counts[State.WRITTEN] == COUNT - 1
    assert not list(machine.disk.folder.glob(".trial-*"))
    assert after_the_outage(machine, 3) == {State.DELIVERED: COUNT}


def test_k6_a_writer_that_always_fails_holds_nothing_and_is_not_asked_about_each_receipt(machine: Machine) -> None:
    take(machine, *(sale(each, {"externalId": f"c{each}"}) for each in range(COUNT)))
    calls: list[int] = []

    def is_poisoned(batch: FallbackBatch) -> bool:
        calls.append(len(batch.receipts))
        return True

    poison(machine, "write_files", is_poisoned, SystemExit())
    machine.faults.api = "refused"
    for _ in range(9):
        machine.line.breaker.record(machine.line.hooks.probe())
        machine.clock.advance(300.0)
    errors = run_steps(machine.line, UPKEEP)
    assert ["write_files raised SystemExit" in str(error) for error in errors] == [True]
    assert len(calls) < 2 * COUNT
    assert {receipt.state for receipt in machine.line.journal.receipts.find({})} == {State.ACCEPTED}
