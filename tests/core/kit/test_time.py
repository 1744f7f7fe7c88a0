"""Local time of a till: for every time of the calendar an offset that the zone had, and a flag where it is a guess."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillpost import InvalidValue
from tillpost.kit import local_time, parse_date, parse_time

OSLO = ZoneInfo("Europe/Oslo")
ZONES = st.sampled_from([ZoneInfo(name) for name in ("Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "UTC")])
TIMES = st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2037-01-01"))


@given(TIMES, ZONES)
def test_a_naive_time_is_what_the_clock_showed_or_is_flagged(naive: datetime, zone: ZoneInfo) -> None:
    moment, flags = local_time(naive, zone, "till")
    there = moment.astimezone(zone)
    assert there.utcoffset() == moment.utcoffset()
    if "dst-gap" in flags:
        assert timedelta(0) < moment.replace(tzinfo=None) - naive <= timedelta(hours=1)
    else:
        assert moment.replace(tzinfo=None) == naive


@given(TIMES, ZONES)
def test_every_moment_the_clock_showed_is_found_again_or_is_the_second_of_two(
    instant: datetime, zone: ZoneInfo
) -> None:
    shown = instant.replace(tzinfo=UTC).astimezone(zone)
    moment, flags = local_time(shown.replace(tzinfo=None, fold=shown.fold), zone, "till")
    if flags:
        assert flags == ("dst-ambiguous",)
        assert moment <= shown <= moment + timedelta(hours=1)
    else:
        assert moment == shown


def test_an_offset_that_is_known_stays() -> None:
    moment, flags = local_time(datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Asia/Tokyo")), OSLO, "till")
    assert (moment.isoformat(), flags) == ("2026-07-01T12:00:00+09:00", ())


@pytest.mark.parametrize(
    ("written", "expected", "flags"),
    [
        ("2026-10-25T02:30:00", "2026-10-25T02:30:00+02:00", ("dst-ambiguous",)),
        ("2026-03-29T02:30:00", "2026-03-29T03:30:00+02:00", ("dst-gap",)),
        ("2026-07-01T12:00:00", "2026-07-01T12:00:00+02:00", ()),
        ("2026-07-01T12:00:00.120+05:30", "2026-07-01T12:00:00.120000+05:30", ()),
        ("2026-07-01T12:00:00Z", "2026-07-01T14:00:00+02:00", ()),
        ("2026-10-25T01:30:00Z", "2026-10-25T02:30:00+01:00", ()),
    ],
)
def test_written_times(written: str, expected: str, flags: tuple[str, ...]) -> None:
    moment, found = parse_time(written, OSLO, "till")
    assert (moment.isoformat(), found) == (expected, flags)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-03-14T14:30:00+00:00", "2026-03-14T15:30:00+01:00"),
        ("2026-03-14 14:30:00", "2026-03-14T15:30:00+01:00"),
        ("2026-07-01T23:30:00Z", "2026-07-02T01:30:00+02:00"),
        ("2026-03-14T09:30:00-05:00", "2026-03-14T15:30:00+01:00"),
        ("2026-10-25T01:30:00+00:00", "2026-10-25T02:30:00+01:00"),
    ],
)
def test_t1_of_a_format_that_writes_utc_every_time_is_moved_to_the_zone(written: str, expected: str) -> None:
    moment, found = parse_time(written, OSLO, "till", utc=True)
    assert (moment.isoformat(), found) == (expected, ())


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "the time is missing"),
        ("yesterday", "not an ISO 8601 time such as 2026-01-31T12:00:00+01:00"),
        ("9999-12-31T23:59:59Z", "out of bounds: the time leaves the years 1 to 9999"),
        ("0001-01-01T00:00:00", "out of bounds: the time leaves the years 1 to 9999"),
    ],
)
def test_a_text_that_is_not_a_time_is_refused_with_its_place(written: str, reason: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_time(written, OSLO, "transaction 7")
    assert str(caught.value) == f"transaction 7: {reason}"


def test_days() -> None:
    assert parse_date("2026-03-14T10:00:00", "till") == date(2026, 3, 14)
    with pytest.raises(InvalidValue, match="till: not an ISO 8601 date"):
        parse_date("14/03/2026", "till")
