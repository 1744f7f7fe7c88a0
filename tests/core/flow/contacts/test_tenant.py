"""Another tenant on the same journal: contactIds of the former one are used for nothing."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import apsw
import attrs
import pytest

from tests.scenarios.simulator.api import SimulatedClient
from tests.scenarios.simulator.engage import Engage
from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import back, deliver_all, outage, start_replay, take, written
from tillpost.flow.contacts import tenant
from tillpost.flow.delivery.verify import verify as verify_histories
from tillpost.flow.fallback.write_files import write_files
from tillpost.flow.upkeep.replay import replay
from tillpost.flow.worker import maintain
from tillpost.journal import HistoryState, Move, State
from tillpost.journal.sqlite.doctor import repair, verify
from tillpost.model import Customer, Delivered, Identifier, Receipt, Tenant
from tillpost_engage.answers import Answer

EVA = {"externalId": "4711", "email": "eva@example.se"}
BO = {"externalId": "4712", "email": "bo@example.se"}
STAGING, PRODUCTION = "https://staging.example", "https://production.example"


@pytest.fixture
def staging(machine: Machine) -> Machine:
    """Receipts 1 and 2 are delivered to staging, which knows Eva and Bo."""
    machine.client.tenant = Tenant(address=STAGING, credential="a")
    tenant.start(machine.line)
    take(machine, sale(1, EVA), sale(2, BO))
    deliver_all(machine)
    machine.engage.import_queue()
    return machine


def move_to(machine: Machine, engage: Engage, address: str = PRODUCTION, credential: str = "b") -> None:
    """The same journal is started with other settings."""
    machine.engage, machine.imports._engage = engage, engage
    machine.client = SimulatedClient(engage, machine.faults)
    machine.client.tenant = Tenant(address=address, credential=credential)
    machine.restart()
    tenant.start(machine.line)


def production(machine: Machine) -> Engage:
    """It knows Eva, by another id."""
    engage = Engage()
    for _ in range(7):
        engage.make({})
    engage.register(EVA)
    return engage


def states(machine: Machine) -> dict[str, int]:
    return {state: count for state, count in machine.line.journal.receipts.counts().items() if count}


def events(machine: Machine) -> list[str]:
    rows = machine.store.read("SELECT what FROM events WHERE step = 'tenant' AND receipt IS NULL ORDER BY seq")
    return [str(what) for (what,) in rows]


def test_b2_ids_of_staging_are_not_used_in_production(staging: Machine) -> None:
    machine, known = staging, set(staging.engage.people)
    move_to(machine, production(machine))
    take(machine, sale(3, EVA), sale(4, BO))
    deliver_all(machine)
    assert states(machine) == {"accepted": 2, "delivered": 2}, "nothing goes out before it is known who is there"
    maintain(machine.line)
    deliver_all(machine)
    assert not known & {contact_id for _, contact_id in machine.engage.queue}
    machine.engage.import_queue()
    assert states(machine) == {"delivered": 4}
    assert machine.engage.dropped == {}
    assert len(machine.engage.saved) == 2, "what staging got stays what it is"
    assert events(machine) == ["another tenant"]
    current = machine.line.journal.tenants.current()
    assert current is not None
    assert (current.tenant.address, current.former) == (PRODUCTION, STAGING)
    machine.restart()
    tenant.start(machine.line)
    assert machine.line.tenant.pending is None, "said once"
    assert current.pending == ""


def test_b2_what_staging_took_is_not_looked_for_in_production(staging: Machine) -> None:
    machine = staging
    waiting = "SELECT number FROM receipts WHERE verify_due IS NOT NULL ORDER BY number"
    assert machine.store.read(waiting) == [("1",), ("2",)]
    machine.line.journal.verification.set_history(HistoryState.THERE, "", machine.clock.time())
    move_to(machine, production(machine))
    machine.clock.advance(7200.0)
    verify_histories(machine.line)
    assert machine.store.read(waiting) == [("1",), ("2",)], "nothing is read before it is known who is there"
    maintain(machine.line)
    assert machine.store.read(waiting) == []
    assert machine.line.journal.verification.history()[0] is HistoryState.UNKNOWN
    machine.clock.advance(40 * 86400.0)
    verify_histories(machine.line)
    assert states(machine) == {"delivered": 2}


def test_b2_the_same_tenant_at_another_address_keeps_its_ids(staging: Machine) -> None:
    machine = staging
    before = machine.line.journal.contacts.all()
    move_to(machine, machine.engage, "https://gateway.example")
    maintain(machine.line)
    assert machine.line.tenant.pending is None
    assert machine.line.journal.contacts.all() == before
    assert events(machine) == ["same tenant"]
    current = machine.line.journal.tenants.current()
    assert current is not None
    assert (current.tenant.address, current.former) == ("https://gateway.example", "")


def test_b2_a_rotated_key_is_the_same_tenant(staging: Machine) -> None:
    machine = staging
    move_to(machine, machine.engage, STAGING, "c")
    take(machine, sale(3, EVA))
    maintain(machine.line)
    deliver_all(machine)
    assert states(machine) == {"delivered": 3}
    assert len(machine.engage.people) == 2
    assert events(machine) == ["same tenant"]


def test_b2_a_key_of_another_tenant_behind_the_same_address_is_noticed(staging: Machine) -> None:
    machine = staging
    move_to(machine, production(machine), STAGING, "c")
    take(machine, sale(3, BO))
    maintain(machine.line)
    deliver_all(machine)
    machine.engage.import_queue()
    assert events(machine) == ["another tenant"]
    assert machine.engage.dropped == {}


def test_b2_merged_contacts_among_the_samples_do_not_make_another_tenant(staging: Machine) -> None:
    machine = staging
    first, second = machine.engage.people.values()
    machine.engage.merge(first, second)
    move_to(machine, machine.engage, "https://gateway.example")
    maintain(machine.line)
    assert events(machine) == ["same tenant"]


def test_b2_while_nobody_answers_at_the_new_address_nothing_is_sent_or_written(staging: Machine) -> None:
    machine = staging
    move_to(machine, production(machine))
    take(machine, sale(3, EVA))
    machine.faults.api = "refused"
    for _ in range(12):
        maintain(machine.line)
        machine.clock.advance(300.0)
    deliver_all(machine)
    assert written(machine) == []
    current = machine.line.journal.tenants.current()
    assert current is not None
    assert (current.tenant.address, current.pending) == (STAGING, PRODUCTION), "status and an alert say it"
    assert states(machine) == {"accepted": 1, "delivered": 2}
    machine.faults.api = "ok"
    machine.clock.advance(300.0)
    for _ in range(5):
        maintain(machine.line)
        machine.clock.advance(300.0)
    deliver_all(machine)
    machine.engage.import_queue()
    assert states(machine) == {"delivered": 3}
    assert machine.engage.dropped == {}


def test_b2_an_address_that_is_put_back_changes_nothing(staging: Machine) -> None:
    machine, before = staging, staging.line.journal.contacts.all()
    engage = machine.engage
    machine.faults.api = "refused"
    move_to(machine, Engage())
    maintain(machine.line)
    machine.faults.api = "ok"
    move_to(machine, engage, STAGING, "a")
    assert machine.line.tenant.pending is None
    current = machine.line.journal.tenants.current()
    assert current is not None
    assert current.pending == ""
    assert machine.line.journal.contacts.all() == before


def test_b2_a_key_rotated_in_an_outage_does_not_stop_the_files(staging: Machine) -> None:
    machine = staging
    move_to(machine, machine.engage, STAGING, "c")
    take(machine, sale(3, EVA))
    outage(machine)
    assert states(machine) == {"written": 1, "delivered": 2}
    back(machine)
    assert states(machine) == {"delivered": 3}
    assert events(machine) == ["same tenant"]


@pytest.mark.parametrize("uploaded", [False, True], ids=["written", "uploaded"])
def test_b2_files_for_staging_are_not_used_in_production(staging: Machine, uploaded: bool) -> None:
    machine = staging
    take(machine, sale(3, EVA), sale(4, {"externalId": "4713"}))
    outage(machine)
    if uploaded:
        machine.line.journal.files.mark_reviewed(entry.file.name for entry in machine.line.journal.files.open())
        for entry in machine.line.journal.files.open():
            machine.line.journal.files.move(entry, entry.state.__class__.UPLOADED, machine.clock.time())
        assert states(machine)["transferred"] == 2
    machine.faults.api = "ok"
    move_to(machine, production(machine))
    for _ in range(5):
        machine.clock.advance(300.0)
        maintain(machine.line)
    assert machine.line.journal.files.open() == []
    assert written(machine) == []
    deliver_all(machine)
    machine.engage.import_queue()
    assert states(machine) == {"delivered": 4}
    assert machine.engage.dropped == {}
    assert len(machine.engage.saved) == 2


def test_b2_what_may_have_reached_staging_goes_to_production(staging: Machine) -> None:
    machine = staging
    take(machine, sale(3, EVA))
    (entry,) = machine.line.journal.receipts.find({"number": "3"})
    move = Move(state=State.UNCERTAIN, due=machine.clock.time(), reason="no answer")
    machine.line.journal.receipts.settle([(entry.seq, move)], machine.clock.time(), "deliver")
    move_to(machine, production(machine))
    maintain(machine.line)
    deliver_all(machine)
    machine.engage.import_queue()
    assert list(machine.engage.saved._contact) == [entry.id]


@pytest.mark.parametrize("way", ["api", "files"])
@pytest.mark.parametrize("hours_ago", [0.0, 5.0])
def test_b2_a_receipt_that_waits_states_its_own_in_production(staging: Machine, way: str, hours_ago: float) -> None:
    """What earlier sales said is staging's; of a contact that is there its own stays."""
    machine = staging

    def said(number: int, **attributes: str) -> Receipt:
        identifiers = tuple(Identifier(kind, value) for kind, value in EVA.items())
        customer = Customer(identifiers=identifiers, attributes=attributes)
        created = datetime.fromtimestamp(machine.clock.time() - 3600 * hours_ago, UTC)
        return attrs.evolve(sale(number, EVA), customer=customer, created=created, business_date=created.date())

    take(machine, said(3, firstName="Eav", street="Storgatan 1"))
    deliver_all(machine)
    machine.faults.api = "refused"
    if way == "files":
        outage(machine)
    take(machine, said(4, city="Malmö"))
    if way == "files":
        write_files(machine.line)
    engage = production(machine)
    (eva,) = [person for person in engage.people.values() if person.keys == EVA]
    engage.change(eva, {"firstName": "Eva"})
    machine.faults.api = "ok"
    move_to(machine, engage)
    for _ in range(9):
        machine.clock.advance(300.0)
        maintain(machine.line)
        deliver_all(machine)
    assert eva.attributes == {"origin": "web shop", "firstName": "Eva", "city": "Malmö"}


