"""When files are uploaded: once the API answers again, or as soon as the file server answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.scenarios.simulator.engage import Engage
from tests.scenarios.simulator.machine import FALLBACK, Machine
from tests.scenarios.simulator.till import sale
from tests.support.receipts import accept
from tests.support.simulated import back, deliver_all, outage, take
from tillpost.flow.breaker import ANSWERS_NEEDED
from tillpost.flow.limits import TransferPolicy
from tillpost.flow.worker import maintain
from tillpost.journal import FileState, State
from tillpost.model import FallbackFile, Identified, Misconfigured, NoReceipt

CHECK, CONFIRM = FALLBACK.check_every.total_seconds(), FALLBACK.confirm_within.total_seconds()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """With `asap`."""
    made = Machine(tmp_path / "state", Random(1), Engage(), TransferPolicy(when="asap"))
    yield made
    made.stop()


def look(machine: Machine) -> dict[str, FileState]:
    """One round; the states of the files after it, by kind."""
    maintain(machine.line)
    return {entry.file.kind: entry.state for entry in machine.line.journal.files.open()}


def importing(machine: Machine) -> None:
    """Engage's import runs although its API is away."""
    machine.imports.read_all()


def test_restored_sends_nothing_while_the_api_is_away(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "state", Random(1), Engage())
    take(machine, sale(1, {"externalId": "4711"}))
    outage(machine)
    machine.clock.advance(86400.0)
    assert look(machine) == {"contacts": FileState.WRITTEN, "receipts": FileState.WRITTEN}
    assert machine.imports.files == {}
    machine.stop()


@pytest.mark.parametrize("paused", [False, True])
def test_asap_sends_while_the_api_is_away_or_paused_and_contacts_first(machine: Machine, paused: bool) -> None:
    """The receipts wait until the contacts file has been gone for `check_every`: nobody can ask for the contact."""
    take(machine, sale(1, {"externalId": "4711"}))
    outage(machine)
    if paused:
        machine.line.breaker.record(Misconfigured(reason="another key"))
    assert not machine.line.breaker.allows_requests()
    assert look(machine) == {"contacts": FileState.UPLOADED, "receipts": FileState.WRITTEN}
    machine.clock.advance(2 * CHECK)
    assert look(machine) == {"contacts": FileState.UPLOADED, "receipts": FileState.WRITTEN}
    importing(machine)
    machine.clock.advance(CHECK)
    assert look(machine) == {"contacts": FileState.CONSUMED, "receipts": FileState.WRITTEN}
    machine.clock.advance(CHECK - 1)
    assert look(machine) == {"contacts": FileState.CONSUMED, "receipts": FileState.WRITTEN}
    machine.clock.advance(1)
    assert look(machine) == {"contacts": FileState.CONSUMED, "receipts": FileState.UPLOADED}
    importing(machine)
    machine.clock.advance(CHECK)
    assert look(machine) == {"contacts": FileState.CONSUMED, "receipts": FileState.CONSUMED}
    assert len(machine.engage.saved) == 1
    assert machine.engage.violations == []
    (receipt,) = machine.line.journal.receipts.find({})
    assert receipt.state is State.TRANSFERRED  # nobody has shown it yet
    back(machine)
    assert machine.line.journal.receipts.counts()["delivered"] == 1


def test_a_contacts_file_of_an_earlier_batch_is_waited_for_too(machine: Machine) -> None:
    take(machine, sale(1, {"externalId": "4711"}))
    outage(machine)
    take(machine, sale(2, {"externalId": "4711"}))
    machine.clock.advance(10 * CHECK)
    maintain(machine.line)
    assert [name for name in machine.imports.files if "transactions" in name] == []
    back(machine)
    assert machine.line.journal.receipts.counts()["delivered"] == 2
    assert machine.engage.violations == []


def test_a_file_sent_again_is_waited_for_again(machine: Machine) -> None:
    take(machine, sale(1, {"externalId": "4711"}))
    outage(machine)
    importing(machine)
    machine.clock.advance(CHECK)
    assert look(machine)["contacts"] is FileState.CONSUMED
    contacts: FallbackFile = machine.line.journal.files.open()[0].file
    machine.line.journal.files.resend(contacts.name, machine.clock.time())
    machine.clock.advance(2 * CHECK)
    assert look(machine) == {"contacts": FileState.UPLOADED, "receipts": FileState.WRITTEN}


def test_with_the_api_back_contacts_are_asked_for_as_always(machine: Machine) -> None:
    """That a file is gone from the folder is enough only while the API cannot be asked."""
    take(machine, sale(1, {"externalId": "4711"}))
    outage(machine)
    machine.imports.files.clear()  # gone, and nothing came of it
    machine.clock.advance(CHECK)
    look(machine)
    machine.faults.api = "ok"
    for _ in range(ANSWERS_NEEDED):
        machine.line.breaker.record(machine.line.hooks.probe())
    machine.clock.advance(2 * CHECK)
    assert look(machine) == {"contacts": FileState.CONSUMED, "receipts": FileState.WRITTEN}


