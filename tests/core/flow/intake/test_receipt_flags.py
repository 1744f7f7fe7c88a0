"""What acceptance adds to a receipt's flags stands in the journal and in the receipt's first event."""

from __future__ import annotations

from decimal import Decimal

import attrs

from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tillpost.flow.intake.accept import accept
from tillpost.model import Document
from tillpost.model.receipt_json import dumps


def test_t4_a_tax_that_is_not_its_percentage_is_flagged_and_the_receipt_is_accepted(machine: Machine) -> None:
    receipt = sale(1, {"externalId": "4711"})
    (line, *others) = receipt.lines
    wrong = attrs.evolve(line, tax_amount=line.paid / 2, tax_percent=Decimal(25))
    accept(machine.line, Document.from_bytes("day", dumps(attrs.evolve(receipt, lines=(wrong, *others)))))
    (entry,) = machine.line.journal.receipts.find({})
    assert machine.line.journal.bodies.get(entry.seq).flags[:1] == ("tax-percent-off",)
    (accepted, *_) = machine.line.journal.events.of_receipt(entry.seq)
    assert "tax-percent-off" in accepted["detail"]