def test_b2_a_conflict_of_staging_holds_nothing_in_production(staging: Machine) -> None:
    machine = staging
    machine.engage.make({"mobilePhone": "+46704714714"})
    machine.engage.make({"email": "ida@example.se"})
    take(machine, sale(3, {"mobilePhone": "+46704714714", "email": "ida@example.se"}))
    outage(machine)
    back(machine)
    assert states(machine) == {"held": 1, "delivered": 2}
    move_to(machine, production(machine))
    maintain(machine.line)
    deliver_all(machine)
    assert states(machine) == {"delivered": 3}
    assert machine.line.journal.contacts.counts()["conflicts"] == 0


@pytest.mark.parametrize("by", ["api", "file"])
def test_b2_a_replay_into_production_uses_no_id_of_staging(staging: Machine, by: str) -> None:
    machine = staging
    move_to(machine, production(machine))
    maintain(machine.line)
    start_replay(machine, by)
    while replay(machine.line):
        pass
    machine.clock.advance(3600.0)
    deliver_all(machine)
    back(machine)
    machine.engage.import_queue()
    assert machine.engage.dropped == {}
    assert len(machine.engage.saved) == 2
    assert states(machine) == {"delivered": 2}


def test_the_doctor_knows_the_moves_to_another_tenant_and_asks_about_one_that_makes_no_sense(staging: Machine) -> None:
    machine = staging
    take(machine, sale(3, EVA))
    outage(machine)
    machine.faults.api = "ok"
    move_to(machine, production(machine))
    for _ in range(5):
        machine.clock.advance(300.0)
        maintain(machine.line)
    deliver_all(machine)
    machine.line.journal.close()
    verified = verify(machine.disk.folder)
    assert verified.fine, verified
    with closing(apsw.Connection(str(machine.disk.folder / "journal.db"))) as connection:
        connection.execute("UPDATE tenants SET since = 'x' WHERE seq = 2")
    assert [each.table for each in verify(machine.disk.folder).damages] == ["tenants"]
    repair(machine.disk.folder, machine.clock.time())
    machine.line = machine._start()
    tenant.start(machine.line)
    assert machine.line.tenant.pending is not None
    maintain(machine.line)
    assert events(machine) == ["another tenant", "same tenant"]


