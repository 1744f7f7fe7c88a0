"""Recovery after a crash: only the receipt in hand has used an attempt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.scenarios.simulator.faults import Killed
from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import deliver_all, take
from tillpost.flow.delivery.deliver import claim, deliver
from tillpost.flow.retry_policy import MAX_CRASHES
from tillpost.flow.trials import SUSPECT, Verdict
from tillpost.journal import Entry, State
from tillpost.journal.sqlite.crash_marks import CrashMarks
from tillpost.model import Identifier, Payload, Receipt
from tillpost_engage.payload import Mapping as EngageMapping
from tillpost_engage.settings import MapSettings


def killed_in_hand(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends while it maps the receipt that is due first, and starts again."""
    for _ in range(100):
        entries = claim(machine.line, 1)
        if entries:
            break
        machine.clock.advance(30.0)
    with monkeypatch.context() as patched:
        patched.setattr("tillpost.flow.hook_calls.HookCalls.map_receipt", _kill)
        with pytest.raises(Killed):
            deliver(machine.line, entries[0])
    machine.restart()


def _kill(*_: object, **__: object) -> None:
    raise Killed


def _kills_first(_: object, receipt: Receipt, match: Identifier) -> Payload:
    if receipt.number == "1":
        raise Killed
    payload: Payload = EngageMapping(MapSettings()).map_receipt(receipt=receipt, match=match)
    return payload


def receipts(machine: Machine) -> dict[str, Entry]:
    return {entry.number: entry for entry in machine.line.journal.receipts.find({})}


def test_a_crash_is_the_attempt_of_the_receipt_in_hand_alone(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    take(machine, sale(1, {"externalId": "4711"}), sale(2, {"externalId": "4712"}))
    killed_in_hand(machine, monkeypatch)
    first, second = receipts(machine)["1"], receipts(machine)["2"]
    assert (first.attempts, first.state, second.attempts, second.state) == (1, State.WAITING, 0, State.ACCEPTED)
    assert first.due > machine.clock.time()
    machine.restart()
    assert receipts(machine)["1"].attempts == 1, "counted once"


@attrs.frozen
class Trials:
    """Trials of which each shows the same, without a process (that is in test_plugins.py and test_poison.py)."""

    verdict: Verdict

    def run(self, job: Mapping[str, Any]) -> Verdict:
        return self.verdict


@pytest.fixture
def without_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no configuration file to start a process with."""
    monkeypatch.setattr("tests.scenarios.simulator.machine._Trials", lambda adapter: None)


@pytest.mark.usefixtures("without_trials")
def test_a_receipt_that_ends_the_process_again_and_again_is_held_and_its_neighbour_goes_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.restart()
    take(machine, sale(1, {"externalId": "4711"}))
    for crash in range(1, MAX_CRASHES + 1):
        killed_in_hand(machine, monkeypatch)
        assert (receipts(machine)["1"].attempts, receipts(machine)["1"].crashes) == (crash, crash)
    held = receipts(machine)["1"]
    assert held.state is State.HELD
    assert f"ended {MAX_CRASHES} times" in held.reason
    take(machine, sale(2, {"externalId": "4712"}))
    deliver_all(machine)
    assert receipts(machine)["2"].state is State.DELIVERED


def test_a_receipt_that_ends_each_trial_is_held_and_its_neighbour_goes_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is done in the pipeline again."""
    take(machine, sale(1, {"externalId": "4711"}))
    for _ in range(SUSPECT):
        killed_in_hand(machine, monkeypatch)
    machine.line = attrs.evolve(machine.line, trials=Trials(Verdict(died=True, how="signal SIGSEGV")))
    machine.clock.advance(120.0)
    take(machine, sale(2, {"externalId": "4712"}))
    with monkeypatch.context() as patched:
        patched.setattr("tillpost.flow.hook_calls.HookCalls.map_receipt", _kills_first)
        deliver_all(machine)
    held, other = receipts(machine)["1"], receipts(machine)["2"]
    assert (held.state, "SIGSEGV" in held.reason) == (State.HELD, True)
    assert other.state is State.DELIVERED


def test_a_receipt_that_was_only_in_hand_is_delivered_however_often_the_process_ended(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B27: three kills that were not its fault. A trial of it comes to its end."""
    take(machine, sale(1, {"externalId": "4711"}))
    for crash in range(1, MAX_CRASHES + 3):
        killed_in_hand(machine, monkeypatch)
        assert (receipts(machine)["1"].state, receipts(machine)["1"].crashes) == (State.WAITING, crash)
    machine.clock.advance(600.0)
    deliver_all(machine)
    assert receipts(machine)["1"].state is State.DELIVERED


@pytest.mark.usefixtures("without_trials")
def test_receipts_that_were_in_hand_at_two_crashes_are_tried_apart(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them is the cause: tried together again, its neighbours would be held with it."""
    take(machine, *(sale(number, {"externalId": f"47{number}"}) for number in range(1, 5)))
    monkeypatch.setattr(CrashMarks, "marked", lambda _: [entry.seq for entry in receipts(machine).values()])
    for _ in range(2):
        machine.restart()
    entries = receipts(machine).values()
    assert {(entry.crashes, entry.state) for entry in entries} == {(2, State.WAITING)}
    dues = sorted(entry.due for entry in entries)
    gap = 5 * machine.line.retry.wait_initial.total_seconds()
    assert all(later - earlier >= gap for earlier, later in pairwise(dues)), dues


def test_what_went_well_or_failed_without_a_crash_is_not_in_hand_any_more(tmp_path: Path) -> None:
    hand = CrashMarks(tmp_path / "crash_marks")
    with hand.holding(7):
        assert hand.marked() == [7]
    with pytest.raises(ValueError, match="x"), hand.holding(8):
        raise ValueError("x")
    assert hand.marked() == []
    hand.close()


@pytest.fixture
def torn(tmp_path: Path) -> Iterator[CrashMarks]:
    """Crash marks as a power loss may leave them: half a number, and what is not a number."""
    (tmp_path / "crash_marks").write_bytes((7).to_bytes(8, "little") + b"\xff" * 8 + b"\x01\x02")
    hand = CrashMarks(tmp_path / "crash_marks")
    yield hand
    hand.close()


def test_a_torn_crash_mark_is_read_up_to_the_tear(torn: CrashMarks) -> None:
    assert torn.marked() == [7]
    torn.clear()
    assert torn.marked() == []


@pytest.mark.usefixtures("without_trials")
def test_a_retry_by_a_person_counts_crashes_from_the_start(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.restart()
    take(machine, sale(1, {"externalId": "4711"}))
    for _ in range(MAX_CRASHES):
        killed_in_hand(machine, monkeypatch)
    machine.line.journal.held.retry(receipts(machine)["1"], None, machine.clock.time())
    killed_in_hand(machine, monkeypatch)
    assert receipts(machine)["1"].state is State.WAITING
