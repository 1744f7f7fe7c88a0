"""People are never mixed up or set back: whose a receipt is, and what is sent of its customer, at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

import attrs
import pytest

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
    take,
    written,
)
from tillpost.flow.fallback.write_files import write_files
from tillpost.flow.worker import maintain
from tillpost.journal import Move, State
from tillpost.journal.tables.verification import Looked
from tillpost.model import Customer, IdentifierRules, Receipt
from tillpost_engage.schemas import CONTACTS_NAMESPACE
from tillpost_engage.settings import ResolveSettings
from tillpost_sandbox.documents import read_contacts, read_receipts

SHARED = "family@example.se"
FIRST = {"externalId": "A", "email": SHARED}
SECOND = {"externalId": "B", "email": SHARED}


def told(machine: Machine, number: int, keys: Mapping[str, str], *, hours_ago: float = 0.0, **said: str) -> Receipt:
    """A sale of so many hours ago that says something of its customer."""
    receipt = sale(number, keys)
    assert receipt.customer is not None
    customer = Customer(identifiers=receipt.customer.identifiers, attributes=said)
    created = datetime.fromtimestamp(machine.clock.time() - 3600.0 * hours_ago, receipt.created.tzinfo)
    return attrs.evolve(receipt, customer=customer, created=created, business_date=created.date())


def history(machine: Machine, contact: str) -> list[str]:
    machine.engage.import_queue()
    return [receipt.rpartition("_")[2] for receipt in machine.engage.saved.history(contact)]


def events_of(machine: Machine, what: str) -> int:
    (row,) = machine.store.read("SELECT count(*) FROM events WHERE what = ?", (what,))
    return int(row[0])


# --- B6: whose is it -------------------------------------------------------------------------------------------------


@DOCUMENTED
@pytest.mark.parametrize("first_was_here", [True, False])
def test_b6_the_second_member_of_a_family_gets_his_own_receipts(
    machine: Machine, documented_only: bool, first_was_here: bool
) -> None:
    machine.client.documented_only = documented_only
    first, second = machine.engage.make(FIRST), machine.engage.make({"externalId": "B"})
    if first_was_here:
        take(machine, sale(1, FIRST))
        deliver_all(machine)
    take(machine, sale(2, SECOND))
    deliver_all(machine)
    take(machine, sale(3, {"externalId": "B"}), sale(4, {"externalId": "A"}))
    deliver_all(machine)
    assert history(machine, second.id) == ["2", "3"]
    assert history(machine, first.id) == (["1"] if first_was_here else []) + ["4"]


@DOCUMENTED
def test_b6_a_second_member_whom_engage_does_not_know_is_created_without_the_shared_address(
    machine: Machine, documented_only: bool
) -> None:
    machine.client.documented_only = documented_only
    take(machine, sale(1, FIRST))
    deliver_all(machine)
    take(machine, sale(2, SECOND))
    deliver_all(machine)
    take(machine, sale(3, {"externalId": "B"}))
    deliver_all(machine)
    first, second = (machine.engage.find("externalId", card) for card in "AB")
    assert first is not None
    assert second is not None
    assert (history(machine, first.id), history(machine, second.id)) == (["1"], ["2", "3"])
    assert "email" not in second.keys
    assert events_of(machine, "identifier of another person") == 1


def test_b6_engage_shows_the_other_card_of_the_one_whose_address_it_is(machine: Machine) -> None:
    """The journal has never seen the first member."""
    first = machine.engage.make(FIRST)
    take(machine, sale(1, SECOND))
    deliver_all(machine)
    assert history(machine, first.id) == []
    assert imported(machine).total() == 1


def test_b6_a_wrong_link_ends_when_its_owner_shows_the_card(machine: Machine) -> None:
    """Without a look at the contact, nothing tells that the address is somebody else's until that one comes."""
    machine.client.documented_only = True
    first = machine.engage.make(FIRST)
    take(machine, sale(1, SECOND))
    deliver_all(machine)
    take(machine, sale(2, {"externalId": "A"}))
    deliver_all(machine)
    take(machine, sale(3, {"externalId": "B"}))
    deliver_all(machine)
    assert history(machine, first.id) == ["1", "2"], "what was sent stays"
    second = machine.engage.find("externalId", "B")
    assert second is not None
    assert history(machine, second.id) == ["3"]


