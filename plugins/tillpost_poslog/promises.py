"""The promises of the adapter `poslog`: `tillpost plugin test poslog` tries them."""

from __future__ import annotations

import re
from pathlib import Path

from tillpost.testing import AdapterSuite


class TestPoslog(AdapterSuite):
    """Every promise, on files written for them."""

    plugin = "poslog"
    settings = {"timezone": "Europe/Stockholm", "loyalty": "externalId"}
    samples = Path(__file__).parent / "samples" / "promises"

    def repeat_line(self, count: int) -> bytes:
        """The line of `no_customer` so many times, at 1.00."""
        text = (self.sample("no_customer") or b"").decode().replace("100.00", "1.00")
        line = re.findall(r" *<LineItem>.*?</LineItem>\n", text, re.DOTALL)[0]
        text = text.replace("<Amount>1.00", f"<Amount>{count}.00").replace(">1.00</Total>", f">{count}.00</Total>")
        return text.replace(line, line * count).encode()
