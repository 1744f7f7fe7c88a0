"""Opening hours as one line of text: `Mon-Sat 09:00-21:00, Sun 10:00-18:00`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import attrs

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SPAN = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:-(Mon|Tue|Wed|Thu|Fri|Sat|Sun))? +(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII
)


@attrs.frozen
class OpenHours:
    """Weekdays (0 is Monday) with their hours. Closing at or before opening means the next day."""

    days: frozenset[int]
    opens: time
    closes: time


def parse_opening_hours(text: str) -> tuple[OpenHours, ...]:
    """Parse opening hours. Raises ValueError."""
    parsed = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        if match is None:
            form = '"Mon-Sat 09:00-21:00, Sun 10:00-18:00"'
            raise ValueError(f'must be opening hours such as {form} ("{part.strip()}" is not)')
        first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
        days = frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
        try:
            closes = time() if (match[5], match[6]) == ("24", "00") else time(int(match[5]), int(match[6]))
            hours = time(int(match[3]), int(match[4])), closes
        except ValueError:
            raise ValueError(f'must have hours from 00:00 to 24:00 ("{part.strip()}" has not)') from None
        parsed.append(OpenHours(days, *hours))
    return tuple(parsed)


def open_since(hours: tuple[OpenHours, ...], zone: ZoneInfo, now: float) -> float | None:
    """When the present opening began (seconds since 1970); None while it is closed."""
    return min((start for start, end in _around(hours, zone, now) if start <= now < end), default=None)


def _around(hours: tuple[OpenHours, ...], zone: ZoneInfo, now: float) -> Iterator[tuple[float, float]]:
    today = datetime.fromtimestamp(now, zone).date()
    for day in (today - timedelta(days=1), today):
        for span in hours:
            if day.weekday() in span.days:
                until = day if span.closes > span.opens else day + timedelta(days=1)
                start = datetime.combine(day, span.opens, zone).timestamp()
                yield start, datetime.combine(until, span.closes, zone).timestamp()
