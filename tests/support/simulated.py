"""A simulated pipeline: what it takes, its destination's outage, and the return."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.simulator.engage import Person
from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tillpost.flow.delivery.deliver import claim, deliver
from tillpost.flow.intake.accept import accept
from tillpost.flow.upkeep.replay_plan import plan
from tillpost.flow.worker import maintain
from tillpost.journal import ReplayOrder
from tillpost.model import Document, Receipt
from tillpost.model.receipt_json import dumps

DAY = 86400.0
DOCUMENTED = pytest.mark.parametrize("documented_only", [False, True], ids=["reading", "documented only"])
"""Whether Engage lets a contact be read, which is not documented."""


def take(machine: Machine, *receipts: Receipt) -> None:
    accept(machine.line, Document.from_bytes("day", b"".join(dumps(receipt) + b"\n" for receipt in receipts)))


def take_sales(
    machine: Machine, *numbers: int, day: date = date(2026, 11, 24), keys: Mapping[str, str] | None = None
) -> None:
    """Sales of one customer, by their numbers, in one document."""
    lines = [dumps(sale(number, {"externalId": "4711"} if keys is None else keys, day=day)) for number in numbers]
    accept(machine.line, Document.from_bytes(f"{day} {numbers}", b"".join(line + b"\n" for line in lines)))


def deliver_all(machine: Machine) -> None:
    """Deliver what is due, until nothing is."""
    while entries := claim(machine.line, 4):
        for entry in entries:
            deliver(machine.line, entry)
        machine.line.claims.release(entry.seq for entry in entries)


def start_replay(machine: Machine, by: str) -> int:
    """A person replays what was accepted by API in the month of the sales; the number of the replay."""
    journal, now = machine.line.journal, machine.clock.time()
    order = ReplayOrder(
        reason="a test", who="eva", by=by, store="12", till="", first="2026-11-01", last="2026-11-30",
        unverified=True, newest=journal.replay_candidates.newest(),
    )  # fmt: skip
    made = plan(journal, order, machine.line.keep, machine.line.anonymous is not None, now)
    return journal.replays.start(order, made.json(), made.chosen, now)


def outage(machine: Machine) -> None:
    """The destination goes away for good, and the pipeline knows it."""
    machine.faults.api = "refused"
    for _ in range(9):
        machine.line.breaker.record(machine.line.hooks.probe())
        machine.clock.advance(300.0)
    maintain(machine.line)
    assert machine.line.breaker.destination.state == "fallback"


def written(machine: Machine) -> list[Path]:
    return sorted(path for path in machine.line.journal.fallback_folder.rglob("*") if path.is_file())


def back(machine: Machine) -> None:
    """It answers again, its imports run, and the files are looked after until none is left."""
    machine.faults.api = "ok"
    for _ in range(200):
        machine.clock.advance(300.0)
        machine.engage.advance(machine.clock.monotonic())
        machine.imports.advance(machine.clock.monotonic())
        maintain(machine.line)
        if not machine.line.journal.files.open():
            return


def requests(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the requests from now on; the probe is one of nobody's address."""
    seen: Counter[str] = Counter()
    send = machine.client.send

    def counted(method: str, path: str, **given: Any) -> Any:
        about = "nobody" if "invalid" in str(given.get("query")) else path.split("/")[1]
        seen[f"{method} {about}"] += 1
        return send(method, path, **given)

    monkeypatch.setattr(machine.client, "send", counted)
    return seen


def later(machine: Machine, seconds: float = DAY + 60.0) -> None:
    machine.clock.advance(seconds)


def imported(machine: Machine) -> Counter[str]:
    """Whose history shows how many receipts."""
    machine.engage.import_queue()
    return Counter(machine.engage.saved.owner(each) for each in machine.engage.ids() if each in machine.engage.saved)


def merge(machine: Machine, person: Person) -> Person:
    """Customer care merges her into another contact."""
    winner = machine.engage.make({"email": "eva.old@example.se"})
    machine.engage.merge(person, winner)
    machine.engage.merged.clear()  # this Engage imports nothing under the id of a contact that was merged
    return winner
