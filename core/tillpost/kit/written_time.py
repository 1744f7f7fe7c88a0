"""Dates as spreadsheets and people write them: serial numbers, and names of months in the languages of Europe."""

from __future__ import annotations

import functools
import re
from datetime import date, datetime, time, timedelta
from importlib import resources

from tillpost.kit.written import plain_text

_SERIAL = re.compile(r"([2-7][0-9]{4})(?:[.,]([0-9]{1,15}))?")
_FRACTION = re.compile(r"0?[.,]([0-9]{1,15})|0")
_DAY_ZERO = date(1899, 12, 30)
_WORD = re.compile(r"[^\W\d_]+\.?")
_MERIDIEM = re.compile(r"\b([ap])\.? ?m\b\.?", re.IGNORECASE)


def spreadsheet_time(written: str) -> datetime | None:
    """A date and time as a spreadsheet counts them (46146.4166666667, days since 1899-12-30); None for another text.

    Date and time may be two parts, each a number or ISO 8601. Taken are the years 1954 to 2119, to the second.
    """
    first, _, rest = plain_text(written).partition(" ")
    part = f"0.{rest or '0'}"
    if found := _SERIAL.fullmatch(first):
        day, part = _DAY_ZERO + timedelta(int(found[1])), f"0.{found[2] or '0'}"
    else:
        try:
            day = date.fromisoformat(first)
        except ValueError:
            return None
    seconds = float(part) * 86400 if not rest else 0
    if rest:
        if fraction := _FRACTION.fullmatch(rest):
            seconds = float(f"0.{fraction[1] or '0'}") * 86400
        else:
            try:
                at = time.fromisoformat(rest)
            except ValueError:
                return None
            seconds = at.hour * 3600 + at.minute * 60 + at.second
    return datetime.combine(day, time()) + timedelta(seconds=round(seconds))


def parse_named_time(written: str, form: str, language: str = "") -> datetime:
    """A time by a format of `strptime`, whose names of months may be of any language of Europe.

    language: the code of one, such as "pl", for a name that is another month elsewhere.
    Raises ValueError, with the months in question where a name means several, and else without a text to show.
    """
    text = _MERIDIEM.sub(r"\1m", plain_text(written))
    if "%b" in form or "%B" in form:
        text = _WORD.sub(lambda found: _number_of(found[0], language), text)
        form = re.sub(r"%[bB]\.?", "%m", form)
    if "%a" in form or "%A" in form:
        text, form = _WORD.sub("", text, count=1), re.sub(r"%[aA]\.?", "", form, count=1)
    return datetime.strptime(" ".join(text.split()), " ".join(form.split()))  # noqa: DTZ007 - a till's local time


class AmbiguousMonth(ValueError):
    """A name of a month that is another month in another language."""


def _number_of(word: str, language: str) -> str:
    names = _months()
    months = {
        month
        for code, month in names.get(word.casefold().rstrip(".").replace("\u03c2", "\u03c3"), ())
        if not language or code.split("-")[0] == language
    }
    if len(months) > 1:
        raise AmbiguousMonth(f"{word} is a name of month {' or '.join(map(str, sorted(months)))}")
    return f"{months.pop():02}" if months else word


@functools.cache
def _months() -> dict[str, tuple[tuple[str, int], ...]]:
    """Name → languages and months, from the names of Unicode's CLDR."""
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    text = resources.files("tillpost.kit").joinpath("month_names.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        code, _, months = line.partition(" ")
        for number, names in enumerate(months.split("|"), 1):
            for name in names.split(","):
                found[name] = (*found.get(name, ()), (code, number))
    return found


@functools.cache
def languages() -> frozenset[str]:
    """The codes of the languages whose names of months are known."""
    return frozenset(code.split("-")[0] for meanings in _months().values() for code, _ in meanings)
