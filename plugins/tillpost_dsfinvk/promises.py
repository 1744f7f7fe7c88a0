"""The promises of the adapter `dsfinvk`: `tillpost plugin test dsfinvk` tries them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tillpost.model import Receipt
from tillpost.testing import AdapterSuite


class TestDsfinvk(AdapterSuite):
    """On an invented till's export; each sample has the files of a zip one after another in a text."""

    plugin = "dsfinvk"
    settings = {"stores": {"Laden Mitte": "12"}}
    samples = Path(__file__).parent / "samples" / "promises"
    timezone = "Europe/Berlin"
    currency = "EUR"
    waivers = {
        "two_identifiers": "the head of a receipt has one customer number, and no e-mail address",
        "void_link": "a voided position has a mark of its own, or a row that takes it back, and points at no other",
        "copy": "a receipt printed again is no transaction of the export",
    }

    def settings_for(self, promise: str) -> Mapping[str, Any]:
        """A till whose customer numbers are phone numbers says so."""
        return {**self.settings, "customer": "mobilePhone"} if promise == "phone" else self.settings

    def id_number(self, receipt: Receipt) -> str:
        """BON_ID, behind the number of the closing in which it is unique."""
        return f"7-{receipt.number}"

    def repeat_line(self, count: int) -> bytes:
        """The position of `no_customer` so many times, at 1.00."""
        head, *parts = re.split(r"(?<=\n)(?=\[)", (self.sample("no_customer") or b"").decode())
        made = [head]
        for part in parts:
            *names, row = part.splitlines(keepends=True)
            if part.startswith("[lines"):
                cells = row.replace("100,00", "1,00").split(";")
                rows = (";".join([*cells[:4], str(number), *cells[5:]]) for number in range(1, count + 1))
                made += [*names, *rows]
            else:
                made.append(part.replace("100,00", f"{count},00"))
        return "".join(made).encode()
