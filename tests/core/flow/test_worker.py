"""The worker's threads side by side on one journal: no receipt in two hands."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from tests.core.journal.test_journal import DOCUMENT, found
from tillpost.clock import SystemClock
from tillpost.flow.breaker import Breaker
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, TransferPolicy
from tillpost.flow.line import Line
from tillpost.flow.worker import Worker
from tillpost.journal import Accepted, Journal, State
from tillpost.model import (
    Delivered,
    FallbackBatch,
    FallbackFile,
    Identified,
    Identifier,
    NotSent,
    Payload,
    WrittenFiles,
)

COUNT = 150
MOMENT = timedelta(milliseconds=1)


class FarSide:
    """Refuses every second attempt for a moment, and takes files for ever without reading them."""

    def __init__(self) -> None:
        self.busy: Counter[str] = Counter()
        self.clashes: list[str] = []
        self._lock = threading.Lock()
        self._random = Random(7)

    def deliver(self, payload: Payload) -> object:
        with self._lock:
            self.busy[payload.receipt_id] += 1
            if self.busy[payload.receipt_id] > 1:
                self.clashes.append(payload.receipt_id)
            fails = self._random.random() < 0.5
        time.sleep(0.001)  # the time of a call: what another thread would need to take the same receipt
        with self._lock:
            self.busy[payload.receipt_id] -= 1
        return NotSent(reason="503") if fails else Delivered(status=202)

    def write_files(self, batch: FallbackBatch) -> WrittenFiles:
        with self._lock:
            self.clashes += [payload.receipt_id for payload in batch.receipts if self.busy[payload.receipt_id]]
        name = f"{batch.sequence}_transactions.xml"
        keys = tuple(payload.receipt_id for payload in batch.receipts)
        path = batch.folder / name
        return WrittenFiles(files=(FallbackFile(name=name, kind="receipts", sha256="", size=1, keys=keys, path=path),))


def hooked(far: FarSide) -> HookCalls:
    def one(call: Any) -> list[tuple[str, Any]]:
        return [("far", lambda **given: [call(**given)])]

    return HookCalls(
        callers={
            "resolve_contact": one(lambda contact: Identified(contact_id="guid", holds=dict(contact.attributes))),
            "map_receipt": one(lambda receipt, match: Payload(receipt_id=receipt.id, match=match, fields={})),
            "deliver": one(far.deliver),
            "probe": one(lambda: Delivered()),
            "match_in_file": one(lambda contact: Identifier("externalId", "4711")),
            "write_files": one(far.write_files),
            "transfer": one(lambda file: NotSent(reason="no file server")),
            "find_transferred": one(lambda file: True),
        },
        slots=frozenset({"resolve", "map", "transport", "fallback", "transfer"}),
    )


def test_delivering_and_spooling_never_hold_the_same_receipt(tmp_path: Path) -> None:
    """Found in the demo: a claim given back twice let two threads settle one receipt, and the pipeline stopped."""
    journal = Journal(tmp_path)
    journal.receipts.accept([found(number=str(n)) for n in range(COUNT)], DOCUMENT, None, time.time(), Accepted())
    clock, chance, far = SystemClock(), Random(3), FarSide()
    retry = RetryPolicy(attempts=3, wait_initial=MOMENT, wait_max=MOMENT, confirm_after=MOMENT)
    line = Line(
        name="shop",
        journal=journal,
        hooks=hooked(far),
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
