"""The promises of the adapter `square`: `tillpost plugin test square` tries them."""

from __future__ import annotations

import json
from pathlib import Path

from tillpost.testing import AdapterSuite


class TestSquare(AdapterSuite):
    """On samples in the shape of Square's answers, with invented data."""

    plugin = "square"
    settings = {"timezone": "Europe/Stockholm"}
    samples = Path(__file__).parent / "samples" / "promises"
    writes_offset = True
    numbers = ("ORDER1001", "ORDER1002", "ORDER1003")
    waivers = {
        "void_line": "Square takes a voided line out of the order before it is paid",
        "void_link": "a line taken out of the order is in no order",
        "edited": "a line taken out of the order is in no order",
        "change_tender": "the change is a part of its tender",
        "void_after": "a paid order is taken back by a return, which is an order of its own",
        "training": "Square has no training mode: tests go to an account of their own, the sandbox",
        "copy": "a receipt printed again is no order",
        "dst_missing": "Square writes UTC, in which no hour is missing",
    }

    def repeat_line(self, count: int) -> bytes:
        """The line of `no_customer` so many times, at 1.00."""
        answer = json.loads(self.sample("no_customer") or b"")
        one, all_of_it = {"amount": 100, "currency": "SEK"}, {"amount": 100 * count, "currency": "SEK"}
        order = answer["order"]
        order["line_items"] = [order["line_items"][0] | {"total_money": one}] * count
        order["total_money"] = order["tenders"][0]["amount_money"] = all_of_it
        return json.dumps(answer).encode()
