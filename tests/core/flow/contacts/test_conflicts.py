"""K11: a conflict is not decided at the first lookup; customer care may merge the contacts meanwhile."""

from __future__ import annotations

from typing import Any, Literal

import attrs
import pytest

from tests.scenarios.simulator.engage import Person
from tests.scenarios.simulator.machine import FALLBACK, Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import DAY, DOCUMENTED, back, deliver_all, outage, requests, take, written
from tillpost.flow.fallback.write_files import write_files
from tillpost.flow.worker import maintain
from tillpost.journal import ContactLookup
from tillpost.model import Conflict
from tillpost_engage.answers import Answer

KEYS = {"email": "eva@example.se", "mobilePhone": "+46701234567"}
WAYS = pytest.mark.parametrize("way", ["api", "files"])


class Several:
    """Two contacts of Engage have her e-mail: a lookup by it answers 409, until they are merged."""

    def __init__(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.merged = False
        self._send = machine.client.send
        monkeypatch.setattr(machine.client, "send", self._answer)

    def _answer(self, method: str, path: str, **given: Any) -> Any:
        if path == "/contacts/id" and given["query"] == {"email": KEYS["email"]} and not self.merged:
            return Answer(status=409, kind="json", value={"errorCode": "MultipleMatches"})
        return self._send(method, path, **given)


def held_for_conflict(machine: Machine, way: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Several, Person]:
    """Two of her receipts are held, found out by API or by the review of files."""
    there, person = Several(machine, monkeypatch), machine.engage.make(KEYS)
    if way == "files":
        outage(machine)
    take(machine, sale(1, KEYS), sale(2, KEYS))
    if way == "files":
        write_files(machine.line)
        assert written(machine)
        back(machine)
    deliver_all(machine)
    assert states(machine) == {"held": 2}
    reasons = {each.reason.partition(": ")[0] for each in machine.line.journal.receipts.find({})}
    assert reasons == {"conflict"}, [each.reason for each in machine.line.journal.receipts.find({})]
    return there, person


def states(machine: Machine) -> dict[str, int]:
    return {state: count for state, count in machine.line.journal.receipts.counts().items() if count}


def events_of(machine: Machine, what: str) -> int:
    (row,) = machine.store.read("SELECT count(*) FROM events WHERE what = ?", (what,))
    return int(row[0])


def history(machine: Machine, person: Person) -> list[str]:
    machine.engage.import_queue()
    return [receipt.rpartition("_")[2] for receipt in machine.engage.saved.history(person.id)]


def hours(machine: Machine, count: float) -> None:
    """So many hours of upkeep, a round every ten minutes."""
    for _ in range(int(count * 6)):
        machine.clock.advance(600.0)
        maintain(machine.line)
        deliver_all(machine)


@WAYS
@DOCUMENTED
def test_k11_when_customer_care_has_merged_the_two_the_receipts_go_out_by_themselves(
    machine: Machine, way: str, documented_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.client.documented_only = documented_only
    there, person = held_for_conflict(machine, way, monkeypatch)
    hours(machine, 30)
    assert states(machine) == {"held": 2}, "visible until then"
    assert machine.line.journal.contacts.counts()["conflicts"] == 1, "and the alert stands"
    there.merged = True
    hours(machine, 1.2)
    assert states(machine) == {"delivered": 2}
    assert history(machine, person) == ["1", "2"]
    assert machine.line.journal.contacts.counts()["conflicts"] == 0
    assert machine.engage.violations == []


@WAYS
def test_k11_after_a_restart_too(machine: Machine, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held_for_conflict(machine, way, monkeypatch)
    monkeypatch.undo()
    machine.restart()
    hours(machine, 1.2)
    assert states(machine) == {"delivered": 2}


def test_k11_when_neither_contact_is_there_any_more_the_customer_is_created(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, person = held_for_conflict(machine, "api", monkeypatch)
    there.merged = True
    machine.engage.erase(person)
    hours(machine, 1.2)
    assert states(machine) == {"delivered": 2}


def test_k11_the_waits_between_lookups_grow_and_it_is_told_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_for_conflict(machine, "api", monkeypatch)
    seen = requests(machine, monkeypatch)
    for _ in range(360):
        machine.clock.advance(10.0)
        maintain(machine.line)
    assert 5 <= seen["GET contacts"] // 3 <= 7, "10 s, 30 s, 1 min, 5 min, 15 min, 30 min"
    seen.clear()
    hours(machine, 24)
    assert seen["GET contacts"] // 3 <= 24, "one an hour"
    assert events_of(machine, "conflict") == 2, "as the first lookup says it, and with what all keys lead to"


def test_k11_a_sale_and_a_retry_look_again_too(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    there, person = held_for_conflict(machine, "api", monkeypatch)
    take(machine, sale(3, KEYS))
    deliver_all(machine)
    assert states(machine) == {"held": 3}
    machine.clock.advance(60.0)
    there.merged = True
    machine.line.journal.held.retry(machine.line.journal.receipts.find({})[0], None, machine.clock.time())
    deliver_all(machine)
    assert history(machine, person) == ["1", "2", "3"]


def test_k11_a_person_may_decide_at_any_time(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    _, person = held_for_conflict(machine, "api", monkeypatch)
    (row,) = machine.line.journal.contacts.all()
    assert machine.line.journal.contact_lookups.resolve_conflict(row["key"], person.id, machine.clock.time()) == 2
    deliver_all(machine)
    assert states(machine) == {"delivered": 2}


def test_k11_in_an_outage_nobody_asks(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    there, _ = held_for_conflict(machine, "api", monkeypatch)
    outage(machine)
    there.merged = True
    seen = requests(machine, monkeypatch)
    hours(machine, 2)
    assert not seen["GET contacts"]
    back(machine)
    hours(machine, 1.2)
    assert states(machine) == {"delivered": 2}


@pytest.mark.parametrize("rule", ["hold", "first"])
def test_k11_a_rule_that_lets_the_first_key_decide_still_does(machine: Machine, rule: Literal["hold", "first"]) -> None:
    machine.line = attrs.evolve(machine.line, fallback=attrs.evolve(FALLBACK, conflicts=rule))
    first = machine.engage.make({"email": KEYS["email"]})
    second = machine.engage.make({"mobilePhone": KEYS["mobilePhone"]})
    outage(machine)
    take(machine, sale(1, KEYS))
    write_files(machine.line)
    back(machine)
    assert history(machine, first) == (["1"] if rule == "first" else [])
    machine.engage.merge(first, second)
    machine.engage.merged.clear()
    machine.clock.advance(DAY)
    hours(machine, 1.2)
    assert history(machine, second) == ["1"]


def test_k11_one_whose_lookup_fails_keeps_back_no_other(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    there, person = held_for_conflict(machine, "api", monkeypatch)
    machine.engage.make({"externalId": "B"})
    take(machine, sale(3, {"externalId": "B"}))
    deliver_all(machine)
    (other,) = (row["key"] for row in machine.line.journal.contacts.all() if row["state"] == "known")
    machine.line.journal.contacts.forget_id(other, "a test", 1.0, is_gone=False)
    conflict = ContactLookup(key=other, found=Conflict(reason="a test", found={"externalId": ""}))
    machine.line.journal.contact_lookups.save([conflict], "lookup", 1.0)
    there.merged = True
    asked = machine.client.send

    def broken(method: str, path: str, **given: Any) -> Any:
        if given.get("query") == {"customKey": "B"}:
            raise ValueError("a fault of the plugin")
        return asked(method, path, **given)

    monkeypatch.setattr(machine.client, "send", broken)
    hours(machine, 1.2)
    assert history(machine, person) == ["1", "2"]
    assert machine.line.journal.contacts.counts()["conflicts"] == 1
    assert machine.line.journal.contacts.lookups(other)[0] > 3, "after waits that grow"


def test_k11_a_conflict_that_shows_when_a_stored_id_is_asked_about_is_one_as_any(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver may answer so; the receipt is held for it, and freed by itself."""
    person = machine.engage.make(KEYS)
    take(machine, sale(1, KEYS))
    deliver_all(machine)
    machine.client.documented_only = True
    machine.clock.advance(30 * DAY)
    contacts = type(machine.line.hooks)
    ask = contacts.reconcile_contact
    monkeypatch.setattr(contacts, "reconcile_contact", lambda *_: Conflict(reason="two", found={"email": ""}))
    take(machine, sale(2, KEYS))
    machine.line.journal.contacts.doubt([person.id], "a test", machine.clock.time())
    deliver_all(machine)
    assert states(machine) == {"delivered": 1, "held": 1}
    monkeypatch.setattr(contacts, "reconcile_contact", ask)
    hours(machine, 1.2)
    assert history(machine, person) == ["1", "2"]
