"""K6, B34: one poisoned among twenty, at every step by API: the nineteen go on, and the destination's state stays."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.lines import line_on
from tests.support.receipts import DOCUMENT, found
from tests.support.waiting import until
from tillpost.flow.breaker import ONLINE
from tillpost.flow.worker import Worker
from tillpost.journal import Accepted, State
from tillpost.model import Delivered, Identified, MaybeSent, Misconfigured, NotSent, Payload

COUNT = 20
POISONED = "7"
SICK = NotSent(reason="answered 500 InvalidSystemConfiguration", status=500)


def _raise(error: BaseException) -> Any:
    raise error


TROUBLES: dict[str, tuple[str, Callable[[], Any]]] = {
    "lookup answers 500": ("resolve_contact", lambda: SICK),
    "lookup answers 403": ("resolve_contact", lambda: Misconfigured(reason="answered 403", status=403)),
    "lookup is reset": ("resolve_contact", lambda: _raise(ConnectionResetError())),
    "lookup exits": ("resolve_contact", lambda: _raise(SystemExit())),
    "update answers 500": ("update_contact", lambda: SICK),
    "update exits": ("update_contact", lambda: _raise(KeyboardInterrupt())),
    "receipt answers 500": ("deliver", lambda: SICK),
    "receipt answers 401": ("deliver", lambda: Misconfigured(reason="answered 401", status=401)),
    "receipt answers 404": ("deliver", lambda: Misconfigured(reason="answered 404", status=404)),
    "receipt has no answer": ("deliver", lambda: MaybeSent(reason="no answer")),
    "receipt exits": ("deliver", lambda: _raise(SystemExit())),
    "mapping exits": ("map_receipt", lambda: _raise(SystemExit())),
    "mapping finds no file": ("map_receipt", lambda: _raise(FileNotFoundError())),
    "history answers 500": ("confirm_receipts", lambda: SICK),
    "history exits": ("confirm_receipts", lambda: _raise(SystemExit())),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_k6_b34_one_of_twenty_in_trouble_and_the_nineteen_are_delivered(tmp_path: Path, trouble: str) -> None:
    hook, poison = TROUBLES[trouble]
    given: list[str] = []

    def poisoned(name: str, who: str) -> bool:
        given.append(name)
        return name == hook and who == POISONED

    def resolve_contact(contact: Any) -> Any:
        who = contact.identifier("externalId").value
        return poison() if poisoned("resolve_contact", who) else Identified(contact_id=f"guid {who}")

    def update_contact(contact: Any, changes: Any) -> Any:
        who = contact.identifier("externalId").value
        return (
            poison() if poisoned("update_contact", who) else Identified(contact_id=f"guid {who}", holds=dict(changes))
        )

    def map_receipt(receipt: Any, match: Any) -> Any:
        if poisoned("map_receipt", receipt.number):
            return poison()
        return Payload(receipt_id=receipt.id, match=match, fields={"number": receipt.number})

    def deliver(payload: Payload) -> Any:
        if poisoned("deliver", payload.fields["number"]):
            return poison()
        if hook == "confirm_receipts" and payload.fields["number"] == POISONED:
            return MaybeSent(reason="the answer is lost")
        return Delivered(status=202)

    def confirm_receipts(contact: Any, receipt_ids: Any, **given: Any) -> Any:
        who = contact.identifier("externalId").value
        return poison() if poisoned("confirm_receipts", who) else frozenset()

    with line_on(
        tmp_path,
        deliver,
        resolve_contact=resolve_contact,
        update_contact=update_contact,
        map_receipt=map_receipt,
        confirm_receipts=confirm_receipts,
    ) as line:
        records = [found(number=str(number), customer=str(number)) for number in range(COUNT)]
        line.journal.receipts.accept(records, DOCUMENT, None, time.time(), Accepted())
        worker = Worker(line)
        worker.start()
        until(lambda: line.journal.receipts.counts()[State.DELIVERED] >= COUNT - 1, 30)
        before = given.count("deliver")
        until(lambda: given.count(hook) > 10 or line.journal.receipts.counts()[State.HELD], 30)
        worker.stop()
        assert worker.join(30)
        (one,) = line.journal.receipts.find({"number": POISONED})
        assert one.state is not State.DELIVERED
        assert one.reason, "it says why it waits"
        changes = [state for _, state, _ in line.journal.destination.history()]
        assert set(changes) <= {ONLINE}
        assert line.heartbeat.restarts() == 0
        assert before >= COUNT - 1