def test_b6_an_address_alone_of_two_who_share_it_is_asked_for_in_engage(machine: Machine) -> None:
    first = machine.engage.make(FIRST)
    machine.engage.make({"externalId": "B"})
    take(machine, sale(1, SECOND), sale(2, FIRST))
    deliver_all(machine)
    take(machine, sale(3, {"email": SHARED}))
    deliver_all(machine)
    assert history(machine, first.id) == ["2", "3"]


def test_b6_in_files_each_member_of_a_family_is_a_contact_of_its_own(machine: Machine) -> None:
    outage(machine)
    take(machine, sale(1, FIRST), sale(2, SECOND), sale(3, {"externalId": "B"}))
    write_files(machine.line)
    raw = {path.name: path.read_bytes() for path in written(machine)}
    named = [each.body for name, body in raw.items() if "transactions" in name for each in read_receipts(body)]
    assert Counter(each["contact"]["matchKey"] for each in named) == {"A": 1, "B": 2}
    created = [
        each.body
        for name, body in raw.items()
        if "contacts" in name
        for each in read_contacts(body, "contacts", CONTACTS_NAMESPACE)
    ]
    assert sorted(each["externalId"] for each in created) == ["A", "B"]
    assert [each["email"] for each in created if "email" in each] == [SHARED], "the import would make one of them"
    back(machine)
    first, second = (machine.engage.find("externalId", card) for card in "AB")
    assert first is not None
    assert second is not None
    assert (history(machine, first.id), history(machine, second.id)) == (["1"], ["2", "3"])


def test_b6_a_card_decides_at_the_return_from_an_outage(machine: Machine) -> None:
    """His address leads to somebody else; no person has to decide, and no file names him by it."""
    outage(machine)
    take(machine, sale(1, SECOND))
    write_files(machine.line)
    machine.engage.make({"email": SHARED})
    second = machine.engage.make({"externalId": "B"})
    back(machine)
    assert history(machine, second.id) == ["1"]
    assert machine.line.journal.contacts.counts()["conflicts"] == 0


@pytest.mark.parametrize("keys", [({"externalId": "A"}, {"externalId": "B"}), (FIRST, SECOND)], ids=["cards", "family"])
def test_k2_two_cards_of_contacts_that_engage_has_merged_lead_both_to_one(
    machine: Machine, keys: tuple[Mapping[str, str], Mapping[str, str]]
) -> None:
    """Each card is proof: neither customer takes the contactId away from the other, again and again."""
    first, second = machine.engage.make({"externalId": "A"}), machine.engage.make({"externalId": "B"})
    take(machine, sale(1, keys[0]), sale(2, keys[1]))
    deliver_all(machine)
    machine.engage.merge(second, first)
    outage(machine)
    take(machine, sale(3, keys[0]), sale(4, keys[1]))
    write_files(machine.line)
    back(machine)
    assert not machine.line.journal.files.open()
    take(machine, sale(5, keys[1]), sale(6, keys[0]))
    deliver_all(machine)
    assert sorted(history(machine, first.id)) == ["1", "2", "3", "4", "5", "6"]
    # The one that answers 404; a shared address makes each look once more, by its card.
    assert events_of(machine, "id forgotten") == (3 if "email" in keys[0] else 1)


def test_k2_a_number_nobody_is_looked_up_by_decides_nothing(machine: Machine) -> None:
    """A till's own numbers may be somebody else's membership number."""
    machine.engage.make({"memberNumber": "9001"})
    person = machine.engage.make({"email": SHARED})
    outage(machine)
    machine.line = attrs.evolve(machine.line, rules=IdentifierRules(order=("externalId", "email")))
    take(machine, sale(1, {"email": SHARED, "memberNumber": "9001"}))
    back(machine)
    assert machine.line.journal.contacts.counts()["conflicts"] == 1
    assert history(machine, person.id) == []


def test_k2_two_cards_that_lead_to_two_contacts_are_a_persons_decision(machine: Machine) -> None:
    machine.engage.make({"externalId": "B"})
    machine.engage.make({"memberNumber": "9001"})
    outage(machine)
    take(machine, sale(1, {"externalId": "B", "memberNumber": "9001"}))
    back(machine)
    assert machine.line.journal.contacts.counts()["conflicts"] == 1


# --- B7: nothing older over newer ------------------------------------------------------------------------------------


def city(machine: Machine, card: str = "A") -> str:
    person = machine.engage.find("externalId", card)
    assert person is not None
    return person.attributes.get("city", "")