def test_b2_a_contact_in_trouble_keeps_nothing_back(staging: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = staging
    move_to(machine, machine.engage, "https://gateway.example")
    send = machine.client.send

    def sick(method: str, path: str, *, query: Any = None, body: Any = None) -> Any:
        if "4712" in str(query):
            return Answer(status=500, kind="json", value={"errorCode": "InvalidSystemConfiguration"})
        return send(method, path, query=query, body=body)

    monkeypatch.setattr(machine.client, "send", sick)
    maintain(machine.line)
    assert events(machine) == ["same tenant"]


@pytest.mark.parametrize("moved", [False, True])
def test_b2_ids_of_an_earlier_version_are_compared_once(staging: Machine, moved: bool) -> None:
    machine = staging
    machine.store.write(lambda each: each.execute("DELETE FROM tenants"))
    move_to(machine, production(machine) if moved else machine.engage, PRODUCTION if moved else STAGING, "a")
    take(machine, sale(3, BO))
    maintain(machine.line)
    deliver_all(machine)
    machine.engage.import_queue()
    assert machine.engage.dropped == {}
    assert events(machine) == ["another tenant" if moved else "same tenant"]


def test_a_transport_that_names_no_tenant_works_as_before(machine: Machine) -> None:
    callers = {name: each for name, each in machine.line.hooks.callers.items() if name != "identity"}
    object.__setattr__(machine.line.hooks, "callers", callers)
    tenant.start(machine.line)
    take(machine, sale(1, EVA))
    maintain(machine.line)
    deliver_all(machine)
    assert states(machine) == {"delivered": 1}
    assert machine.line.journal.tenants.current() is None
    assert isinstance(machine.line.hooks.probe(), Delivered)
