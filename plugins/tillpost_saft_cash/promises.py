"""The promises of the adapter `saft-cash`: `tillpost plugin test saft-cash` tries them."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from tillpost.testing import AdapterSuite


class TestSaftCash(AdapterSuite):
    """On audit files written for them, with invented data."""

    plugin = "saft-cash"
    settings = {"customer": "externalId"}
    samples = Path(__file__).parent / "samples" / "promises"
    timezone = "Europe/Oslo"
    currency = "NOK"
    waivers = {
        "void_line": "what was corrected before payment is omitted or written again as debit, and nothing in the"
        " format tells that from a return",
        "void_link": "as `void_line`: no line of the format points at another",
        "edited": "what was taken out before payment is not in the file; only what was paid is",
        "phone": "a customer is the number of the till; the telephone number stands beside it, never alone",
        "void_after": "a sale is taken back by a return, which is a receipt of its own; nothing voids an earlier one",
        "copy": "a printed copy is an event (13014), which has no lines: it never is a receipt",
        "suspended": "a sale put aside is an event (13010), which has no lines: it never is a receipt",
    }

    def repeat_line(self, count: int) -> bytes:
        """The line of `no_customer` so many times, at 1.00."""
        text = (self.sample("no_customer") or b"").decode()
        line = re.findall(r" *<ctLine>.*?</ctLine>\n", text, re.DOTALL)[0]
        one = line.replace(">100.00<", ">1.00<").replace(">80.00<", ">0.80<").replace(">20.00<", ">0.20<")
        head, tail = text.split(line)
        for hundredth, written in ((100, "100.00"), (80, "80.00"), (20, "20.00")):
            amount = f">{Decimal(hundredth * count).scaleb(-2):.2f}<"
            head, tail = (part.replace(f">{written}<", amount) for part in (head, tail))
        return f"{head}{one * count}{tail}".encode()