@DOCUMENTED
def test_b7_a_till_that_was_off_line_sets_nothing_back(machine: Machine, documented_only: bool) -> None:
    machine.client.documented_only = documented_only
    take(machine, told(machine, 2, FIRST, hours_ago=1, city="Malmö"))
    deliver_all(machine)
    take(machine, told(machine, 1, FIRST, hours_ago=6, city="Lund", street="Storgatan 1"))
    deliver_all(machine)
    person = machine.engage.find("externalId", "A")
    assert person is not None
    assert person.attributes == {"city": "Malmö", "street": "Storgatan 1"}


def test_b7_in_files_the_latest_sale_is_written_whatever_came_last(machine: Machine) -> None:
    outage(machine)
    take(machine, told(machine, 2, FIRST, hours_ago=1, city="Malmö"))
    write_files(machine.line)
    take(machine, told(machine, 1, FIRST, hours_ago=6, city="Lund"))
    write_files(machine.line)
    back(machine)
    assert city(machine) == "Malmö"


def test_b7_a_time_in_the_future_blocks_nothing_for_ever(machine: Machine) -> None:
    now = machine.clock.time()
    wrong = attrs.evolve(told(machine, 1, FIRST, city="Lund"), created=datetime(2093, 1, 1).astimezone())
    take(machine, wrong)
    deliver_all(machine)
    machine.clock.advance(60.0)
    assert machine.clock.time() > now
    take(machine, told(machine, 2, FIRST, city="Malmö"))
    deliver_all(machine)
    assert city(machine) == "Malmö"


def test_k10_one_person_under_two_identifiers_is_not_set_back(machine: Machine) -> None:
    """The address and the card lead to one contact of Engage, and are two local ones."""
    person = machine.engage.make(FIRST)
    take(machine, told(machine, 2, {"email": SHARED}, hours_ago=1, city="Malmö"))
    deliver_all(machine)
    take(machine, told(machine, 1, {"externalId": "A"}, hours_ago=6, city="Lund"))
    deliver_all(machine)
    assert len(machine.line.journal.contacts.all()) == 2
    assert person.attributes["city"] == "Malmö"


def test_k10_a_late_sale_does_not_overwrite_what_customer_care_has_set(machine: Machine) -> None:
    person = machine.engage.make({**FIRST, "city": "Malmö"})
    take(machine, told(machine, 1, FIRST, hours_ago=6, city="Lund"))
    later(machine, 3 * DAY)
    deliver_all(machine)
    assert person.attributes["city"] == "Malmö"
    assert events_of(machine, "attributes kept") == 1


# --- B8: an id that is gone ------------------------------------------------------------------------------------------


@DOCUMENTED
@pytest.mark.parametrize("way", ["asked again", "update", "history", "files"])
def test_b8_what_the_till_said_weeks_ago_is_not_written_over_corrections(
    machine: Machine, way: str, documented_only: bool
) -> None:
    take(machine, told(machine, 1, FIRST, firstName="Eav", city="Lund"))
    deliver_all(machine)
    machine.client.documented_only = documented_only
    person = machine.engage.find("externalId", "A")
    assert person is not None
    if way == "files":
        later(machine, 30 * DAY)
        outage(machine)
    winner = merge(machine, person)
    machine.engage.change(winner, {"firstName": "Eva", "city": "Malmö"})
    if way != "files":
        later(machine, 60.0 if way == "update" else 30 * DAY)
    take(machine, told(machine, 2, FIRST, street="Storgatan 1"))
    if way == "history":
        key = machine.line.journal.contacts.all()[0]["key"]
        machine.line.journal.contacts.forget_id(key, "the history answers 404", machine.clock.time())
    if way == "files":
        write_files(machine.line)
        back(machine)
    else:
        deliver_all(machine)
    assert winner.attributes["firstName"] == "Eva"
    assert winner.attributes["city"] == "Malmö"
    assert winner.attributes["street"] == "Storgatan 1"
    assert "2" in history(machine, winner.id)


# --- B9: erased while a receipt waits --------------------------------------------------------------------------------


def erased_while_waiting(machine: Machine) -> None:
    take(machine, told(machine, 1, {**FIRST, "mobilePhone": "+46701234567"}, firstName="Eva", city="Lund"))
    deliver_all(machine)
    later(machine)
    take(machine, told(machine, 2, {"externalId": "A"}, city="Malmö"))
    (person,) = machine.engage.people.values()
    machine.engage.erase(person)


