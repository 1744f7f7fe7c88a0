"""No two steps undo each other for ever: left alone, families and merged contacts come to rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from random import Random

import pytest

from tests.scenarios.simulator.engage import Person
from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import DAY, DOCUMENTED, deliver_all, outage, take
from tillpost.flow.delivery.verify import verify
from tillpost.flow.fallback.write_files import write_files
from tillpost.flow.worker import maintain

SHARED = "family@example.se"
PHONE = "+46701234567"
FAMILY: tuple[Mapping[str, str], ...] = (
    {"externalId": "A", "email": SHARED},
    {"externalId": "B", "email": SHARED, "mobilePhone": PHONE},
    {"externalId": "C", "mobilePhone": PHONE},
    {"email": SHARED},
    {"externalId": "D"},
    {"email": SHARED, "mobilePhone": PHONE},
)
ROUNDS = 200


def told(machine: Machine) -> Counter[str]:
    """How many events of each kind there are, without those of the destination's own state."""
    rows = machine.store.read("SELECT step || ' ' || what FROM events WHERE step <> 'destination'")
    return Counter(str(what) for (what,) in rows)


def rounds(machine: Machine, count: int) -> None:
    """So many rounds of ten minutes of everything a pipeline does by itself."""
    for _ in range(count):
        machine.clock.advance(600.0)
        machine.engage.advance(machine.clock.monotonic())
        machine.imports.advance(machine.clock.monotonic())
        maintain(machine.line)
        deliver_all(machine)
        verify(machine.line)


def people(machine: Machine) -> list[Person]:
    return [machine.engage.people[each] for each in sorted(machine.engage.people)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("away", [False, True], ids=["by API", "in files"])
@DOCUMENTED
def test_families_and_merged_contacts_come_to_rest(
    machine: Machine, documented_only: bool, away: bool, seed: int
) -> None:
    machine.client.documented_only = documented_only
    chance = Random(seed)
    for keys in chance.sample(FAMILY, 2):
        machine.engage.make(keys)
    take(machine, *(sale(number, keys) for number, keys in enumerate(chance.sample(FAMILY, 5), 1)))
    deliver_all(machine)
    if away:
        outage(machine)
    take(machine, *(sale(number, keys) for number, keys in enumerate(chance.sample(FAMILY, 5), 6)))
    if away:
        write_files(machine.line)
    else:
        deliver_all(machine)
    for _ in range(2):
        if len(machine.engage.people) > 1:
            gone, winner = chance.sample(people(machine), 2)
            machine.engage.merge(gone, winner)
    machine.faults.api = "ok"
    take(machine, *(sale(number, keys) for number, keys in enumerate(FAMILY, 11)))
    rounds(machine, ROUNDS)
    before = told(machine)
    rounds(machine, ROUNDS)
    assert told(machine) - before == Counter()
    counts = machine.line.journal.receipts.counts()
    assert counts["delivered"] + counts["held"] == 16, counts


@pytest.mark.parametrize("seed", range(6))
@DOCUMENTED
def test_a_family_that_buys_every_day_comes_to_rest_too(machine: Machine, documented_only: bool, seed: int) -> None:
    """Whose id is whose is found out once, and not again with every sale of the other."""
    machine.client.documented_only = documented_only
    chance = Random(seed)
    for keys in chance.sample(FAMILY, 3):
        machine.engage.make(keys)
    number = 0
    for day in range(14):
        before = told(machine)
        for keys in chance.sample(FAMILY, len(FAMILY)):
            number += 1
            take(machine, sale(number, keys))
            deliver_all(machine)
        if day in (1, 3):
            gone, winner = chance.sample(people(machine), 2)
            machine.engage.merge(gone, winner)
        rounds(machine, 20)
        machine.clock.advance(DAY)
        if day > 8:
            found_out = {what for what in told(machine) - before if what.startswith("resolve")}
            # That is said of the sale itself: its e-mail and its phone number lead to two.
            assert found_out <= {"resolve identifiers lead to several contacts"}
