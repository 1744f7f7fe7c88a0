"""The promises of the adapter `zettle`: `tillpost plugin test zettle` tries them."""

from __future__ import annotations

import json
from pathlib import Path

from tillpost.model import Receipt
from tillpost.testing import AdapterSuite

_TAKEN_OUT = "a row taken out of the cart is in no purchase"
_FINISHED = "the Purchase API has purchases that were paid, and nothing else"


class TestZettle(AdapterSuite):
    """On purchases in the shape of the Purchase API; its UUID alone makes the id, `purchaseNumber` is printed."""

    plugin = "zettle"
    settings = {"timezone": "Europe/Stockholm"}
    samples = Path(__file__).parent / "samples" / "promises"
    writes_offset = True
    waivers = {
        "two_identifiers": "a purchase does not say who bought",
        "change_tender": "change is told with the payment it was given on",
        "rounding": "the Purchase API knows no rounding of cash",
        "deposit": "a deposit is a product like any other",
        "void_line": _TAKEN_OUT,
        "void_link": _TAKEN_OUT,
        "edited": _TAKEN_OUT,
        "void_after": "a purchase is undone by a refund, which is a purchase of its own",
        "void_receipt": "a purchase is undone by a refund, which is a purchase of its own",
        "training": _FINISHED,
        "copy": "a receipt printed again is no purchase",
        "suspended": _FINISHED,
        "dst_missing": "Zettle writes UTC, in which no hour is missing",
    }

    def id_place(self, receipt: Receipt) -> tuple[str, str]:
        """None: the forms of a purchase name its store and till differently, and its UUID is unique without them."""
        return "", ""

    def id_number(self, receipt: Receipt) -> str:
        """The `purchaseUUID1`: in the samples it ends in the number."""
        return f"5f1c0e2a-7b1d-11f0-8000-00000000{receipt.number}"

    def repeat_line(self, count: int) -> bytes:
        """The row of `no_customer` so many times, at 1.00."""
        form = json.loads(self.sample("no_customer") or b"")
        form["products"] = [form["products"][0] | {"unitPrice": 100}] * count
        form["amount"] = form["payments"][0]["amount"] = 100 * count
        return json.dumps(form).encode()