@DOCUMENTED
def test_b9_an_erased_contact_is_made_from_what_the_receipt_carries(machine: Machine, documented_only: bool) -> None:
    machine.client.documented_only = documented_only
    erased_while_waiting(machine)
    deliver_all(machine)
    (person,) = machine.engage.people.values()
    assert (person.keys, person.attributes) == ({"externalId": "A"}, {"city": "Malmö"})
    (key,) = (each["key"] for each in machine.line.journal.contacts.all())
    known = machine.line.journal.contacts.get(key)
    assert known.attributes == {"city": "Malmö"}
    assert [each.kind for each in known.identifiers] == ["externalId"]
    assert "Eva" not in str(machine.store.read("SELECT * FROM contacts"))
    assert history(machine, person.id) == ["2"]


def test_b9_in_files_nothing_of_an_earlier_sale_is_told_again(machine: Machine) -> None:
    erased_while_waiting(machine)
    (key,) = (each["key"] for each in machine.line.journal.contacts.all())
    machine.line.journal.contacts.forget_id(key, "404", machine.clock.time())
    outage(machine)
    write_files(machine.line)
    text = b"".join(path.read_bytes() for path in written(machine))
    assert b"Malm" in text
    assert b"Eva" not in text
    assert b"Lund" not in text
    assert SHARED.encode() not in text


def test_b9_a_policy_leaves_it_to_a_person(machine: Machine) -> None:
    machine.line = attrs.evolve(machine.line, erased="hold")
    erased_while_waiting(machine)
    deliver_all(machine)
    assert machine.engage.people == {}
    (held,) = machine.line.journal.receipts.find({"state": State.HELD})
    assert held.reason.startswith("erased: ")


# --- B4: a policy with a time ----------------------------------------------------------------------------------------

MEMBER = {"memberNumber": "9001"}
"""No contact can be created by it."""


