"""A destination in memory that fails half of the time, and the hooks that reach it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta
from random import Random
from typing import Any

from tillpost.flow.hook_calls import HookCalls
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

MOMENT = timedelta(milliseconds=1)


class FlakyDestination:
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


def hook_calls(destination: FlakyDestination) -> HookCalls:
    def one(call: Any) -> list[tuple[str, Any]]:
        return [("memory", lambda **given: call(**given))]

    return HookCalls(
        callers={
            "resolve_contact": one(lambda contact: Identified(contact_id="guid", holds=dict(contact.attributes))),
            "map_receipt": one(lambda receipt, match: Payload(receipt_id=receipt.id, match=match, fields={})),
            "deliver": one(destination.deliver),
            "probe": one(lambda: Delivered()),
            "match_in_file": one(lambda contact: Identifier("externalId", "4711")),
            "write_files": one(destination.write_files),
            "transfer": one(lambda file: NotSent(reason="no file server")),
            "find_transferred": one(lambda file: True),
        },
    )
