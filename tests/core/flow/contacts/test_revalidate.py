"""A contactId is not believed for ever: it is asked about again after a day, and after any hint, at every step."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.scenarios.simulator.engage import Engage, Person
from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import (
    DAY,
    DOCUMENTED,
    back,
    deliver_all,
    imported,
    later,
    merge,
    outage,
    requests,
    start_replay,
    take,
)
from tillpost.flow.fallback.review import review
from tillpost.flow.limits import TransferPolicy
from tillpost.flow.upkeep.replay import replay
from tillpost.flow.worker import maintain
from tillpost.journal import HistoryState, State
from tillpost_engage.answers import Answer

EVA = {"externalId": "4711", "email": "eva@example.se"}


def eva(machine: Machine, *, documented_only: bool = False) -> Person:
    """She bought something, so her contactId is stored."""
    take(machine, sale(1, EVA))
    deliver_all(machine)
    machine.engage.import_queue()
    machine.client.documented_only = documented_only
    (person,) = machine.engage.people.values()
    return person


def answers(machine: Machine) -> None:
    """The API answers again, and the pipeline knows it."""
    machine.faults.api = "ok"
    while not machine.line.breaker.allows_requests():
        machine.line.breaker.record(machine.line.hooks.probe())


@DOCUMENTED
def test_b1_receipts_of_a_merged_contact_go_to_the_right_one(machine: Machine, documented_only: bool) -> None:
    winner = merge(machine, eva(machine, documented_only=documented_only))
    later(machine)
    take(machine, *(sale(number, EVA) for number in range(2, 5)))
    deliver_all(machine)
    machine.engage.import_queue()
    assert machine.engage.dropped == {}
    assert imported(machine)[winner.id] == 4
    assert len(machine.engage.people) == 1, "and nobody was created"


@DOCUMENTED
def test_b1_an_erased_contact_is_created_again_and_has_the_receipts(machine: Machine, documented_only: bool) -> None:
    machine.engage.erase(eva(machine, documented_only=documented_only))
    later(machine)
    take(machine, sale(2, EVA))
    deliver_all(machine)
    machine.engage.import_queue()
    (person,) = machine.engage.people.values()
    assert machine.engage.saved.history(person.id) == [entry_id(machine, "2")]


def entry_id(machine: Machine, number: str) -> str:
    (entry,) = machine.line.journal.receipts.find({"number": number})
    return entry.id


@DOCUMENTED
def test_one_lookup_a_contact_and_day_for_all_its_receipts(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, documented_only: bool
) -> None:
    eva(machine, documented_only=documented_only)
    later(machine)
    take(machine, sale(2, EVA))
    deliver_all(machine)  # learns, where it is so, that contacts cannot be read
    later(machine, 3000.0)
    take(machine, *(sale(number, EVA) for number in range(3, 13)))
    seen = requests(machine, monkeypatch)
    deliver_all(machine)
    assert seen == {"POST receipts": 10}, "confirmed within the day: no lookup"
    for number in range(13, 23):
        later(machine, 9000.0)
        take(machine, sale(number, EVA))
        deliver_all(machine)
    assert seen == {"POST receipts": 20, "GET contacts": 1}


def test_where_histories_show_what_became_of_receipts_no_id_is_asked_about_by_age_but_after_a_hint(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = eva(machine)
    machine.line.journal.verification.set_history(HistoryState.THERE, "", machine.clock.time())
    later(machine)
    take(machine, sale(2, EVA))
    seen = requests(machine, monkeypatch)
    deliver_all(machine)
    assert seen == {"POST receipts": 1}
    machine.line.journal.contacts.doubt([person.id], "a contact export", machine.clock.time())
    take(machine, sale(3, EVA))
    deliver_all(machine)
    assert seen == {"POST receipts": 2, "GET contacts": 1}


def test_a_confirmation_survives_a_restart(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    eva(machine)
    machine.restart()
    take(machine, sale(2, EVA))
    seen = requests(machine, monkeypatch)
    deliver_all(machine)
    assert seen == {"POST receipts": 1}


def test_b1_what_was_sent_under_a_dead_id_since_it_was_confirmed_is_sent_again(machine: Machine) -> None:
    """Merged an hour after the first sale of the day: the others of that day were taken with 202 and never imported."""
    person = eva(machine, documented_only=True)
    later(machine)
    take(machine, sale(2, EVA))
    deliver_all(machine)
    machine.engage.import_queue()
    winner = merge(machine, person)
    for number in range(3, 6):
        later(machine, 3600.0)
        take(machine, sale(number, EVA))
        deliver_all(machine)
    machine.engage.import_queue()
    assert len(machine.engage.dropped) == 3, "nobody could know"
    later(machine)
    take(machine, sale(6, EVA))
    deliver_all(machine)
    assert imported(machine) == {winner.id: 6}
    assert machine.line.journal.receipts.counts()["delivered"] == 6


def test_the_clock_set_back_does_not_make_a_confirmation_hold_for_ever(machine: Machine) -> None:
    winner = merge(machine, eva(machine))
    key = machine.line.journal.contacts.all()[0]["key"]
    machine.line.journal.contacts.confirm([key], machine.clock.time() + 400 * DAY)
    take(machine, sale(2, EVA))
    deliver_all(machine)
    assert imported(machine)[winner.id] == 2


def test_k1_after_a_hint_the_next_receipt_asks_at_once(machine: Machine) -> None:
    person = eva(machine)
    winner = merge(machine, person)
    keys = machine.line.journal.contacts.doubt([person.id, "nobody's"], "a contact export", machine.clock.time())
    assert len(keys) == 1
    take(machine, sale(2, EVA))
    deliver_all(machine)
    assert imported(machine)[winner.id] == 2
    kinds = [event["what"] for event in machine.line.journal.events.of_contact(keys[0])]
    assert kinds.count("id in doubt") == 1
    assert kinds.count("id forgotten") == 1


def test_k1_an_engage_that_says_at_once_that_the_contact_is_gone_is_believed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    winner = merge(machine, eva(machine))
    send = machine.client.send

    def looks(method: str, path: str, *, query: Any = None, body: Any = None) -> Any:
        if path == "/receipts" and body["contact"]["matchKey"] not in machine.engage.people:
            return Answer(status=404, kind="json", value={"errorCode": "ContactNotFound"})
        return send(method, path, query=query, body=body)

    monkeypatch.setattr(machine.client, "send", looks)
    take(machine, sale(2, EVA))
    deliver_all(machine)
    later(machine, 60.0)
    deliver_all(machine)
    assert machine.line.breaker.allows_requests()
    assert imported(machine)[winner.id] == 2


@DOCUMENTED
def test_k1_a_contact_id_a_till_brings_is_asked_about(machine: Machine, documented_only: bool) -> None:
    machine.client.documented_only = documented_only
    take(machine, sale(1, {"contactId": "6391234567"}))
    take(machine, sale(2, {"contactId": "00000000-0000-4000-8000-000000000000", **EVA}))
    deliver_all(machine)
    (held,) = machine.line.journal.receipts.find({"state": State.HELD})
    assert held.number == "1"
    assert "contactId given" in held.reason
    machine.engage.import_queue()
    assert machine.engage.dropped == {}
    (person,) = machine.engage.people.values()
    assert machine.engage.saved.history(person.id) == [entry_id(machine, "2")]


def test_k1_a_contact_id_a_till_brings_stands_in_no_file_before_it_was_asked_about(machine: Machine) -> None:
    take(machine, sale(1, {"contactId": "6391234567"}))
    outage(machine)
    (waiting,) = machine.line.journal.receipts.find({"number": "1"})
    assert waiting.state is not State.WRITTEN
    answers(machine)
    deliver_all(machine)
    (held,) = machine.line.journal.receipts.find({"number": "1"})
    assert held.state is State.HELD


@DOCUMENTED
@pytest.mark.parametrize("fate", ["merged", "erased"])
def test_k1_a_file_that_names_a_contact_by_a_dead_id_is_written_again_before_it_goes_up(
    machine: Machine, documented_only: bool, fate: str
) -> None:
    person = eva(machine, documented_only=documented_only)
    later(machine)
    take(machine, sale(2, EVA))
    outage(machine)
    (written,) = machine.line.journal.receipts.find({"number": "2"})
    assert written.matched == "contactId"
    if fate == "merged":
        merge(machine, person)
    else:
        machine.engage.erase(person)
    answers(machine)
    while review(machine.line):
        pass
    files = machine.line.journal.files.open()
    (written,) = machine.line.journal.receipts.find({"number": "2"})
    if fate == "merged":
        assert [entry.file.kind for entry in files] == ["receipts"]
        assert written.matched == "contactId"
    else:
        assert [entry.file.kind for entry in files] == ["contacts", "receipts"], "a file creates the contact again"
        assert written.matched == "externalId"
    machine.client.documented_only = False
    back(machine)
    assert machine.engage.dropped == {}
    (person,) = machine.engage.people.values()
    assert entry_id(machine, "2") in machine.engage.saved.history(person.id)


@DOCUMENTED
@pytest.mark.parametrize("fate", ["there", "merged", "erased"])
def test_k1_a_file_that_was_read_counts_only_for_a_contact_that_is_there(
    tmp_path: Path, fate: str, documented_only: bool
) -> None:
    """Uploaded as soon as possible, so nobody could ask about the contactId before."""
    machine = Machine(tmp_path / "asap", Random(1), Engage(), TransferPolicy(when="asap"))
    person = eva(machine, documented_only=documented_only)
    take(machine, sale(2, EVA))
    outage(machine)
    if fate == "merged":
        person = merge(machine, person)
    elif fate == "erased":
        machine.engage.erase(person)
    for _ in range(6):
        maintain(machine.line)
        machine.clock.advance(1800.0)
        machine.imports.advance(machine.clock.monotonic())
    receipt_id = entry_id(machine, "2")
    assert (receipt_id in machine.engage.dropped) is (fate != "there")
    back(machine)
    (person,) = machine.engage.people.values()
    assert receipt_id in machine.engage.saved.history(person.id)
    (entry,) = machine.line.journal.receipts.find({"number": "2"})
    assert entry.state is State.DELIVERED
    assert (entry.verified_at is None) is documented_only
    machine.stop()


@pytest.mark.parametrize("by", ["api", "file"])
def test_k1_a_replay_goes_to_the_contact_that_is_there(machine: Machine, by: str) -> None:
    winner = merge(machine, eva(machine))
    machine.engage.saved = type(machine.engage.saved)()  # its import had left receipt 1 out
    later(machine)
    start_replay(machine, by)
    while replay(machine.line):
        pass
    later(machine, 3600.0)
    deliver_all(machine)
    while review(machine.line):
        pass
    back(machine)
    assert machine.engage.dropped == {}
    assert imported(machine) == {winner.id: 1}


def test_k1_a_contact_a_person_chose_is_asked_about_before_it_is_used(machine: Machine) -> None:
    """A slip of the pen in `contacts resolve` is a conflict again, and no receipt goes to nobody."""
    machine.engage.make({"mobilePhone": "+46701234567"})
    chosen = machine.engage.make({"email": "eva@example.se"})
    take(machine, sale(1, {"email": "eva@example.se", "mobilePhone": "+46701234567"}))
    outage(machine)
    answers(machine)
    while review(machine.line):
        pass
    (contact,) = machine.line.journal.contacts.all()
    assert contact["state"] == "conflict"
    machine.line.journal.contact_lookups.resolve_conflict(contact["key"], "g99999", machine.clock.time())
    deliver_all(machine)
    assert not machine.engage.queue
    (held,) = machine.line.journal.receipts.find({"number": "1"})
    assert held.state is State.HELD
    assert held.reason.startswith("conflict: ")
    machine.line.journal.contact_lookups.resolve_conflict(contact["key"], chosen.id, machine.clock.time())
    deliver_all(machine)
    assert imported(machine) == {chosen.id: 1}