@pytest.fixture
def members(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A pipeline that looks people up by it."""
    asked = partial(ResolveSettings, keys=("memberNumber", "externalId"))
    monkeypatch.setattr("tests.scenarios.simulator.machine.ResolveSettings", asked)
    machine.restart()
    return machine


def test_b4_a_customer_who_registers_later_gets_the_receipt(members: Machine) -> None:
    machine = members
    take(machine, sale(1, MEMBER), sale(2, MEMBER))
    deliver_all(machine)
    waiting = machine.line.journal.receipts.find({"state": State.WAITING})
    assert {(each.number, "unknown" in each.reason, each.attempts) for each in waiting} == {
        ("1", True, 0),
        ("2", True, 0),
    }
    assert {each.due for each in waiting} == {machine.clock.time() + 10.0}, "shown with the time of the next lookup"
    machine.restart()
    machine.clock.advance(60.0)
    person = machine.engage.make(MEMBER)
    deliver_all(machine)
    assert history(machine, person.id) == ["1", "2"]


def test_b4_one_lookup_is_for_all_receipts_and_the_waits_grow(
    members: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = members
    seen = requests(machine, monkeypatch)
    take(machine, *(sale(number, MEMBER) for number in range(1, 21)))
    waits: list[float] = []
    for _ in range(9):
        deliver_all(machine)
        due = machine.line.journal.receipts.next_due()
        assert due is not None
        waits.append(due - machine.clock.time())
        machine.clock.advance(waits[-1])
    assert waits == pytest.approx([10, 30, 60, 300, 900, 1800, 3600, 3600, 3600])
    assert seen.total() <= 2 * 9
    take(machine, sale(30, {"externalId": "C"}))
    deliver_all(machine)
    assert machine.line.journal.receipts.counts()["delivered"] == 1, "another is not kept back"


def test_b4_no_file_creates_a_contact_that_may_not_be_created(members: Machine) -> None:
    machine = members
    take(machine, sale(1, MEMBER))
    deliver_all(machine)
    outage(machine)
    assert written(machine) == []
    assert machine.line.journal.receipts.counts()["waiting"] == 1


@pytest.mark.parametrize("keys", [MEMBER, {"externalId": "B"}], ids=["no key to create by", "create = false"])
@pytest.mark.parametrize("registers", [True, False])
def test_b4_nor_one_that_was_never_looked_up_before_the_outage(
    members: Machine, keys: Mapping[str, str], registers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = members
    asked = partial(ResolveSettings, keys=("memberNumber", "externalId"), create=False)
    monkeypatch.setattr("tests.scenarios.simulator.machine.ResolveSettings", asked)
    machine.restart()
    known = machine.engage.make({"externalId": "A"})
    take(machine, sale(1, {"externalId": "A"}))
    deliver_all(machine)
    outage(machine)
    take(machine, sale(2, keys), sale(3, {"externalId": "A"}))
    write_files(machine.line)
    assert not any("contacts" in path.name for path in written(machine))
    assert machine.line.journal.receipts.counts()["written"] == 1, "of a contact that is known"
    (waits,) = machine.line.journal.receipts.find({"state": State.WAITING})
    assert waits.reason.startswith("the contact is unknown and no resolver may create it; no file does")
    told_so = len(machine.line.journal.events.of_receipt(waits.seq))
    for _ in range(5):
        write_files(machine.line)
    assert len(machine.line.journal.events.of_receipt(waits.seq)) == told_so, "said once"
    person = machine.engage.make(keys) if registers else None
    back(machine)
    later(machine, 3600.0)
    deliver_all(machine)
    assert history(machine, known.id) == ["1", "3"]
    if person is None:
        assert machine.line.journal.receipts.counts()["waiting"] == 1, "looked up again, with growing waits"
        assert list(machine.engage.people.values()) == [known]
    else:
        assert history(machine, person.id) == ["2"]


def test_b4_no_file_creates_again_who_was_erased(members: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receipt was written under its id."""
    machine = members
    asked = partial(ResolveSettings, keys=("memberNumber", "externalId"), create=False)
    monkeypatch.setattr("tests.scenarios.simulator.machine.ResolveSettings", asked)
    machine.restart()
    person = machine.engage.make({"externalId": "A"})
    take(machine, sale(1, {"externalId": "A"}))
    deliver_all(machine)
    outage(machine)
    take(machine, sale(2, {"externalId": "A"}))
    write_files(machine.line)
    machine.engage.erase(person)
    machine.engage.erased.clear()
    back(machine)
    later(machine, 3600.0)
    deliver_all(machine)
    assert machine.engage.people == {}
    (held,) = machine.line.journal.receipts.find({"state": State.HELD})
    assert (held.number, "`tillpost held retry` sends it by API" in held.reason) == ("2", True)


@pytest.mark.parametrize(("skip", "state"), [(False, State.HELD), (True, State.SKIPPED)])
def test_b4_after_its_time_the_policy_decides_and_a_retry_looks_again(
    members: Machine, skip: bool, state: State
) -> None:
    machine = members
    machine.line = attrs.evolve(machine.line, skip_unknown=skip)
    take(machine, sale(1, MEMBER))
    for _ in range(60):
        deliver_all(machine)
        machine.clock.advance(1800.0)
    (receipt,) = machine.line.journal.receipts.find({"state": state})
    if state is State.HELD:
        person = machine.engage.make(MEMBER)
        machine.line.journal.held.retry(receipt, None, machine.clock.time())
        deliver_all(machine)
        assert history(machine, person.id) == ["1"]


# --- B10, B33: identifiers no CRM takes ------------------------------------------------------------------------------


def test_b10_what_cannot_be_an_identifier_is_a_flag_and_the_card_goes_on(machine: Machine) -> None:
    take(machine, sale(1, {"externalId": "A", "email": "not an address", "mobilePhone": "0701234567"}))
    deliver_all(machine)
    (entry,) = machine.line.journal.receipts.find({"number": "1"})
    flags = machine.line.journal.bodies.get(entry.seq).flags
    assert flags[-2:] == ("unusable-email", "unusable-mobilePhone")
    (detail,) = machine.store.read("SELECT detail FROM events WHERE what = 'accepted'")
    assert "unusable-email, unusable-mobilePhone" in detail[0]
    assert entry.state is State.DELIVERED


def test_b10_people_are_not_joined_by_what_is_no_identifier(machine: Machine) -> None:
    junk = {"email": "none", "contactId": "0"}
    take(
        machine,
        sale(1, {"externalId": "A", **junk}),
        sale(2, {"externalId": "B", **junk}),
        sale(3, {"mobilePhone": "+46701234567", **junk}),
    )
    deliver_all(machine)
    assert sorted(imported(machine).values()) == [1, 1, 1]


def test_b33_national_numbers_are_read_by_the_country_of_the_store(machine: Machine) -> None:
    take(machine, sale(1, {"mobilePhone": "070-123 45 67"}))
    deliver_all(machine)
    (held,) = machine.line.journal.receipts.find({"state": State.HELD})
    assert "country" in held.reason
    rules = IdentifierRules(country="SE", countries={"13": "FI"})
    machine.line.journal.use_identifier_rules(rules)
    machine.line = attrs.evolve(machine.line, rules=rules)
    machine.line.journal.held.retry(held, None, machine.clock.time())
    finnish = attrs.evolve(sale(3, {"mobilePhone": "040 1234567"}), store="13")
    take(machine, sale(2, {"mobilePhone": "0046 70 123 45 67"}), finnish)
    deliver_all(machine)
    machine.engage.import_queue()
    assert {
        (person.keys["mobilePhone"], len(history(machine, person.id))) for person in machine.engage.people.values()
    } == {
        ("+46701234567", 2),
        ("+358401234567", 1),
    }


def test_s15_an_identifier_of_70_kb_is_the_receipts_fault(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = requests(machine, monkeypatch)
    take(machine, sale(1, {"externalId": "x" * 70_000}), sale(2, {"externalId": "A"}))
    deliver_all(machine)
    (held,) = machine.line.journal.receipts.find({"state": State.HELD})
    assert "70000 characters" in held.reason
    assert machine.line.journal.receipts.counts()["delivered"] == 1
    assert machine.line.breaker.destination.state == "online"
    assert seen["GET contacts"] == 1


def test_b10_what_engage_refuses_of_a_customer_is_an_event(machine: Machine) -> None:
    take(machine, sale(1, {"externalId": "A", "email": "a..b@example.se"}))
    deliver_all(machine)
    maintain(machine.line)
    (entry,) = machine.line.journal.receipts.find({"number": "1"})
    assert entry.state is State.DELIVERED
    assert events_of(machine, "identifiers refused") == 1
    details: Any = machine.store.read("SELECT detail FROM events WHERE what = 'identifiers refused'")
    assert "email" in details[0][0]


def test_b8_what_a_receipt_said_that_is_sent_again_is_not_written_over_corrections(machine: Machine) -> None:
    """It was delivered under the id of a contact that was merged, and had said it all once."""
    machine.client.documented_only = True
    take(machine, told(machine, 1, FIRST, firstName="Eav", city="Lund"))
    deliver_all(machine)
    (person,) = machine.engage.people.values()
    winner = merge(machine, person)
    machine.engage.change(winner, {"firstName": "Eva", "city": "Malmö"})
    later(machine, 2 * DAY)
    take(machine, told(machine, 2, FIRST, street="Storgatan 1"))
    first = machine.line.journal.receipts.find({})[0]
    gone = [(first, Move(state=State.ACCEPTED, due=machine.clock.time(), reason="merged"))]
    machine.line.journal.verification.settle(Looked(moves=gone), machine.clock.time())
    deliver_all(machine)
    assert winner.attributes == {"firstName": "Eva", "city": "Malmö", "street": "Storgatan 1"}


def test_b8_an_answer_about_a_former_id_does_not_take_the_present_one_away(machine: Machine) -> None:
    """A history was asked for under the id that another thread has found to be gone meanwhile."""
    take(machine, sale(1, FIRST))
    deliver_all(machine)
    (row,) = machine.line.journal.contacts.all()
    machine.line.journal.contacts.forget_id(row["key"], "404", 1.0, contact_id="the former")
    assert machine.line.journal.contacts.get(row["key"]).contact_id == row["contact_id"]
    assert events_of(machine, "id forgotten") == 0
    machine.line.journal.contacts.forget_id(row["key"], "404", 1.0, contact_id=row["contact_id"])
    assert machine.line.journal.contacts.get(row["key"]).contact_id == ""


def test_b4_what_waits_for_its_contact_says_by_what_that_is_known(machine: Machine) -> None:
    """Engage creates no contact by a memberNumber alone, and the setting `create` says that it would."""
    machine.line = attrs.evolve(machine.line, lookup_keys=frozenset(("memberNumber", "externalId")))
    take(machine, sale(1, {"memberNumber": "7"}))
    deliver_all(machine)
    (waits,) = machine.line.journal.receipts.find({"state": State.WAITING})
    assert waits.reason == "the contact is unknown and no resolver may create it (it has memberNumber)"
