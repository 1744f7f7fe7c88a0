"""Values that were trouble somewhere: put in the place of a text, a number or a date."""

from __future__ import annotations

import random
import re
from decimal import Decimal, InvalidOperation

NUMBERS = (
    "0", "-0", "1", "-1", "0.005", "-0.01", "1e3", "1E+2", "1e999999", "1e1000000", "1e-1000000",
    "9" * 15, "9" * 400, "0.1" + "0" * 40,
    "NaN", "sNaN", "Infinity", "-Infinity", "1,50", "1.234,50", "1 234,50", "1'234.50",
    "(5.00)", "5.00-", "+5", "5.", ".5", "0x10",
    "1_000", "\u0661\u0662", "\uff11\uff12", "4,67E+10", "$5.00", "5 kr", "--1", "1e", "",
)  # fmt: skip
TEXTS = (
    "", " ", "\t", "\u00a0", "\u202f", "0", "null", "true", "false", "x", "\u00e5\u00e4\u00f6", "\u0000", "\u000b",
    "\ud800",
    "\ufffe", "\ufeff", "\u202e", "a" * 300, "a" * 5000, "\U0001f600", "../../etc",
    "=1+1", "<a>", "]]>", "&amp;", "%s", "{0}",
    "\r\n", "a\nb", "'", '"', ";", ",", "|",
)  # fmt: skip
DATES = (
    "2026-03-29T02:30:00", "2026-10-25T02:30:00", "2026-02-30T10:00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59Z",
    "2026-03-14",
    "14.03.2026", "14/03/2026 10:00", "2026-03-14T10:00:00+00:00", "2026-03-14T10:00:00+25:00", "2026-03-14T24:00:00",
    "45000",
    "2026-W11-6", "20260314", "2026-03-14T10:00:00.123456789", "10:00", "0000-00-00 00:00:00", "14 mars 2026",
)  # fmt: skip
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def changed_text(value: str, chance: random.Random) -> str:
    """Another text, mostly of the kind it was."""
    if _NUMBER.fullmatch(value):
        return changed_number(value, chance) if chance.random() < 0.85 else chance.choice(TEXTS)
    if _DATE.match(value):
        return chance.choice(DATES) if chance.random() < 0.85 else chance.choice(TEXTS)
    kind = chance.random()
    if kind < 0.5:
        return chance.choice(TEXTS)
    if kind < 0.6:
        return chance.choice(NUMBERS)
    if kind < 0.7:
        return chance.choice(DATES)
    at = chance.randrange(len(value) + 1)
    return value[:at] + chance.choice(TEXTS)[:40] + value[at + chance.randrange(3) :]


def changed_number(value: str, chance: random.Random) -> str:
    """A number beside it, with another sign or size, or one that was trouble."""
    try:
        number = Decimal(value.replace(",", "."))
    except InvalidOperation:
        return chance.choice(NUMBERS)
    kind = chance.randrange(7)
    if kind == 0:
        return str(-number)
    if kind == 1:
        return str(number + chance.choice((Decimal("0.01"), Decimal("-0.01"), Decimal(1), Decimal(-1))))
    if kind == 2:
        return str(number * chance.choice((0, 2, 10, 100, Decimal("0.1"))))
    if kind == 3:
        return f"{number:f}".replace(".", ",")
    return chance.choice(NUMBERS)
