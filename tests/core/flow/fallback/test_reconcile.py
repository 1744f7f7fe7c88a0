"""What confirms a receipt, and what does not: cases the simulator found."""

from __future__ import annotations

import pytest

from tests.scenarios.simulator.machine import FALLBACK, Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import back, outage, take
from tillpost.flow.worker import maintain
from tillpost.journal import Move, State


def imported(machine: Machine, **keys: str) -> None:
    """One receipt by file: Engage has imported it, its contact's id is known, and it is not confirmed yet."""
    take(machine, sale(1, {"externalId": "4711", **keys}))
    outage(machine)
    machine.faults.api = "ok"
    for _ in range(100):
        machine.clock.advance(400.0)
        machine.imports.advance(machine.clock.monotonic())
        maintain(machine.line)
        (receipt,) = machine.line.journal.receipts.find({})
        if receipt.state is State.TRANSFERRED and len(machine.engage.saved) == 1:
            break
    machine.clock.advance(FALLBACK.check_every.total_seconds())


def settle(machine: Machine) -> State:
    for _ in range(20):
        machine.clock.advance(FALLBACK.check_every.total_seconds())
        maintain(machine.line)
    (receipt,) = machine.line.journal.receipts.find({})
    return receipt.state


def test_no_answer_is_no_proof_that_a_receipt_is_missing(machine: Machine) -> None:
    """Long after the import one call to confirm it fails: the call is repeated, and the receipt not held."""
    imported(machine)
    machine.clock.advance(2 * FALLBACK.confirm_within.total_seconds())
    for failing in range(1, 3):
        machine.faults.arm(["refused"] * failing, [], 0, 0)
        maintain(machine.line)
    assert settle(machine) is State.DELIVERED


def test_a_contact_merged_meanwhile_is_looked_up_again_before_its_receipts_are_confirmed(machine: Machine) -> None:
    imported(machine)
    machine.engage.register({"email": "nils@example.se"})
    first, second = machine.engage.people.values()
    machine.engage.merge(first, second)
    machine.clock.advance(2 * FALLBACK.confirm_within.total_seconds())
    maintain(machine.line)
    assert settle(machine) is State.DELIVERED


def test_a_receipt_with_another_contact_of_the_same_person_is_not_held(machine: Machine) -> None:
    """The destination has two contacts of the person; the receipt is with the one whose id we do not know."""
    imported(machine, email="nils@example.se")
    ours = next(iter(machine.engage.people.values()))
    other = machine.engage.make({"externalId": "web 1"})
    del ours.keys["email"]
    other.keys["email"] = "nils@example.se"
    machine.engage.by_key["email", "nils@example.se"] = other.id
    machine.engage.saved.move(ours.id, other.id)
    back(machine)
    (receipt,) = machine.line.journal.receipts.find({})
    assert receipt.state is State.DELIVERED
    assert "another contact" in (receipt.reason or "")


@pytest.mark.parametrize("state", [State.DELIVERED, State.HELD])
def test_what_a_person_had_sent_again_is_not_settled_by_an_answer_of_before(machine: Machine, state: State) -> None:
    imported(machine)
    journal, now = machine.line.journal, machine.clock.time()
    (file,) = [each for each in journal.files.open() if each.file.kind == "receipts"]
    (receipt,) = journal.receipts.find({})
    journal.files.resend(file.file.name, now)
    journal.receipts.settle([(receipt.seq, Move(state=state, route="file", reason="seen before"))], now, "reconcile")
    assert journal.receipts.find({})[0].state is State.WRITTEN
    back(machine)
    assert journal.receipts.find({})[0].state is State.DELIVERED
