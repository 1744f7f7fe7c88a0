"""Claims and duties: work that another process has, or may have by now, is not done here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import attrs
import pytest

from tests.scenarios.simulator.engage import Engage
from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tillpost.flow.intake.accept import accept
from tillpost.flow.leases import Duty, ProcessClaims
from tillpost.flow.worker import maintain
from tillpost.journal import State
from tillpost.model import Document
from tillpost.model.receipt_json import dumps


class DutiesOf:
    """Duties of a process that has only these."""

    def __init__(self, *held: Duty) -> None:
        self._held = held

    def holds(self, duty: Duty) -> bool:
        return duty in self._held


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose destination has been away long enough to write files, with one receipt to write."""
    made = Machine(tmp_path / "state", Random(1), Engage())
    accept(made.line, Document.from_bytes("day", dumps(sale(1, {"externalId": "4711"})) + b"\n"))
    made.faults.api = "refused"
    for _ in range(3):
        made.clock.advance(400.0)
        maintain(attrs.evolve(made.line, duties=DutiesOf()))
        made.outbox.run_round()
        while (job := made.job()) is not None:
            made.outbox.perform(job)
        made.outbox.run_round()
    made.clock.advance(2000.0)
    yield made
    made.stop()


def test_a_claimed_receipt_is_nobody_elses_until_it_is_released() -> None:
    claims = ProcessClaims()
    assert claims.claim([3, 1, 2], 2) == {3, 1}
    assert claims.claim([1, 2, 3], 5) == {2}
    claims.release([1])
    assert claims.claim([1, 2, 3], 5) == {1}
    assert len(claims) == 3


def test_files_are_written_by_the_process_that_has_the_duty(machine: Machine) -> None:
    receipts = machine.line.journal.receipts
    maintain(attrs.evolve(machine.line, duties=DutiesOf(*set(Duty) - {Duty.FALLBACK_FILES})))
    assert receipts.counts()[State.WRITTEN] == 0
    maintain(attrs.evolve(machine.line, duties=DutiesOf(Duty.FALLBACK_FILES)))
    assert receipts.counts()[State.WRITTEN] == 1
