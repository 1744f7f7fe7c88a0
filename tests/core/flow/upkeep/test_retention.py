"""Retention: settled receipts leave the journal in time, beside all other work; no other receipt is touched."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import apsw
import attrs
import pytest

from tests.scenarios.simulator.engage import Engage
from tests.scenarios.simulator.machine import Machine
from tests.support.backlog import DAY, NOW, build
from tests.support.destination import FlakyDestination, hook_calls
from tests.support.lines import make_line
from tests.support.simulated import deliver_all, take_sales
from tillpost.flow.limits import VerifyPolicy
from tillpost.flow.upkeep.retention import PAUSE, RetentionPass, retain
from tillpost.flow.worker import Worker
from tillpost.journal import Journal, State
from tillpost.journal.sqlite.doctor import verify

KEEP = timedelta(days=90)


@pytest.fixture
def machine(tmp_path: Path):  # type: ignore[no-untyped-def]
    made = Machine(tmp_path / "state", Random(1), Engage())
    made.line = attrs.evolve(made.line, keep=KEEP)
    yield made
    made.stop()


def states(machine: Machine) -> list[str]:
    return [entry.state for entry in machine.line.journal.receipts.find({})]


def whole_pass(machine: Machine, standing: RetentionPass) -> None:
    while retain(machine.line, standing):
        pass


def test_a_receipt_leaves_so_long_after_it_was_settled(machine: Machine) -> None:
    machine.line = attrs.evolve(machine.line, verify=VerifyPolicy(receipts="off"))  # else it stays until it is verified
    take_sales(machine, 1, 2)
    deliver_all(machine)
    machine.clock.advance(89 * DAY)
    take_sales(machine, 3, 4)
    deliver_all(machine)
    standing = RetentionPass()
    whole_pass(machine, standing)
    assert states(machine) == ["delivered"] * 4
    machine.clock.advance(2 * DAY)
    whole_pass(machine, standing)
    assert states(machine) == ["delivered"] * 2
    machine.clock.advance(91 * DAY)
    whole_pass(machine, standing)
    assert states(machine) == ["delivered"], "the newest row stays, for its seq"


def test_between_two_passes_it_rests(machine: Machine) -> None:
    take_sales(machine, 1, 2)
    deliver_all(machine)
    standing = RetentionPass()
    whole_pass(machine, standing)
    asked: list[object] = []
    store: Any = machine.store
    write = store.write

    def watched(work: object) -> object:
        asked.append(work)
        return write(work)

    store.write = watched
    machine.clock.advance(PAUSE - 1)
    assert not retain(machine.line, standing)
    assert asked == []
    machine.clock.advance(1)
    assert retain(machine.line, standing)
    assert len(asked) == 1


def test_without_keep_nothing_leaves(machine: Machine) -> None:
    machine.line = attrs.evolve(machine.line, keep=None)
    take_sales(machine, 1)
    deliver_all(machine)
    machine.clock.advance(1000 * DAY)
    assert not retain(machine.line, RetentionPass())
    assert states(machine) == ["delivered"]


def test_the_worker_retains_while_it_delivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """5,000 old receipts leave beside 300 that are delivered."""
    build(tmp_path, 300, 5000, contacts=30)
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    with connection:  # the journal's days are those of the builder; make them those of this machine
        for column in ("accepted_at", "changed_at", "due"):
            connection.execute(f"UPDATE receipts SET {column} = {column} - ?", (NOW - time.time(),))
        connection.execute("UPDATE events SET at = at - ?", (NOW - time.time(),))
    connection.close()
    journal = Journal(tmp_path)
    line = make_line(journal, hook_calls(FlakyDestination()), workers=2, keep=timedelta(days=10))
    worker = Worker(line)
    monkeypatch.setattr(worker, "_pause", lambda seconds: time.sleep(0.001))  # fifty steps in a moment
    worker.start()
    end = time.monotonic() + 120
    while worker.fault is None and time.monotonic() < end and journal.retention.count_removed() < 5000:
        time.sleep(0.05)
    worker.stop()
    assert worker.join(20)
    counts = journal.receipts.counts()
    journal.close()
    assert worker.fault is None
    assert sum(counts.values()) == 300
    assert counts[State.HELD] + counts[State.UNCERTAIN] + counts[State.SKIPPED] == 0
    assert verify(tmp_path).fine, verify(tmp_path).damages
