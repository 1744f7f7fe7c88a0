"""The worker's threads side by side on one journal: no two have the same receipt."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from tests.support.destination import MOMENT, FlakyDestination, hook_calls
from tests.support.lines import make_line
from tests.support.receipts import DOCUMENT, found
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, TransferPolicy
from tillpost.flow.worker import Worker
from tillpost.journal import Accepted, Journal, State

COUNT = 150


def test_a_sender_and_the_file_writer_never_have_the_same_receipt(tmp_path: Path) -> None:
    """Found in the demo: a claim released twice let two threads settle one receipt, and the pipeline stopped."""
    journal = Journal(tmp_path)
    journal.receipts.accept([found(number=str(n)) for n in range(COUNT)], DOCUMENT, None, time.time(), Accepted())
    destination = FlakyDestination()
    retry = RetryPolicy(attempts=3, wait_initial=MOMENT, wait_max=MOMENT, confirm_after=MOMENT)
    fallback = FallbackPolicy(after=timedelta(hours=1), every=MOMENT)
    line = make_line(
        journal, hook_calls(destination), retry=retry, fallback=fallback, transfer=TransferPolicy(), workers=8
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
    assert destination.clashes == []
    assert counts[State.DELIVERED] + counts[State.WRITTEN] == COUNT
