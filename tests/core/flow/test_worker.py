"""The worker's threads side by side on one journal: no receipt in two hands."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from random import Random

from tests.support.destination import MOMENT, FlakyDestination, hook_calls
from tests.support.receipts import DOCUMENT, found
from tillpost.clock import SystemClock
from tillpost.flow.breaker import Breaker
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, TransferPolicy
from tillpost.flow.line import Line
from tillpost.flow.worker import Worker
from tillpost.journal import Accepted, Journal, State

COUNT = 150


def test_delivering_and_spooling_never_hold_the_same_receipt(tmp_path: Path) -> None:
    """Found in the demo: a claim given back twice let two threads settle one receipt, and the pipeline stopped."""
    journal = Journal(tmp_path)
    journal.receipts.accept([found(number=str(n)) for n in range(COUNT)], DOCUMENT, None, time.time(), Accepted())
    clock, chance, far = SystemClock(), Random(3), FlakyDestination()
    retry = RetryPolicy(attempts=3, wait_initial=MOMENT, wait_max=MOMENT, confirm_after=MOMENT)
    line = Line(
        name="shop",
        journal=journal,
        hooks=hook_calls(far),
        clock=clock,
        random=chance,
        breaker=Breaker(journal, retry, clock, chance),
        source=None,
        retry=retry,
        fallback=FallbackPolicy(after=timedelta(hours=1), every=MOMENT),
        transfer=TransferPolicy(),
        anonymous=None,
        workers=8,
    )
    worker = Worker(line)
    worker.start()
    end = time.monotonic() + 60
    while worker.fault is None and time.monotonic() < end:
        counts = journal.receipts.counts()
        if counts[State.DELIVERED] + counts[State.WRITTEN] == COUNT:
            break
        time.sleep(0.05)
    worker.stop()
    assert worker.join(20)
    counts = journal.receipts.counts()
    journal.close()
    assert worker.fault is None
    assert far.clashes == []
    assert counts[State.DELIVERED] + counts[State.WRITTEN] == COUNT