def test_the_time_to_confirm_begins_when_somebody_can_be_asked(machine: Machine) -> None:
    """Imported days before the API answers again: what it does not show at once is not held at once."""
    take(machine, sale(1, {"externalId": "4711"}))
    machine.engage.refusable = {machine.line.journal.bodies.get(1).number}
    outage(machine)
    for _ in range(5):
        importing(machine)
        machine.clock.advance(CHECK)
        stand = look(machine)
    assert stand == {"contacts": FileState.CONSUMED, "receipts": FileState.CONSUMED}
    machine.clock.advance(3 * CONFIRM)
    machine.faults.api = "ok"
    states = []
    for _ in range(2 * int(CONFIRM / CHECK)):
        machine.clock.advance(CHECK)
        importing(machine)  # once more, by its contact's id
        maintain(machine.line)
        (receipt,) = machine.line.journal.receipts.find({})
        states.append(receipt.state)
    assert State.HELD not in states[:10]
    assert states[-1] is State.HELD


@pytest.mark.parametrize(
    ("cause", "what"),
    [("contact gone", "Engage may have it under the former one"), ("store 12", "no receipt of the store is shown")],
)
def test_what_an_import_omits_is_held_with_the_cause_the_api_would_be_given(
    machine: Machine, cause: str, what: str
) -> None:
    """One that was sent again for another contact, and then replayed by file, was held without its cause."""
    take(machine, sale(1, {"externalId": "4711"}))
    (taken,) = machine.line.journal.receipts.find({})
    if cause == "contact gone":
        machine.line.journal.events.add(machine.clock.time(), "verify", "accepted", receipt=taken.seq)
    machine.engage.refusable = {taken.number}
    outage(machine)
    machine.faults.api = "ok"
    for _ in range(3 * int(CONFIRM / CHECK)):
        machine.clock.advance(CHECK)
        importing(machine)
        maintain(machine.line)
    (held,) = machine.line.journal.receipts.find({"state": State.HELD})
    assert held.reason.startswith(f"Engage does not show it ({cause})")
    assert what in held.reason
    assert "tillpost held retry" in held.reason


def test_a_contact_the_import_leaves_out_keeps_back_no_receipt_of_another(tmp_path: Path) -> None:
    """An e-mail that is none makes no contact. What is left of its file is there; the others go on after
    `confirm_after`, not after `confirm_within`, and its own receipt is held in the end, with the reason."""
    machine = Machine(tmp_path / "state", Random(1), Engage())
    take(machine, sale(1, {"externalId": "4711"}), sale(2, {"email": "a..b@example.se"}))
    outage(machine)
    machine.faults.api = "ok"
    began = machine.clock.monotonic()
    receipts = machine.line.journal.receipts
    while receipts.counts()["delivered"] == 0:
        machine.clock.advance(CHECK)
        machine.imports.advance(machine.clock.monotonic())
        maintain(machine.line)
        assert machine.clock.monotonic() - began < CONFIRM / 2, "kept back by a neighbour"
    back(machine)
    (held,) = receipts.find({"state": State.HELD})
    assert (held.number, receipts.counts()["delivered"]) == ("2", 1)
    assert held.reason.startswith("Engage does not show it (customer unknown)")
    machine.stop()


@pytest.mark.parametrize("voided", [False, True], ids=["a sale", "a sale its till has voided since"])
def test_b14_what_an_import_omitted_for_want_of_its_customer_is_sent_once_that_is_known(
    machine: Machine, voided: bool
) -> None:
    take(machine, sale(2, {"email": "a..b@example.se"}))
    outage(machine)
    back(machine)
    journal = machine.line.journal
    (held,) = journal.receipts.find({"state": State.HELD})
    assert held.reason.startswith("Engage does not show it (customer unknown)")
    if voided:
        accept(journal, NoReceipt(reason="voided", place="9", retail=True, voids=held.id, final=True))
    machine.clock.advance(10.0)
    maintain(machine.line)
    assert journal.receipts.find({"number": "2"})[0].state is State.HELD, "nobody knows the customer yet"
    assert held.contact
    person = machine.engage.make({"externalId": "4711"})
    found = Identified(contact_id=person.id)
    journal.contacts.save_contact_id(held.contact, found, "lookup", machine.clock.time())
    machine.clock.advance(10.0)
    maintain(machine.line)
    deliver_all(machine)
    assert journal.receipts.find({"number": "2"})[0].state is (State.HELD if voided else State.DELIVERED)
