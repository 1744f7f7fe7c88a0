"""After an outage: what is looked up, what is written again, and what a crash in between leaves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.scenarios.simulator.engage import Engage
from tests.scenarios.simulator.faults import Killed
from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.engine import store_of
from tests.support.memory import memory_folder
from tests.support.receipts import accept
from tests.support.simulated import back, outage, take, written
from tillpost.flow.contacts.contact_lookup import missing, settle
from tillpost.flow.fallback.review import review
from tillpost.flow.fallback.write_files import write_files
from tillpost.flow.upkeep.held import take_effect
from tillpost.flow.worker import maintain
from tillpost.journal import FileState, Postponed, State
from tillpost.journal.tables.events import record
from tillpost.model import Contact, FallbackBatch, Identifier, NoReceipt
from tillpost_sandbox.documents import read_receipts

EVA = {"externalId": "4711", "email": "eva@example.se"}


def requests(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the requests from now on, by method and the beginning of the path."""
    seen: Counter[str] = Counter()
    send = machine.client.send

    def counted(method: str, path: str, **given: Any) -> Any:
        name = "/contacts/id" if path == "/contacts/id" else path.split("/")[1]
        if "invalid" not in str(given.get("query")):  # the probe's lookup of nobody
            seen[f"{method} {name}"] += 1
        return send(method, path, **given)

    monkeypatch.setattr(machine.client, "send", counted)
    return seen


def answers(machine: Machine) -> None:
    """The API answers again, and the pipeline knows it."""
    machine.faults.api = "ok"
    while not machine.line.breaker.allows_requests():
        machine.line.breaker.record(machine.line.hooks.probe())


def unreviewed(machine: Machine) -> None:
    """The files are uploaded without a review, as soon as the file server answers."""
    machine.line.journal.files.mark_reviewed(entry.file.name for entry in machine.line.journal.files.open())


def states(machine: Machine) -> dict[str, int]:
    return {state: count for state, count in machine.line.journal.receipts.counts().items() if count}


def match_keys(machine: Machine) -> list[str]:
    files = [read_receipts(path.read_bytes()) for path in written(machine) if "transactions" in path.name]
    return [record.body["contact"]["matchKeyType"] for records in files for record in records]


