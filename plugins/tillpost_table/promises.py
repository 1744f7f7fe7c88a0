"""The promises of the adapter `table`: `tillpost plugin test table` tries them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tillpost.testing import AdapterSuite


class TestTable(AdapterSuite):
    """On an invented till's CSV whose mapping uses every kind of column; what a till lacks it can promise less of."""

    plugin = "table"
    settings = {
        "timezone": "Europe/Stockholm",
        "delimiter": ";",
        "decimal": ",",
        "date": "%Y-%m-%d %H:%M",
        "columns": {
            "number": "Bonnr",
            "store": "Butik",
            "till": "Kassa",
            "date": "Datum",
            "time": "Tid",
            "currency": "Valuta",
            "total": "Summa",
            "kind": "Typ",
            "sku": "Artnr",
            "article_name": "Benämning",
            "quantity": "Antal",
            "paid": "Belopp",
            "discount": "Rabatt",
            "tax_percent": "Moms",
            "original_receipt": "Returbon",
        },
        "values": {"kind": {"S": "purchase", "R": "return"}},
        "tenders": {"Kort": "card", "Kontant": "cash", "Växel": "cash", "Presentkort": "giftcard"},
        "customer": {"externalId": "Kundnr", "email": "E-post"},
        "skip": {"Status": {"T": "training", "M": "voided", "K": "copy", "P": "suspended"}},
        "ignore_rows": {"Typ": ["V"]},
    }
    waivers = {"void_link": "no row of a table points at another; a voided row is told by a value of its own"}
    samples = Path(__file__).parent / "samples" / "promises"

    def settings_for(self, promise: str) -> Mapping[str, Any]:
        """A till writes its prices with tax or without, and knows its customers by one number, in every file alike."""
        changed: dict[str, Any] = {"tax_on_top": {"tax": "on top"}, "phone": {"customer": {"mobilePhone": "Kundnr"}}}
        return {**self.settings, **changed.get(promise, {})}

    def repeat_line(self, count: int) -> bytes:
        """The row of `no_customer` so many times, at 1.00."""
        head, row = (self.sample("no_customer") or b"").decode().splitlines()
        # The price stands before what is the whole receipt's: card and total.
        row = row.replace("100,00", "1,00", 1).replace("100,00", f"{count},00")
        return "\n".join([head, *[row] * count, ""]).encode()
