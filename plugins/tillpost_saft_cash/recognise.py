"""What an audit file is taken for: its country, and the version it says."""

from __future__ import annotations

import re

from tillpost.model import Document
from tillpost_saft_cash.settings import Settings

COUNTRIES = {"NO": "Norway", "DK": "Denmark"}
_START = 64 * 1024
_COUNTRY = re.compile(rb"StandardAuditFile-Taxation-CashRegister:([A-Z]{2})")
_VERSION = re.compile(rb"auditfileVersion>\s*([0-9.]{1,10})\s*<")


def recognise(document: Document, settings: Settings) -> str:
    """Country and version, by the beginning of the document; "" when it names neither."""
    with document.open() as file:
        start = file.read(_START)
    country, version = _COUNTRY.search(start), _VERSION.search(start)
    name = COUNTRIES.get(settings.country or (country[1].decode() if country else ""), "")
    if not name and not version:
        return ""
    return ", ".join(filter(None, (f"SAF-T Cash Register {version[1].decode() if version else ''}".strip(), name)))
