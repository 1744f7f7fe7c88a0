"""The promises of the adapter `shopify`: `tillpost plugin test shopify` tries them."""

from __future__ import annotations

import json
from pathlib import Path

from tillpost.model import Receipt
from tillpost.testing import AdapterSuite


class TestShopify(AdapterSuite):
    """On orders and a refund in the shape of the Admin REST API; Shopify's own id makes ours, `name` is printed."""

    plugin = "shopify"
    settings = {"customer_id": "externalId"}
    samples = Path(__file__).parent / "samples" / "promises"
    writes_offset = True
    numbers = ("#1001", "#1002", "#1003")
    customer = "207001001"
    waivers = {
        "exchange": "an exchange is told by the order in which the returned article was bought, with its sale",
        "deposit": "a deposit is an article like any other",
        "void_line": "a line taken out of the cart is in no order",
        "void_link": "a line taken out of the cart is in no order",
        "copy": "a receipt printed again is no order",
        "dst_missing": "Shopify writes the offset of every time, and a time with an offset exists",
    }

    def id_number(self, receipt: Receipt) -> str:
        """The id of the order: in the samples the number with a prefix."""
        return f"510000{receipt.number.removeprefix('#')}"

    def repeat_line(self, count: int) -> bytes:
        """The line of `no_customer` so many times, at 1.00."""
        form = json.loads(self.sample("no_customer") or b"")
        order, total = form["order"], f"{count}.00"
        order["line_items"] = [order["line_items"][0] | {"price": "1.00"}] * count
        order["total_price"] = order["transactions"][0]["amount"] = total
        return json.dumps(form).encode()
