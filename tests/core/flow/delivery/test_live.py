"""Live receipts before the backlog, within a pipeline and between pipelines with one key."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from tests.scenarios.simulator.machine import Machine
from tests.support.destination import MOMENT, FlakyDestination, hook_calls
from tests.support.lines import make_line
from tests.support.receipts import DOCUMENT, found
from tests.support.simulated import take_sales
from tests.support.waiting import until
from tillpost.flow.delivery.deliver import claim
from tillpost.flow.limits import RetryPolicy
from tillpost.flow.line import Line
from tillpost.flow.rate_limit.budget import SlidingBudget
from tillpost.flow.retry_policy import BACKLOG_TURN, LIVE_SECONDS, is_live
from tillpost.flow.worker import Worker
from tillpost.journal import Accepted, Journal, Move, State
from tillpost.model import Delivered, Payload


def claimed(machine: Machine, most: int) -> list[int]:
    return [int(entry.number) for entry in claim(machine.line, most)]


def test_what_was_just_accepted_is_claimed_before_an_hour_old_backlog(machine: Machine) -> None:
    take_sales(machine, *range(20))
    machine.clock.advance(3600.0)
    take_sales(machine, 100, 101)
    assert claimed(machine, 4) == [100, 101], "and what is older is not claimed along with it"
    assert claimed(machine, 4) == [0, 1, 2, 3], "no live one is left"


def test_one_claim_in_four_is_the_backlogs_however_much_is_live(machine: Machine) -> None:
    take_sales(machine, *range(20))
    machine.clock.advance(3600.0)
    take_sales(machine, *range(100, 150))
    numbers = [number for _ in range(4 * BACKLOG_TURN) for number in claimed(machine, 1)]
    assert [number for number in numbers if number < 100] == [0, 1, 2, 3]
    assert [number for number in numbers if number >= 100] == list(range(100, 100 + 4 * (BACKLOG_TURN - 1)))


def test_a_receipt_is_live_for_a_minute_and_until_it_has_used_an_attempt(machine: Machine) -> None:
    take_sales(machine, 1, 2)
    machine.clock.advance(LIVE_SECONDS - 1.0)
    now = machine.clock.time()
    journal = machine.line.journal
    journal.receipts.settle([(1, Move(state=State.WAITING, due=now, attempts=1))], now, "deliver")
    once, never = journal.receipts.find({})
    assert (is_live(once, now), is_live(never, now), is_live(never, now + 2.0)) == (False, True, False)
    assert [entry.number for entry in journal.receipts.just_accepted(now - LIVE_SECONDS, now, 9)] == ["2"]
    assert journal.receipts.just_accepted(now + 2.0 - LIVE_SECONDS, now + 2.0, 9) == []


def line_of(folder: Path, deliver: object) -> Line:
    destination = FlakyDestination()
    destination.deliver = deliver  # type: ignore[method-assign, assignment]
    retry = RetryPolicy(attempts=3, wait_initial=MOMENT, wait_max=MOMENT, confirm_after=MOMENT)
    return make_line(Journal(folder), hook_calls(destination), name=folder.name, retry=retry, workers=8)


def test_a_pipelines_backlog_does_not_keep_back_what_another_of_its_key_has_just_sold(tmp_path: Path) -> None:
    """Two workers, one key, 20 requests a second: 500 of a backlog here, one live receipt after the other there."""
    budget = SlidingBudget(20)
    went: list[tuple[str, str]] = []

    def sender(pipeline: str) -> object:
        def deliver(payload: Payload) -> Delivered:
            with budget.request():
                went.append((pipeline, payload.receipt_id))
            return Delivered()

        return deliver

    behind, shop = (line_of(tmp_path / name, sender(name)) for name in ("behind", "shop"))
    old = [found(number=str(number)) for number in range(500)]
    behind.journal.receipts.accept(old, DOCUMENT, None, time.time() - 3600.0, Accepted())
    workers = [Worker(behind), Worker(shop)]
    for worker in workers:
        worker.start()
    waited: list[int] = []
    for number in range(6):
        before, one = len(went), found(number=str(number))
        shop.journal.receipts.accept([one], DOCUMENT, None, time.time(), Accepted())
        until(partial(went.__contains__, ("shop", one.receipt.id)))
        waited.append(went.index(("shop", one.receipt.id)) - before)
        until(partial(_as_long, went, before + 10))
    for worker in workers:
        worker.stop()
    assert all(worker.join(20) for worker in workers)
    for line in (behind, shop):
        line.journal.close()
    # A look for work each 0.2 s is 4 of the backlog, and those a thread has in hand go before; 500 would be all.
    assert max(waited) <= 20, waited
    assert sum(pipeline == "behind" for pipeline, _ in went) >= len(went) / BACKLOG_TURN


def _as_long(went: list[tuple[str, str]], length: int) -> bool:
    return len(went) >= length
