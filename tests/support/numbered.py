"""Receipts with the numbers a till gives them, for the search for gaps."""

from __future__ import annotations

from datetime import date, datetime

import attrs

from tests.support.receipts import DOCUMENT, receipt
from tillpost.journal import Accepted, Journal
from tillpost.model import Found, Parsed, receipt_id

NOW = datetime.fromisoformat("2026-11-24T12:00:00+00:00").timestamp()


def sale(number: str, till: str = "1", day: str = "2026-11-24") -> Found:
    on = date.fromisoformat(day)
    identity = receipt_id(store="12", till=till, business_date=on, number=number)
    return Found(receipt=attrs.evolve(receipt(number), id=identity, till=till, business_date=on), raw=b"{}")


def take(journal: Journal, *records: Parsed, now: float = NOW) -> None:
    journal.receipts.accept(records, DOCUMENT, None, now, Accepted())
