"""The promises of the adapter `corner`: `tillpost plugin test corner` tries them."""

from __future__ import annotations

import json

from tillpost.testing import AdapterSuite


class TestCorner(AdapterSuite):
    """On samples in the shape of Corner's answers, with invented data."""

    plugin = "corner"
    settings = {"timezone": "Europe/Stockholm"}
    writes_offset = True
    numbers = ("ORDER1001", "ORDER1002", "ORDER1003")
    waivers = {
        "void_line": "Corner takes a voided line out of the order before it is paid",
        "void_link": "a line taken out of the order is in no order",
        "edited": "a line taken out of the order is in no order",
        "void_after": "a paid order is taken back by a return, which is an order of its own",
        "change_tender": "the change is a part of its tender",
        "deposit": "Corner has no deposits",
        "phone": "Corner knows its customers by their number and e-mail",
        "training": "Corner has no training mode: tests go to an account of their own, the sandbox",
        "copy": "a receipt printed again is no order",
        "dst_missing": "Corner writes UTC, in which no hour is missing",
    }

    def repeat_line(self, count: int) -> bytes:
        """The line of `no_customer` so many times, at 1.00."""
        answer = json.loads(self.sample("no_customer") or b"")
        one, all_of_it = {"amount": 100, "currency": "SEK"}, {"amount": 100 * count, "currency": "SEK"}
        order = answer["order"]
        order["line_items"] = [order["line_items"][0] | {"total_money": one}] * count
        order["total_money"] = order["tenders"][0]["amount_money"] = all_of_it
        return json.dumps(answer).encode()
