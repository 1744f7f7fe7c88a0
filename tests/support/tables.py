"""Tables as tills write them, with the columns of the field's cases, and the adapter `table` on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import tillpost_table
from tests.support.adapter import parse
from tillpost.model import Broken, Parsed

READINGS = Path(__file__).parents[1] / "plugins" / "tillpost_table" / "readings"
GIVEN: dict[str, Any] = {
    "timezone": ZoneInfo("Europe/Stockholm"),
    "delimiter": ";",
    "columns": {
        "number": "Bon",
        "store": "Butik",
        "created": "Tid",
        "sku": "Art",
        "article_name": "Namn",
        "quantity": "Antal",
        "paid": "Belopp",
        "total": "Summa",
    },
    "constants": {"currency": "SEK"},
    "tenders": {"Kort": "card"},
}
HEAD = "Bon;Butik;Tid;Art;Namn;Antal;Belopp;Summa;Kort\n"


def read(source: str, **settings: Any) -> list[Parsed]:
    """A file of `readings`, or a text."""
    return read_bytes(source.encode() if "\n" in source else (READINGS / source).read_bytes(), **settings)


def read_bytes(content: bytes, **settings: Any) -> list[Parsed]:
    """Any content, by GIVEN and other settings."""
    return parse(tillpost_table.plugin, content, **(GIVEN | settings))


def reasons(found: list[Parsed]) -> list[str]:
    """Of records that are all broken."""
    assert all(isinstance(record, Broken) for record in found), found
    return [record.reason for record in found if isinstance(record, Broken)]


def row(amount: str, *, total: str | None = None, quantity: str = "1", number: str = "1", **cells: str) -> str:
    """A row of the columns of HEAD; its total and tender are the amount unless `total` is given."""
    named = {"store": "7", "at": "2026-05-04 10:00:00", "sku": "A1"} | cells
    rest = f"{quantity};{amount};{amount if total is None else total};{amount if total is None else total}"
    return f"{number};{named['store']};{named['at']};{named['sku']};Stol;{rest}\n"
