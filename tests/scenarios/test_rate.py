"""The rate of one API key with real processes: two `tillpost run` share it, and the sandbox counts what arrives.

TILLPOST_RATE_SECONDS: how long they send; 60 is the form the promise is made for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.shop import Shop
from tests.support.two_runs import TwoRuns

pytestmark = pytest.mark.slow

RATE = 50
SECONDS = float(os.environ.get("TILLPOST_RATE_SECONDS", "6"))


@pytest.fixture
def two(tmp_path: Path) -> Iterator[TwoRuns]:
    with Shop(tmp_path, rate=RATE, own="workers = 16") as shop:
        runs = TwoRuns(shop)
        try:
            yield runs
        finally:
            runs.end()


def test_two_processes_of_one_key_never_exceed_its_rate_and_both_move(
    two: TwoRuns, measured: Callable[[str], None]
) -> None:
    two.put(int(RATE * SECONDS))
    two.start("shop", "web")
    two.until(lambda: two.requests() > RATE)
    rate, seconds = two.send(SECONDS)
    delivered = two.delivered()
    two.stop()
    peak = two.shop.sandbox("stats")["peak_rate"]
    measured(f"rate {RATE}/s, two processes, {seconds:.1f} s: {rate / RATE:.1%} used, at most {peak} in a second")
    assert peak <= RATE
    assert rate > RATE / 2
    assert min(delivered) >= sum(delivered) / 10, delivered
    (file,) = (two.shop.folder / "state").glob("*.rate")
    assert b"scenario-key" not in file.read_bytes()
    assert "within this process alone" not in (two.shop.folder / "shop.log").read_text()


def test_a_killed_process_leaves_its_rate_to_the_other_and_may_come_back(two: TwoRuns) -> None:
    count = 100
    two.put(count)
    two.start("shop", "web")
    two.until(lambda: two.requests() > RATE)
    two.kill("shop")
    before = two.requests()
    two.until(lambda: two.requests() > before + RATE // 2)
    two.start("shop")
    two.until(lambda: two.delivered() == [count, count])
    two.stop()
    assert two.shop.sandbox("stats")["peak_rate"] <= RATE


def test_a_429_to_one_process_holds_the_other_back(two: TwoRuns) -> None:
    """The wait is an hour: nobody of the key asks again meanwhile."""
    two.put(20)
    two.start("shop", "web")
    two.until(lambda: two.delivered() == [20, 20])
    two.shop.fault(http="429", retry_after="3600")
    two.put(20, first=1000)
    two.until(lambda: two.answers()["429"])
    two.until(lambda: not two.send(1.0)[0])  # what was in flight is answered
    two.shop.fault(http="ok")
    assert two.send(2.0)[0] == 0.0
    assert two.delivered() == [20, 20]
