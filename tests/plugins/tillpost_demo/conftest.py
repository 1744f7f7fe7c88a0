"""A day as the journal and the sandbox would tell it, made from the generator's own receipts."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tillpost_demo.generator import make_day
from tillpost_demo.outcome import Outcome
from tillpost_demo.verdict import judge

BEGAN = 1_764_320_000.0

Rows = list[dict[str, Any]]


def at(second: float) -> str:
    return datetime.fromtimestamp(BEGAN + second, UTC).isoformat()


@pytest.fixture
def accepted() -> Rows:
    """60 receipts: 30 went by API, 20 by file after the outage, 10 by API again."""
    rows: Rows = []
    for number, receipt in enumerate(make_day(7, 60).receipts):
        route = "file" if 30 <= number < 50 else "api"
        delivered = 1 + number * 0.06 if number < 30 else 13.0 if route == "file" else 10 + number * 0.03
        rows.append(
            {
                "id": receipt.id, "number": receipt.number, "store": receipt.store, "till": receipt.till,
                "created": receipt.created.isoformat(), "total": str(receipt.total), "currency": receipt.currency,
                "state": "delivered", "route": route, "accepted_at": at(number * 0.02),
                "delivered_at": at(delivered), "file": "", "reason": "",
            }
        )  # fmt: skip
    return rows


@pytest.fixture
def stored(accepted: Rows) -> Rows:
    """The same receipts as the sandbox lists them."""
    return [
        {"uniqueReceiptId": row["id"], "status": "imported", "currency": row["currency"],
         "totalGrossPrice": row["total"], "route": row["route"], "receivedAt": row["delivered_at"]}
        for row in accepted
    ]  # fmt: skip


@pytest.fixture
def outcome(accepted: Rows, stored: Rows) -> Outcome:
    files = [
        {"name": f"20251128100000_{number}_{kind}.xml", "kind": kind, "rows": 10 * number, "state": "confirmed",
         "written_at": at(6 + number), "uploaded_at": at(9 + number / 2), "consumed_at": at(10 + number / 2),
         "confirmed_at": at(12.5)}
        for number, kind in enumerate(("contacts", "receipts", "receipts"), start=1)
    ]  # fmt: skip
    return Outcome(
        title="a day made for a test",
        what="Tillpost demo",
        began=BEGAN,
        outage_from=BEGAN + 3,
        outage_to=BEGAN + 9,
        ended=BEGAN + 14,
        receipts=tuple(accepted),
        arrivals=tuple((row["receivedAt"], row["route"]) for row in stored),
        files=tuple(files),
        documents=12,
        skipped={"no customer": 4},
        ignored={"no sale": 2},
        history=(),
        known_contacts=10,
        contacts_created=9,
        contacts_by_file=3,
        contacts_reconciled=3,
        sent_again=1,
        verdict=judge(accepted, stored),
    )
