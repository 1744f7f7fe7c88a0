"""What is written to files, and what stays in their folder: cases the simulator found."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.simulator.faults import Killed
from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import back, deliver_all, outage, take, written
from tillpost.errors import JournalFull
from tillpost.flow.delivery.deliver import claim, deliver
from tillpost.flow.fallback.write_files import write_files
from tillpost.journal import FileEntry, FileState, State
from tillpost.journal.tables.files import Files
from tillpost_sandbox.documents import read_receipts


def test_a_contact_made_by_file_is_named_by_the_keys_of_that_file(machine: Machine) -> None:
    """The till learns an e-mail later: Engage does not know it, and would ignore a receipt that names it."""
    take(machine, sale(1, {"mobilePhone": "+46701234567"}))
    outage(machine)
    take(machine, sale(2, {"email": "nils@example.se", "mobilePhone": "+46701234567"}))
    write_files(machine.line)
    files = [read_receipts(path.read_bytes()) for path in written(machine) if "transactions" in path.name]
    assert {record.body["contact"]["matchKeyType"] for records in files for record in records} == {"mobilePhone"}
    back(machine)
    assert machine.line.journal.receipts.counts()["delivered"] == 2
    assert machine.engage.violations == []


def test_a_batch_is_cut_by_lines_and_every_receipt_is_in_one_file(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large receipts must not fill the memory; one with more lines than a batch has a batch of its own."""
    sales = [sale(number, {"externalId": f"c{number}"}) for number in range(5)]
    lines = [len(each.lines) for each in sales]
    monkeypatch.setattr("tillpost.flow.fallback.write_files.BATCH_LINES", max(lines) - 1)
    take(machine, *sales)
    outage(machine)
    files = [entry for entry in machine.line.journal.files.all() if entry.file.kind == "receipts"]
    assert sorted(key for entry in files for key in entry.file.keys) == sorted(each.id for each in sales)
    counted = {each.id: len(each.lines) for each in sales}
    assert len({entry.sequence for entry in files}) > 1
    for entry in files:
        total = sum(counted[key] for key in entry.file.keys)
        assert total < max(lines) or len(entry.file.keys) == 1


def test_a_contact_that_is_gone_is_created_again_by_the_next_file(machine: Machine) -> None:
    take(machine, sale(1, {"externalId": "4711"}))
    outage(machine)
    back(machine)
    (person,) = machine.engage.people.values()
    machine.engage.erase(person)
    (contact,) = machine.line.journal.contacts.all()
    machine.line.journal.contacts.forget_id(contact["key"], "404", machine.clock.time())
    outage(machine)
    take(machine, sale(2, {"externalId": "4711"}))
    write_files(machine.line)
    back(machine)
    assert machine.line.journal.receipts.counts()["delivered"] == 2


def test_a_kill_before_a_confirmed_file_is_removed_leaves_nothing_behind(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit that confirms a file comes first; the next start removes the file."""
    move = Files.move

    def killed(self: Files, entry: FileEntry, state: FileState, *given: Any, **named: Any) -> None:
        move(self, entry, state, *given, **named)
        if state is FileState.CONFIRMED:
            raise Killed

    monkeypatch.setattr(Files, "move", killed)
    take(machine, sale(1, {"externalId": "4711"}))
    outage(machine)
    assert len(written(machine)) == 2
    for kill in (1, 2):
        with pytest.raises(Killed):
            back(machine)
        assert written(machine) != []
        machine.restart()
        assert len(written(machine)) == 2 - kill
    assert machine.line.journal.receipts.counts()["delivered"] == 1


def test_a_full_disk_does_not_fill_with_files_that_do_not_count(machine: Machine) -> None:
    """The commit of a batch finds no room: its files are removed, the next round writes them again."""
    take(machine, sale(1, {"externalId": "4711"}))
    outage(machine)
    before = written(machine)
    take(machine, sale(2, {"externalId": "4712"}))
    for _ in range(5):
        machine.faults.arm((), (), 0, 2)
        with pytest.raises(JournalFull):
            write_files(machine.line)
    assert written(machine) == before
    machine.faults.disarm()
    assert write_files(machine.line) == 1
    assert len(machine.line.journal.receipts.find({"state": State.WRITTEN})) == 2


def test_the_manifest_says_what_is_in_a_file_and_of_which_time(machine: Machine) -> None:
    """Times are compared as moments, whatever their offset, and kept as the till printed them."""
    first, last = sale(5, {"externalId": "4711"}), sale(9, {"externalId": "4711"})
    take(machine, last, first)
    outage(machine)
    contacts, receipts = machine.line.journal.files.all()
    assert (contacts.file.kind, receipts.file.kind) == ("contacts", "receipts")
    assert receipts.file.keys == (last.id, first.id)
    assert (receipts.first_at, receipts.last_at) == (first.created.isoformat(), last.created.isoformat())
    assert contacts.first_at == contacts.last_at != ""


def test_a_contact_identified_again_is_not_overwritten_by_the_file_of_its_old_id(machine: Machine) -> None:
    """Its contact was merged into one with another first name, which the review has seen."""
    keys = {"externalId": "4713", "mobilePhone": "+46707654321"}
    take(machine, sale(1, keys))
    for entry in claim(machine.line, 1):
        deliver(machine.line, entry)
        machine.line.claims.release([entry.seq])
    outage(machine)
    take(machine, sale(2, keys, name="Nils"))
    write_files(machine.line)
    (ours,) = machine.engage.people.values()
    other = machine.engage.make({"email": "eva@example.se"})
    machine.engage.merge(ours, other)
    machine.engage.rename(other, "Eva")
    back(machine)
    deliver_all(machine)  # what was accepted by API under the old id, which no history has shown
    assert machine.line.journal.receipts.counts()["delivered"] == 2
    assert machine.engage.violations == []
    assert other.attributes["firstName"] == "Eva"
