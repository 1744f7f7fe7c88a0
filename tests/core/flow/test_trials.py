"""Many suspects are tried in one process; only where it ends is one tried alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest

from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import deliver_all, outage, take
from tillpost.flow.fallback.write_files import write_files
from tillpost.flow.trial_group import TrialGroup
from tillpost.flow.trials import SUSPECT, Verdict, try_all
from tillpost.journal import State
from tillpost.model import Delivered


@attrs.define
class Processes:
    """Trials as processes show them: a deadly job ends its process, and what stands before it has been shown.

    room: jobs that a process has time for. hangs: jobs at which it is stopped.
    """

    deadly: frozenset[str] = frozenset()
    hangs: frozenset[str] = frozenset()
    room: int = 1000
    outcome: Callable[[Mapping[str, Any]], Any] = lambda job: None
    jobs: list[Mapping[str, Any]] = attrs.field(factory=list)
    gate: threading.Event | None = None

    def run(self, job: Mapping[str, Any]) -> Verdict:
        self.jobs.append(job)
        if self.gate is not None:
            assert self.gate.wait(10)
        if job["do"] != "all":
            died = job["receipt"] in self.deadly
            return Verdict(died=died, how="signal SIGSEGV" if died else "", outcome=None if died else self.outcome(job))
        parts: list[Verdict] = []
        for each in job["jobs"][: self.room]:
            if each["receipt"] in self.deadly:
                return Verdict(died=True, how="signal SIGSEGV", parts=tuple(parts))
            if each["receipt"] in self.hangs:
                return Verdict(how="hangs", parts=tuple(parts))
            parts.append(Verdict(outcome=self.outcome(each)))
        return Verdict(parts=tuple(parts))


def jobs(count: int) -> list[Mapping[str, Any]]:
    return [{"do": "map", "receipt": str(number)} for number in range(count)]


def died(verdicts: list[Verdict]) -> list[int]:
    return [number for number, verdict in enumerate(verdicts) if verdict.died]


def test_many_suspects_without_a_culprit_cost_one_process() -> None:
    processes = Processes(outcome=lambda job: Delivered() if job["receipt"] == "7" else None)
    verdicts = try_all(processes, jobs(50))
    assert (len(verdicts), died(verdicts), len(processes.jobs)) == (50, [], 1)
    assert [number for number, verdict in enumerate(verdicts) if verdict.outcome is not None] == [7]


@pytest.mark.parametrize("deadly", [{0}, {49}, {20}, {3, 4}, {0, 20, 49}, set(range(50))], ids=str)
def test_the_deadly_ones_are_found_each_alone_and_the_others_are_innocent(deadly: set[int]) -> None:
    processes = Processes(deadly=frozenset(map(str, deadly)))
    verdicts = try_all(processes, jobs(50))
    assert set(died(verdicts)) == deadly
    assert len(verdicts) == 50
    assert len(processes.jobs) <= 1 + 3 * len(deadly), "its group, and two alone"


def test_what_ends_the_process_only_among_others_is_innocent() -> None:
    class OutOfMemory(Processes):
        def run(self, job: Mapping[str, Any]) -> Verdict:
            self.jobs.append(job)
            return Verdict(died=job["do"] == "all", how="signal SIGKILL")

    processes = OutOfMemory()
    assert died(try_all(processes, jobs(8))) == []


def test_a_process_that_hangs_or_has_no_time_or_cannot_be_started_keeps_no_other_back() -> None:
    processes = Processes(hangs=frozenset({"2"}), room=3, deadly=frozenset({"7"}))
    verdicts = try_all(processes, jobs(10))
    assert (len(verdicts), died(verdicts)) == (10, [7])

    class Nowhere(Processes):
        def run(self, job: Mapping[str, Any]) -> Verdict:
            return Verdict()

    assert try_all(Nowhere(), jobs(4)) == [Verdict()] * 4
    assert try_all(None, jobs(2)) == [Verdict()] * 2
    assert try_all(processes, []) == []


def test_threads_that_meet_are_tried_in_one_process_and_each_has_its_own_verdict() -> None:
    processes = Processes(deadly=frozenset({"5"}), outcome=lambda job: Delivered(), gate=threading.Event())
    group = TrialGroup(processes)
    found: dict[int, Verdict] = {}

    def work(number: int) -> None:
        found[number] = group.try_apart({"do": "deliver", "receipt": str(number), "contact_id": "c"})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    assert processes.gate is not None
    processes.gate.set()
    for thread in threads:
        thread.join(20)
    assert sorted(found) == list(range(16))
    assert [number for number, verdict in found.items() if verdict.died] == [5]
    assert all(verdict.outcome == Delivered() for number, verdict in found.items() if number != 5)
    tried = [each["receipt"] for job in processes.jobs if job["do"] == "all" for each in job["jobs"]]
    assert len(processes.jobs) <= 8, "not one for each"
    assert len(set(tried)) >= 15


def test_a_thread_whose_trial_fails_leaves_no_other_waiting() -> None:
    class Broken(Processes):
        def run(self, job: Mapping[str, Any]) -> Verdict:
            raise RuntimeError("no more threads")

    group = TrialGroup(Broken())
    with pytest.raises(RuntimeError):
        group.try_apart(jobs(1)[0])
    with pytest.raises(RuntimeError):
        group.try_apart(jobs(1)[0])
    assert TrialGroup(None).try_apart(jobs(1)[0]) == Verdict()


def suspects(machine: Machine, count: int) -> list[str]:
    """Receipts that were in hand at two ends of the process; their ids."""
    take(machine, *(sale(number, {"externalId": f"c{number}"}) for number in range(count)))
    rows = machine.line.journal.receipts.find({})
    machine.line.journal.receipts.suspect([row.seq for row in rows], SUSPECT)
    return [row.id for row in rows]


@pytest.mark.parametrize("culprit", [None, 4])
def test_in_an_outage_a_large_group_of_suspects_costs_one_process(machine: Machine, culprit: int | None) -> None:
    ids = suspects(machine, 40)
    deadly = frozenset() if culprit is None else frozenset({ids[culprit]})
    processes = Processes(deadly=deadly)
    machine.line = attrs.evolve(machine.line, trials=processes)
    machine.faults.api = "refuse"
    outage(machine)
    write_files(machine.line)
    held = [row.id for row in machine.line.journal.receipts.find({"state": State.HELD})]
    assert held == [*deadly]
    mapping = [job for job in processes.jobs if job["do"] == "all" or job["do"] == "map"]
    assert len(mapping) <= 1 + 3 * len(deadly)


def test_suspects_are_delivered_in_their_trial_and_the_deadly_one_is_held(machine: Machine) -> None:
    ids = suspects(machine, 6)
    processes = Processes(deadly=frozenset({ids[3]}))
    machine.line = attrs.evolve(machine.line, trials=processes)
    deliver_all(machine)
    states = {row.id: row.state for row in machine.line.journal.receipts.find({})}
    assert [each for each in ids if states[each] is State.HELD] == [ids[3]]
    assert [each for each in ids if states[each] is State.DELIVERED] == [*ids[:3], *ids[4:]]
