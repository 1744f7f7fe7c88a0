"""Swedish national ids (personnummer, samordningsnummer) with their century.

Source: Skatteverket, SKV 704 and SKV 707: YYMMDD-NNNC with the check digit of Luhn's formula over the ten digits, the
day raised by 60 in a coordination number, "+" for "-" from the year in which the person turns 100.
"""

from __future__ import annotations

import re
from datetime import date

UNCLEAR = "national-id-unclear"
"""The flag of a receipt with a national id that is not valid or whose century is unclear; it identifies nobody."""

_WRITTEN = re.compile(r"(?P<century>[12][0-9])?(?P<short>[0-9]{6})(?P<sign>[-+]?)(?P<rest>[0-9]{4})")
_OLDEST = 115  # nobody in Sweden has lived longer


def national_id(written: str, day: date) -> str:
    """The id with twelve digits, "" when it is not valid or its century is unclear.

    day: of the receipt, on which the person was alive.
    """
    found = _WRITTEN.fullmatch("".join(written.split()))
    if found is None or not _checks(found["short"] + found["rest"]):
        return ""
    short, rest = found["short"], found["rest"]
    births = {century: born for century in ("18", "19", "20") if (born := _born(century + short)) and born <= day}
    if found["century"]:
        return f"{found['century']}{short}{rest}" if found["century"] in births else ""
    ages = {century: day.year - born.year for century, born in births.items()}
    if found["sign"]:
        fitting = [century for century, age in ages.items() if (age >= 100) == (found["sign"] == "+")]
    else:
        fitting = [century for century, age in ages.items()]
    living = [century for century in fitting if ages[century] <= _OLDEST]
    return f"{living[0]}{short}{rest}" if len(living) == 1 else ""


def _born(written: str) -> date | None:
    number = int(written[6:])
    try:
        return date(int(written[:4]), int(written[4:6]), number - 60 if number > 60 else number)
    except ValueError:
        return None


def _checks(digits: str) -> bool:
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(digits))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0
