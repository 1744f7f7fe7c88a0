"""The guard: with a mapping that is not released nothing is sent by any route, wherever the process is killed."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.scenarios.simulator.engage import Engage
from tests.scenarios.simulator.faults import Killed
from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import deliver_all, take
from tillpost.errors import PluginError, UsageError
from tillpost.flow.delivery.deliver import claim
from tillpost.flow.fallback.write_files import write_files
from tillpost.flow.upkeep import mapping_guard
from tillpost.flow.worker import maintain
from tillpost.journal import State
from tillpost.model import Receipt

FIRST = 3
SEEDS = 60


def start(machine: Machine, fingerprint: str, hold: bool = True) -> None:
    """What `run` does with a configuration of this mapping."""
    given = machine.line.guard
    given.fingerprint, given.what, given.hold, given.first = fingerprint, {"tillpost": fingerprint}, hold, FIRST
    mapping_guard.start(machine.line)


def held(machine: Machine) -> int:
    return machine.line.journal.receipts.counts()[State.HELD]


def release(machine: Machine) -> None:
    standing = machine.line.journal.mappings.awaiting_release()
    assert standing is not None
    machine.line.journal.mappings.release(standing.fingerprint, machine.clock.time())


def test_the_first_mapping_of_a_journal_is_released_by_itself(machine: Machine) -> None:
    start(machine, "a")
    take(machine, sale(1, {"externalId": "1"}))
    maintain(machine.line)
    deliver_all(machine)
    assert machine.line.journal.receipts.counts()["delivered"] == 1
    assert machine.line.journal.mappings.awaiting_release() is None


def test_receipts_read_with_the_new_mapping_are_held_before_those_that_waited(machine: Machine) -> None:
    start(machine, "a")
    take(machine, *(sale(number, {"externalId": str(number)}) for number in (1, 2)))
    machine.clock.advance(5.0)
    start(machine, "b")
    take(machine, *(sale(number, {"externalId": str(number)}) for number in (3, 4)))
    maintain(machine.line)
    waiting = {entry.number for entry in machine.line.journal.receipts.find({"state": State.ACCEPTED})}
    assert waiting == {"2"}
    assert claim(machine.line, 10) == []
    assert write_files(machine.line) == 0


def test_a_receipt_that_cannot_be_mapped_is_one_of_those_that_are_held(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(machine, "a")
    start(machine, "b")
    take(machine, sale(1, {"externalId": "1"}))

    def raises(**given: Any) -> None:
        raise PluginError("engage", "no such field")

    callers: Any = machine.line.hooks.callers
    before = callers["map_receipt"]
    callers["map_receipt"] = [("engage", raises)]
    maintain(machine.line)
    (entry,) = machine.line.journal.receipts.find({"state": State.HELD})
    assert entry.reason.startswith("new mapping b: it cannot map this receipt: ")
    callers["map_receipt"] = before
    start(machine, "a")
    deliver_all(machine)
    assert machine.line.journal.receipts.counts()["delivered"] == 1, "put back, it goes as before"


def test_a_receipt_that_may_have_been_sent_is_not_held_but_looked_up_later(machine: Machine) -> None:
    start(machine, "a")
    take(machine, sale(1, {"externalId": "1"}))
    machine.faults.arm(["ok", "ok", "lost"], [], 0, 0)
    deliver_all(machine)
    machine.faults.disarm()
    (entry,) = machine.line.journal.receipts.find({})
    assert entry.state is State.UNCERTAIN
    start(machine, "b")
    machine.clock.advance(100_000.0)
    maintain(machine.line)
    assert held(machine) == 0
    assert mapping_guard.is_waiting(machine.line)
    release(machine)
    maintain(machine.line)
    machine.engage.advance(machine.clock.monotonic())
    deliver_all(machine)
    assert len(machine.engage.saved) == 1


def test_a_release_while_receipts_are_tried_holds_none_of_them(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(machine, "a")
    start(machine, "b")
    take(machine, sale(1, {"externalId": "1"}))
    tried = mapping_guard._try_mapping

    def meanwhile(*given: Any) -> Any:
        release(machine)
        return tried(*given)

    monkeypatch.setattr(mapping_guard, "_try_mapping", meanwhile)
    maintain(machine.line)
    assert held(machine) == 0
    maintain(machine.line)
    deliver_all(machine)
    assert machine.line.journal.receipts.counts()["delivered"] == 1


def test_an_unknown_mapping_cannot_be_released(machine: Machine) -> None:
    start(machine, "a")
    with pytest.raises(UsageError, match="knows no mapping zzz"):
        machine.line.journal.mappings.release("zzz", 1.0)


def test_after_a_clock_that_was_set_back_the_last_mapping_is_still_the_last(machine: Machine) -> None:
    journal = machine.line.journal
    journal.mappings.activate("a", {}, True, 1000.0)
    journal.mappings.activate("b", {}, True, 10.0)
    standing = journal.mappings.awaiting_release()
    assert standing is not None
    assert standing.fingerprint == "b"


class Run:
    """Random steps, changing mappings, and kills anywhere; what is sent is compared with what was released."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = Random(seed)
        self.machine = Machine(folder, self.random, Engage())
        self.mapping = "a"
        self.number = 0
        self.receipts: list[Receipt] = []
        self.sent = 0
        self.begin()

    def begin(self) -> None:
        self.watch()
        while True:
            try:
                start(self.machine, self.mapping)
                return
            except Killed:
                self.machine.restart()
                self.watch()

    def watch(self) -> None:
        """Called for every mapping of a receipt that would be sent."""
        callers: Any = self.machine.line.hooks.callers
        for hook in ("deliver", "write_files"):
            ((name, call),) = callers[hook]
            callers[hook] = [(name, self.watched(hook, call))]

    def watched(self, hook: str, call: Any) -> Any:
        def asked(**given: Any) -> Any:
            standing = self.machine.line.journal.mappings.awaiting_release()
            assert standing is None, f"{hook} with mapping {standing.fingerprint if standing else ''}"
            self.sent += 1
            return call(**given)

        return asked

    def step(self) -> None:
        machine, what = self.machine, self.random.random()
        machine.faults.arm([], [], self.random.randint(1, 12) if self.random.random() < 0.15 else 0, 0)
        try:
            if what < 0.25:
                self.number += 1
                made = sale(self.number, {"externalId": f"c{self.number % 7}"})
                self.receipts.append(made)
                take(machine, made)
            elif what < 0.5:
                maintain(machine.line)
            elif what < 0.75:
                deliver_all(machine)
            elif what < 0.8:
                machine.faults.api = self.random.choice(("ok", "refused"))
            elif what < 0.9:
                machine.clock.advance(self.random.choice((1.0, 300.0, 4000.0)))
                machine.engage.advance(machine.clock.monotonic())
                machine.imports.advance(machine.clock.monotonic())
            elif what < 0.94 and machine.line.journal.mappings.awaiting_release() is not None:
                release(machine)
            else:
                self.mapping = self.random.choice("abcd")
                machine.restart()
                self.begin()
        except Killed:
            machine.faults.disarm()
            machine.restart()
            self.begin()
        machine.faults.disarm()
        standing = machine.line.journal.mappings.awaiting_release()
        if standing is not None:
            assert machine.line.journal.mappings.held(standing.fingerprint) <= FIRST

    def end(self) -> None:
        """Everything works again, a person releases the mapping, and every receipt arrives once."""
        machine = self.machine
        machine.faults.end()
        for made in self.receipts:  # a kill before the acknowledgement: the source hands it over again
            take(machine, made)
        if machine.line.journal.mappings.awaiting_release() is not None:
            release(machine)
        for _ in range(300):
            maintain(machine.line)
            deliver_all(machine)
            machine.clock.advance(600.0)
            machine.engage.advance(machine.clock.monotonic())
            machine.imports.advance(machine.clock.monotonic())
            if machine.line.journal.receipts.all_settled():
                break
        counts = machine.line.journal.receipts.counts()
        assert counts[State.DELIVERED] == len(self.receipts), counts
        assert machine.engage.violations == []
        machine.stop()


def test_wherever_the_process_is_killed_nothing_leaves_unreleased_and_nothing_is_lost(tmp_path: Path) -> None:
    sent = 0
    for seed in range(SEEDS):
        run = Run(tmp_path / str(seed), seed)
        for _ in range(80):
            run.step()
        run.end()
        sent += run.sent
    assert sent > SEEDS