def test_nobody_has_registered_and_the_files_go_up_as_they_are(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(machine, sale(1, EVA), sale(2, {"externalId": "4712"}))
    outage(machine)
    before = written(machine)
    answers(machine)
    seen = requests(machine, monkeypatch)
    while review(machine.line):
        pass
    assert written(machine) == before
    assert seen == {"GET /contacts/id": 3}, "two contacts, three keys, once each"
    back(machine)
    assert states(machine) == {"delivered": 2}


def test_an_interrupted_review_goes_on_where_it_was(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """60 new contacts are two groups and a handful of commits; the API goes away after the first."""
    take(machine, *(sale(number, {"email": f"{number}@example.se"}) for number in range(1, 61)))
    outage(machine)
    answers(machine)
    seen = requests(machine, monkeypatch)
    machine.faults.arm((), (), 0, 0)
    assert review(machine.line)
    assert machine.faults.commits == 1
    assert seen["GET /contacts/id"] == 50
    machine.faults.arm(["ok"] * 4 + ["hang"] * 4, (), 0, 0)
    assert not review(machine.line), "three answers were missing, and the probe's: later"
    assert seen["GET /contacts/id"] == 57
    answers(machine)
    assert not any(entry.reviewed for entry in machine.line.journal.files.open())
    machine.restart()
    seen = requests(machine, monkeypatch)
    while review(machine.line):
        pass
    assert seen["GET /contacts/id"] == 6, "those that were answered are not asked about again"
    back(machine)
    assert states(machine) == {"delivered": 60}


def test_who_registered_meanwhile_is_not_created_and_its_receipts_are_named_by_id(machine: Machine) -> None:
    take(machine, sale(1, EVA, name="E."), sale(2, {"externalId": "4712"}))
    outage(machine)
    take(machine, sale(3, EVA))
    write_files(machine.line)
    machine.engage.register({"email": EVA["email"]})
    (person,) = machine.engage.people.values()
    machine.engage.rename(person, "Eva")
    answers(machine)
    while review(machine.line):
        pass
    assert sorted(match_keys(machine)) == ["contactId", "contactId", "externalId"]
    files = machine.line.journal.files.open()
    assert Counter(key for entry in files if entry.file.kind == "receipts" for key in entry.file.keys) == Counter(
        entry.id for entry in machine.line.journal.receipts.find({"state": State.WRITTEN})
    )
    assert {path.name for path in written(machine)} == {entry.file.name for entry in files}
    back(machine)
    assert states(machine) == {"delivered": 3}
    assert (len(machine.engage.people), person.attributes["firstName"]) == (2, "Eva")


def test_k6_a_batch_that_cannot_be_written_again_keeps_no_other_batch_back(machine: Machine) -> None:
    """Of each of three batches somebody registered meanwhile; the plugin fails at everything of the first one."""
    people = {number: {"externalId": f"c{number}", "email": f"{number}@example.se"} for number in range(6)}
    take(machine, sale(0, people[0]), sale(1, people[1]))
    outage(machine)
    for first in (2, 4):
        take(machine, sale(first, people[first]), sale(first + 1, people[first + 1]))
        write_files(machine.line)
    for keys in people.values():
        machine.engage.register({"email": keys["email"]})
    (name, healthy), *others = machine.line.hooks.callers["write_files"]
    calls = []

    def failing(batch: FallbackBatch) -> Any:
        calls.append(batch)
        if any(payload.fields["receiptNumber"] in ("0", "1") for payload in batch.receipts):
            raise KeyError("of the plugin")
        return healthy(batch=batch)

    machine.line.hooks.callers["write_files"] = [(name, failing), *others]  # type: ignore[index]
    answers(machine)
    while review(machine.line):
        pass
    before = len(calls)
    assert not review(machine.line)
    assert len(calls) == before, "it is not tried again in each round"
    reviewed = {entry.sequence: entry.reviewed for entry in machine.line.journal.files.open()}
    assert sorted(reviewed.values()) == [False, True, True]
    stuck = [entry for entry in machine.line.journal.files.open() if not entry.reviewed]
    assert all("cannot be written again" in entry.reason and entry.alerted_at for entry in stuck)
    back(machine)
    assert {entry.number for entry in machine.line.journal.receipts.find({"state": State.DELIVERED})} == set("2345")
    machine.line.hooks.callers["write_files"] = [(name, healthy), *others]  # type: ignore[index]
    back(machine)
    assert states(machine) == {"delivered": 6}, "once the plugin is healed"
    assert not machine.line.failing_alone


def killed_return(folder: Path, kill_at: int) -> bool:
    """One customer registered meanwhile, one is in conflict, one is unknown. True when the kill came."""
    machine = Machine(folder, Random(1), Engage())
    keys = {"email": "asa@example.se", "mobilePhone": "+46701234567"}
    take(machine, sale(1, EVA, name="E."), sale(2, {"externalId": "4712"}), sale(3, keys))
    outage(machine)
    take(machine, sale(4, EVA))
    write_files(machine.line)
    machine.engage.register({"email": EVA["email"]})
    for kind, value in keys.items():
        machine.engage.register({kind: value})
    answers(machine)
    machine.faults.arm((), (), kill_at, 0)
    killed = False
    try:
        while review(machine.line):
            pass
    except Killed:
        killed = True
        machine.restart()
    machine.faults.disarm()
    back(machine)
    assert states(machine) == {"delivered": 3, "held": 1}, kill_at
    assert machine.engage.violations == []
    assert written(machine) == [], kill_at
    machine.stop()
    return killed


def test_a_kill_at_any_point_of_it_loses_and_doubles_nothing() -> None:
    """At every request, commit and file of the review: the same is sent in the end, and no file is left over."""
    points = 1
    with memory_folder() as folder:
        while killed_return(folder / str(points), points):
            points += 1
    assert points > 30


def test_a_receipt_whose_contact_did_not_know_the_key_is_written_once_more_under_its_id(machine: Machine) -> None:
    """The files were uploaded without a review, and the import did not give the web shop's contact an externalId."""
    machine.engage.keeps_existing = True
    take(machine, sale(1, EVA))
    outage(machine)
    unreviewed(machine)
    machine.engage.register({"email": EVA["email"]})
    back(machine)
    assert states(machine) == {"delivered": 1}
    (receipt,) = machine.line.journal.receipts.find({})
    kinds = [event["what"] for event in machine.line.journal.events.of_receipt(receipt.seq)]
    assert kinds.count("written") == 2
    assert receipt.matched == "contactId"
    assert machine.engage.violations == []


def test_a_receipt_engage_never_shows_is_written_again_once_and_then_held(machine: Machine) -> None:
    machine.engage.refusable = {"1"}
    take(machine, sale(1, EVA))
    outage(machine)
    back(machine)
    (receipt,) = machine.line.journal.receipts.find({})
    kinds = [event["what"] for event in machine.line.journal.events.of_receipt(receipt.seq)]
    assert (kinds.count("written"), receipt.state) == (2, State.HELD)
    assert "integration log" in receipt.reason


def test_a_conflict_that_shows_after_the_import_only_is_held_until_a_person_decides(machine: Machine) -> None:
    keys = {"email": "eva@example.se", "mobilePhone": "+46701234567"}
    take(machine, sale(1, keys), sale(2, {"externalId": "4712"}))
    outage(machine)
    unreviewed(machine)
    for kind, value in keys.items():
        machine.engage.register({kind: value})
    back(machine)
    assert states(machine) == {"delivered": 1, "held": 1}
    (held,) = machine.line.journal.receipts.find({"state": State.HELD})
    assert held.reason.startswith("conflict: several contacts by email, mobilePhone; ")
    (contact,) = [row for row in machine.line.journal.contacts.all() if row["conflict"]]
    assert (
        machine.line.journal.contact_lookups.resolve_conflict(
            contact["key"], contact["conflict"]["found"]["email"], 1.0
        )
        == 1
    )
    (entry,) = machine.line.journal.receipts.find({"state": State.ACCEPTED})
    assert entry.id == held.id


def test_a_contact_erased_meanwhile_is_created_by_the_file_that_would_have_updated_it(machine: Machine) -> None:
    take(machine, sale(1, EVA))
    outage(machine)
    back(machine)
    outage(machine)
    take(machine, sale(2, EVA, name="Eva"))
    write_files(machine.line)
    (person,) = machine.engage.people.values()
    machine.engage.erase(person)
    machine.engage.erased.clear()
    back(machine)
    assert states(machine) == {"delivered": 2}
    (person,) = machine.engage.people.values()
    assert person.attributes["firstName"] == "Eva"
    assert machine.engage.violations == []


def test_what_the_import_dropped_is_found_once_for_each_file(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.engage.import_drops = frozenset({"firstName"})
    take(machine, sale(1, EVA, name="Eva"))
    outage(machine)
    seen = requests(machine, monkeypatch)
    back(machine)
    (contact,) = machine.line.journal.contacts.all()
    assert (contact["unsaved"], contact["state"]) == (["firstName"], "known")
    kinds = [event["what"] for event in machine.line.journal.events.of_contact(contact["key"])]
    assert Counter(kinds)["fields not saved"] == 1
    assert seen["GET /contacts/id"] == 3, "two keys before the file, one after it"


@pytest.mark.parametrize(
    ("ours", "sent", "there", "settled", "kept"),
    [
        ("Ann", None, None, False, False),
        ("Ann", None, "Ann", True, False),
        ("Ann", None, "Anna", True, True),
        ("Ann", "An", "An", False, False),
        ("Ann", "An", None, False, False),
        ("Ann", "An", "Anna", True, True),
        ("Ann", "Ann", "Anna", False, False),
    ],
    ids=["nothing there", "the same", "first met", "untouched", "emptied", "changed there", "nothing new here"],
)
def test_whose_attribute_stays(ours: str, sent: str | None, there: str | None, settled: bool, kept: bool) -> None:
    """The table of decision 0008; a settled attribute is not sent."""

    def one(value: str | None) -> dict[str, str]:
        return {"firstName": value} if value else {}

    contact = Contact(key="k", contact_id="g", attributes=one(ours), sent=one(sent))
    assert settle(contact, one(there)) == (one(ours) if settled else {}, ("firstName",) if kept else ())


def test_names_of_what_is_missing_are_attributes_and_keys_but_none_that_engage_gives_out() -> None:
    known = (Identifier("email", "a@b.se"), Identifier("email", "b@b.se"), Identifier("memberNumber", "7"))
    contact = Contact(key="k", contact_id="g", identifiers=known, attributes={"city": "Lund", "street": "x"})
    written_values = {"city": "Lund", "street": "x"} | {f"{each.kind}:{each.value}": "" for each in known}
    assert missing(contact, written_values, {"city": "Lund", "email": "b@b.se"}) == ("street",)
    assert missing(contact, written_values, {"city": "Oslo", "street": "x"}) == ("city", "email")
    assert missing(contact, written_values, {}) == (), "nothing was read"


def test_a_file_waits_for_its_review(machine: Machine) -> None:
    """Engage answers the probe and nothing else: no file is uploaded without a review."""
    take(machine, sale(1, EVA))
    outage(machine)
    answers(machine)
    machine.faults.arm(["hang"], (), 0, 0)
    maintain(machine.line)
    assert machine.line.breaker.allows_requests()
    assert {entry.state for entry in machine.line.journal.files.open()} == {FileState.WRITTEN}
    assert machine.imports.files == {}


def voided(machine: Machine, number: str) -> str:
    """The till voids this sale; its receipt id."""
    (row,) = machine.line.journal.receipts.find({"number": number})
    accept(machine.line.journal, NoReceipt(reason="voided", place=number, retail=True, voids=row.id, final=True))
    return row.id


@pytest.mark.parametrize("numbers", ["1", "12"], ids=["one of two", "all of a file"])
def test_b28_a_sale_that_is_voided_while_its_file_waits_is_taken_out_of_it(machine: Machine, numbers: str) -> None:
    take(machine, sale(1, EVA), sale(2, EVA))
    outage(machine)
    gone = [voided(machine, number) for number in numbers]
    assert states(machine) == {"written": 2, "held": len(gone)}
    answers(machine)
    while review(machine.line):
        pass
    machine.clock.advance(10.0)
    assert take_effect(machine.line) == len(gone)
    left = [each.body["uniqueReceiptId"] for path in written(machine) if "transactions" in path.name
            for each in read_receipts(path.read_bytes())]  # fmt: skip
    assert len(left) == 2 - len(gone)
    assert not {*left} & {*gone}
    back(machine)
    assert states(machine) == {"skipped": 2 * len(gone)} | ({"delivered": 1} if left else {})


@pytest.mark.parametrize("left", ["uploaded", "an upload without an answer", "an attempt by API"])
def test_b28_a_sale_that_may_have_left_stays_in_its_file_when_it_is_voided(machine: Machine, left: str) -> None:
    take(machine, sale(1, EVA))
    outage(machine)
    (file,) = [entry for entry in machine.line.journal.files.open() if entry.file.kind == "receipts"]
    identity = voided(machine, "1")
    journal = machine.line.journal
    if left == "uploaded":
        journal.files.move(file, FileState.UPLOADED, 1.0, due=1.0, server="here")
        journal.files.resend(file.file.name, 2.0)
    elif left == "an attempt by API":
        store_of(journal).write(lambda transaction: record(transaction, 1.0, "deliver", "uncertain", receipt=1))
    else:
        journal.files.postpone([Postponed(entry=file, due=1.0, reason="no answer")])
    answers(machine)
    while review(machine.line):
        pass
    row = machine.line.journal.receipts.get(identity)
    assert row is not None
    assert row.state is State.WRITTEN
