"""faults.md, section Clock: a till's clock a day wrong. Sent as printed, flagged, and the same sale when read again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tillpost.flow.delivery.deliver import claim, deliver
from tillpost.flow.intake.accept import accept
from tillpost.model import Document, Receipt
from tillpost.model.receipt_json import dumps


def printed(machine: Machine, *, ahead: timedelta = timedelta(0), trading_day: int = 0) -> Receipt:
    """A receipt of a till whose clock is ahead by so much."""
    created = datetime.fromtimestamp(machine.clock.time(), UTC) + ahead
    day = created.date() + timedelta(days=trading_day)
    return attrs.evolve(sale(1, {"externalId": "4711"}), created=created, business_date=day)


def flags(machine: Machine, receipt: Receipt) -> tuple[str, ...]:
    accept(machine.line, Document.from_bytes("day", dumps(receipt)))
    (entry,) = machine.line.journal.receipts.find({})
    return machine.line.journal.bodies.get(entry.seq).flags


@pytest.mark.parametrize(
    ("ahead", "trading_day", "flagged"),
    [
        (timedelta(0), 0, False),
        (timedelta(minutes=10), 0, False),
        (timedelta(days=1), 0, True),
        (timedelta(days=-1), 0, False),  # a document that comes late looks the same
        (timedelta(days=-30), -2, True),
        (timedelta(days=-30), -1, False),  # open past midnight
    ],
)
def test_a_time_that_cannot_be_right_is_flagged(
    machine: Machine, ahead: timedelta, trading_day: int, flagged: bool
) -> None:
    """Ahead of this machine by more than an hour, or more than a day from its own business date."""
    found = flags(machine, printed(machine, ahead=ahead, trading_day=trading_day))
    assert found == (("clock-off",) if flagged else ())


def test_a_receipt_of_a_till_whose_clock_is_a_day_wrong_is_sent_as_printed_and_flagged_in_its_timeline(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Mapping[str, Any]] = []
    monkeypatch.setattr(machine.engage, "enqueue", sent.append)
    receipt = printed(machine, ahead=timedelta(days=1))
    flags(machine, receipt)
    (entry,) = claim(machine.line, 1)
    deliver(machine.line, entry)
    (accepted, *_) = machine.line.journal.events.of_receipt(entry.seq)
    assert "clock-off" in accepted["detail"]
    assert entry.created == receipt.created.isoformat()
    assert [datetime.fromisoformat(body["createdDate"]) for body in sent] == [receipt.created]


def test_read_again_when_its_time_has_come_it_is_still_the_same_receipt(machine: Machine) -> None:
    receipt = printed(machine, ahead=timedelta(days=1))
    flags(machine, receipt)
    machine.clock.advance(2 * 86400.0)
    again = accept(machine.line, Document.from_bytes("day", dumps(receipt)))
    assert (again.duplicates, again.held) == (1, 0)
