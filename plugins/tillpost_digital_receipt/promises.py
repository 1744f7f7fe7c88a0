"""The promises of the adapter `digital-receipt`: `tillpost plugin test digital-receipt` tries them."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from tillpost.testing import AdapterSuite


class TestDigitalReceipt(AdapterSuite):
    """On digital receipts written for them, with invented data; a document is one receipt."""

    plugin = "digital-receipt"
    settings = {"loyalty": "externalId"}
    samples = Path(__file__).parent / "samples" / "promises"
    numbers = ("1001",)
    waivers = {"tax_on_top": "a Swedish receipt has the VAT in its prices: the adapter knows no tax on top"}

    def repeat_line(self, count: int) -> bytes:
        """The line of `no_customer` so many times, at 1.00."""
        text = (self.sample("no_customer") or b"").decode()
        line = re.findall(r" *<LineItem><Sale>.*?</LineItem>\n", text, re.DOTALL)[0]
        head, tail = text.split(line)
        for hundredth, written in ((100, "100.00"), (80, "80.00"), (20, "20.00")):
            tail = tail.replace(f">{written}<", f">{Decimal(hundredth * count).scaleb(-2):.2f}<")
        return f"{head}{line.replace('>100.00<', '>1.00<') * count}{tail}".encode()
