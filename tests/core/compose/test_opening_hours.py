"""Opening hours: what is written is what is meant, also over midnight and over a change of the clocks."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tillpost.compose.opening_hours import open_since, parse_opening_hours

ZONE = ZoneInfo("Europe/Stockholm")
HOURS = parse_opening_hours("Mon-Sat 09:00-21:00, Sun 22:00-02:00")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()


@pytest.mark.parametrize(
    ("now", "since"),
    [
        ("2026-11-24T08:59", None),
        ("2026-11-24T09:00", "2026-11-24T09:00"),
        ("2026-11-24T20:59", "2026-11-24T09:00"),
        ("2026-11-24T21:00", None),
        ("2026-11-22T12:00", None),  # a Sunday
        ("2026-11-22T23:00", "2026-11-22T22:00"),
        ("2026-11-23T01:00", "2026-11-22T22:00"),
        ("2026-11-23T02:00", None),
        ("2026-10-26T09:30", "2026-10-26T09:00"),  # the day after the clocks were set back
    ],
)
def test_open_since(now: str, since: str | None) -> None:
    assert open_since(HOURS, ZONE, at(now)) == (None if since is None else at(since))


def test_days_may_run_over_the_end_of_the_week() -> None:
    (span,) = parse_opening_hours("Sat-Mon 00:00-24:00")
    assert span.days == {5, 6, 0}
    assert open_since((span,), ZONE, at("2026-11-23T23:59")) == at("2026-11-23T00:00")
    assert open_since((span,), ZONE, at("2026-11-24T00:00")) is None


@pytest.mark.parametrize("wrong", ["", "always", "Mon 9-21", "Mon-Sat", "Mon 09:00-25:00", "Mon 09:60-10:00"])
def test_what_is_no_opening_hours_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="hours"):
        parse_opening_hours(wrong)
