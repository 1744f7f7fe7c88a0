"""faults.md, section Clock: the wall clock is set back an hour or forward a day, between attempts and during one.

The clock is injected; journal, flow and plugins are the real ones (the simulator's machine).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.simulator.faults import Killed
from tests.scenarios.simulator.machine import Machine
from tests.support.simulated import take_sales
from tillpost.flow.breaker import ANSWERS_NEEDED
from tillpost.flow.delivery.deliver import claim, deliver
from tillpost.flow.delivery.verify import verify
from tillpost.flow.upkeep.clock_change import apply_clock_change
from tillpost.flow.worker import maintain
from tillpost.journal import Entry, FileState, Journal, State

HOUR, DAY = 3600.0, 86400.0
JUMPS = pytest.mark.parametrize("jump", [-HOUR, DAY])


def row(machine: Machine) -> Entry:
    (entry,) = machine.line.journal.receipts.find({}, 1)
    return entry


def attempt(machine: Machine) -> None:
    for entry in claim(machine.line, 1):
        deliver(machine.line, entry)
        machine.line.claims.release([entry.seq])


def wait_left(machine: Machine) -> float:
    return row(machine).due - machine.clock.time()


def fail_once(machine: Machine) -> float:
    """One attempt gets no answer; how long the receipt waits after it."""
    machine.faults.requests.append("refused")
    attempt(machine)
    assert row(machine).state is State.WAITING
    return wait_left(machine)


@JUMPS
def test_between_attempts_a_receipt_waits_as_long_as_it_would_have(machine: Machine, jump: float) -> None:
    """Clock back an hour: due in ten seconds stays due in ten seconds. Forward a day: it is not sent at once either."""
    take_sales(machine, 1)
    left = fail_once(machine)
    machine.clock.jump(jump)
    maintain(machine.line)
    assert wait_left(machine) == pytest.approx(left)
    attempt(machine)
    assert row(machine).attempts == 1
    machine.clock.advance(left + 0.001)
    attempt(machine)
    assert row(machine).state is State.DELIVERED


@JUMPS
def test_what_was_accepted_before_the_jump_is_due_at_once(machine: Machine, jump: float) -> None:
    take_sales(machine, 1)
    machine.clock.jump(jump)
    maintain(machine.line)
    attempt(machine)
    assert row(machine).state is State.DELIVERED


@JUMPS
def test_a_jump_during_an_attempt_counts_once(machine: Machine, jump: float) -> None:
    """The wait after the attempt is by the new clock already, and is not moved a second time."""
    take_sales(machine, 1)
    machine.clock.advance(1.0)
    before = machine.clock.time()
    machine.client.meanwhile = lambda: machine.clock.jump(jump)
    machine.faults.requests += ["ok", "ok", "refused"]  # the contact is looked up and made; the receipt meets nobody
    attempt(machine)
    left = wait_left(machine)
    assert (machine.clock.time() - before, row(machine).state) == (jump, State.WAITING)
    assert 0 < left <= 10.0
    maintain(machine.line)
    # A due time of the new clock looks like one of the old after a jump back: earlier is harmless, later is not.
    assert wait_left(machine) <= left + 0.001
    if jump > 0:
        assert wait_left(machine) == pytest.approx(left)


@JUMPS
def test_an_uncertain_receipt_is_asked_for_after_confirm_after_and_not_before(machine: Machine, jump: float) -> None:
    """Too early, its absence would prove nothing."""
    take_sales(machine, 1)
    machine.faults.requests += ["ok", "ok", "lost"]
    attempt(machine)
    assert row(machine).state is State.UNCERTAIN
    machine.clock.jump(jump)
    maintain(machine.line)
    assert wait_left(machine) == pytest.approx(machine.line.retry.confirm_after.total_seconds())


@JUMPS
def test_probes_and_files_of_an_outage_keep_their_pace(machine: Machine, jump: float) -> None:
    """Set back an hour, the destination would be asked, and files written, an hour later than its settings say."""
    machine.faults.api = "refused"
    for _ in range(3):
        machine.line.breaker.record(machine.line.hooks.probe())
    destination, now = machine.line.breaker.destination, machine.clock.time()
    assert destination.unreachable_since is not None
    machine.clock.jump(jump)
    apply_clock_change(machine.line)
    moved, later = machine.line.breaker.destination, machine.clock.time()
    assert moved == machine.line.journal.destination.get()
    assert moved.probe_due - later == pytest.approx(destination.probe_due - now)
    assert later - (moved.unreachable_since or 0.0) == pytest.approx(now - destination.unreachable_since)
    machine.clock.advance(901.0)
    maintain(machine.line)
    assert machine.line.breaker.destination.state == "fallback", "after 15 minutes, by whatever clock"


@JUMPS
def test_names_of_files_stay_unique_and_contacts_stay_before_receipts(machine: Machine, jump: float) -> None:
    """The stamp in the name may repeat or go backwards; the sequence and a random part do not."""
    machine.faults.api = "refused"
    for _ in range(3):
        machine.line.breaker.record(machine.line.hooks.probe())
    names: list[str] = []
    for number in range(4):
        take_sales(machine, number)
        machine.clock.advance(901.0)
        maintain(machine.line)
        machine.clock.jump(jump if number % 2 == 0 else -jump)
        names = [entry.file.name for entry in machine.line.journal.files.all()]
    assert len(set(names)) == len(names) == 5
    kinds = [entry.file.kind for entry in machine.line.journal.files.all()]
    assert kinds == ["contacts", "receipts", "receipts", "receipts", "receipts"]


def test_a_day_forward_holds_no_receipt_of_a_file_as_overdue(machine: Machine) -> None:
    """confirm_within is time that passes, and setting a clock lets none pass."""
    take_sales(machine, 1)
    attempt(machine)
    machine.faults.api = "refused"
    for _ in range(3):
        machine.line.breaker.record(machine.line.hooks.probe())
    take_sales(machine, 2)
    machine.clock.advance(901.0)
    maintain(machine.line)
    machine.faults.end()
    for _ in range(ANSWERS_NEEDED + 2):
        machine.clock.advance(301.0)
        maintain(machine.line)
        machine.imports.files.clear()  # read, and its receipt not taken over
    (file,) = machine.line.journal.files.all()
    (receipt,) = machine.line.journal.receipts.find({"number": "2"})
    assert (file.state, receipt.state) == (FileState.CONSUMED, State.TRANSFERRED)
    machine.clock.jump(DAY)
    machine.clock.advance(301.0)
    maintain(machine.line)
    (receipt,) = machine.line.journal.receipts.find({"number": "2"})
    assert receipt.state is State.TRANSFERRED
    machine.clock.advance(6 * HOUR)
    maintain(machine.line)
    (receipt,) = machine.line.journal.receipts.find({"number": "2"})
    assert receipt.state is State.HELD, "six hours that did pass"


@JUMPS
def test_a_receipt_accepted_by_api_waits_for_its_import_as_long_as_it_would_have(machine: Machine, jump: float) -> None:
    """Set forward by a day, it was held as missing a minute after Engage had taken it: Engage imports by its clock."""
    take_sales(machine, 1)
    attempt(machine)
    assert row(machine).state is State.DELIVERED
    machine.clock.jump(jump)
    verify(machine.line)
    maintain(machine.line)
    verify(machine.line)
    assert (row(machine).state, row(machine).looks) == (State.DELIVERED, 0), "nothing is due: no time has passed"
    machine.clock.advance(1201.0)
    verify(machine.line)
    assert (row(machine).state, row(machine).looks) == (State.DELIVERED, 1), "the import is late, and is waited for"
    machine.engage.import_queue()
    machine.clock.advance(2500.0)
    verify(machine.line)
    assert row(machine).verified_at is not None


def test_set_back_while_nothing_ran_the_next_start_finds_out(machine: Machine) -> None:
    take_sales(machine, 1)
    left = fail_once(machine)
    machine.clock.jump(-HOUR)
    machine.restart()
    assert wait_left(machine) <= left
    machine.restart()
    assert wait_left(machine) == pytest.approx(left), "found out once, not at every start"


def test_a_kill_before_the_move_is_made_up_for_by_the_next_start(machine: Machine) -> None:
    take_sales(machine, 1)
    left = fail_once(machine)
    machine.clock.jump(-HOUR)
    machine.faults.arm((), (), kill_at=1, full_at=0)
    with pytest.raises(Killed):
        maintain(machine.line)
    machine.faults.disarm()
    machine.restart()
    assert wait_left(machine) <= left


def test_a_clock_that_is_kept_in_step_moves_nothing(machine: Machine) -> None:
    take_sales(machine, 1)
    left = fail_once(machine)
    machine.clock.jump(0.5)
    maintain(machine.line)
    assert wait_left(machine) == pytest.approx(left - 0.5)


def test_a_destination_that_was_never_away_is_not_away_since_the_clock_change(tmp_path: Path) -> None:
    """0 stands for no time: moved with the others it was a day of 1969 on the status page."""
    journal = Journal(tmp_path)
    journal.shift_pending(-90_000.0, 1_800_000_000.0)
    assert journal.destination.get().since == 0.0
    journal.close()
