"""The promises of the adapter `lightspeed`: `tillpost plugin test lightspeed` tries them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tillpost.model import Receipt
from tillpost.testing import AdapterSuite


class TestLightspeed(AdapterSuite):
    """On sales in the shape of the R-Series; `saleID` makes the id, `ticketNumber` is printed."""

    plugin = "lightspeed"
    settings = {"timezone": "Europe/Stockholm", "currency": "SEK"}
    samples = Path(__file__).parent / "samples" / "promises"
    writes_offset = True
    numbers = ("220000001001", "220000001002", "220000001003")
    customer = "8801"
    waivers = {
        "foreign_currency": "an account of Lightspeed has one currency, which no sale names: the setting `currency`",
        "void_line": "a line taken out of a sale is not in it any more",
        "void_link": "a line taken out of a sale is not in it any more",
        "edited": "a line taken out of a sale is not in it any more",
        "training": "Lightspeed has no training mode: trials go to an account of their own",
        "copy": "a receipt printed again is no sale",
        "dst_missing": "Lightspeed writes UTC, in which no hour is missing",
    }

    def settings_for(self, promise: str) -> Mapping[str, Any]:
        """A customer always has an id: to be known by the phone number alone it is not used."""
        return {**self.settings, "customer": ""} if promise == "phone" else self.settings

    def id_number(self, receipt: Receipt) -> str:
        """The `saleID`: in the samples the end of the ticket's number."""
        return receipt.number[-4:]

    def repeat_line(self, count: int) -> bytes:
        """The line of `no_customer` so many times, at 1.00."""
        form = json.loads(self.sample("no_customer") or b"")
        sale = form["Sale"]
        line = sale["SaleLines"]["SaleLine"] | {"unitPrice": "1", "calcSubtotal": "1", "calcTotal": "1"}
        sale["SaleLines"]["SaleLine"] = [line] * count
        sale["SalePayments"]["SalePayment"]["amount"] = sale["calcTotal"] = sale["total"] = str(count)
        return json.dumps(form, ensure_ascii=False).encode()
