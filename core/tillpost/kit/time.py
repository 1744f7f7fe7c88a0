"""Local time of a till with its offset, in the repeated and the skipped hour of daylight saving time too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timezone
from zoneinfo import ZoneInfo

from tillpost.errors import InvalidValue

DST_AMBIGUOUS = "dst-ambiguous"
"""The flag of a time the clock showed twice; the first of the two is taken."""
DST_GAP = "dst-gap"
"""The flag of a time the clock skipped; it is moved forward by the length of the gap."""


def local_time(moment: datetime, zone: ZoneInfo, place: str) -> tuple[datetime, tuple[str, ...]]:
    """A till's time with a fixed offset, and the flags of its receipt (DST_AMBIGUOUS, DST_GAP).

    A naive time is what the till's clock showed, in `zone`; an aware one keeps its offset. The offset is fixed
    because values of two zones do not compare well in a repeated hour (PEP 495).
    Raises InvalidValue, with `place`, for a time at the edge of what the calendar holds.
    """
    flags: tuple[str, ...] = ()
    try:
        if moment.tzinfo is None:
            first, second = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
            settled = first.astimezone(UTC).astimezone(zone)
            if settled.replace(tzinfo=None, fold=0) != moment.replace(fold=0):
                first, flags = settled, (DST_GAP,)
            elif first.utcoffset() != second.utcoffset():
                flags = (DST_AMBIGUOUS,)
            moment = first
        offset = moment.utcoffset()
    except OverflowError:
        raise InvalidValue("out of bounds: the time leaves the years 1 to 9999", place=place) from None
    assert offset is not None
    return moment.replace(tzinfo=timezone(offset), fold=0), flags


def parse_time(written: str, zone: ZoneInfo, place: str, *, utc: bool = False) -> tuple[datetime, tuple[str, ...]]:
    """An ISO 8601 time as `local_time` gives it. An offset that is written stays; Z becomes the time in `zone`.

    utc: the format writes every time in UTC, with +00:00 or without an offset: it becomes the time in `zone`.
    Raises InvalidValue, with `place`, for a text that is not an ISO 8601 time.
    """
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise InvalidValue(
            "not an ISO 8601 time such as 2026-01-31T12:00:00+01:00" if written else "the time is missing", place=place
        ) from None
    if utc and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if utc or written.endswith(("Z", "z")):
        try:
            moment = moment.astimezone(zone)
        except OverflowError:
            raise InvalidValue("out of bounds: the time leaves the years 1 to 9999", place=place) from None
    return local_time(moment, zone, place)


def parse_date(written: str, place: str) -> date:
    """An ISO 8601 date, such as a business date; what follows the date is ignored. Raises InvalidValue with `place`."""
    try:
        return date.fromisoformat(written[:10])
    except ValueError:
        raise InvalidValue("not an ISO 8601 date such as 2026-01-31", place=place) from None
