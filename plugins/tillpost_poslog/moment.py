"""Local time of a till, with its offset: in the hour that repeats and in the hour that is missing, too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timezone
from zoneinfo import ZoneInfo

from tillpost import LawBroken

AMBIGUOUS = "dst-ambiguous"
"""The clock showed this time twice; the first of the two is taken."""
GAP = "dst-gap"
"""The clock never showed this time; it is moved out of the gap by the gap's length."""


def local_time(written: str, zone: ZoneInfo, place: str) -> tuple[datetime, tuple[str, ...]]:
    """The time with a fixed offset, and the flags it earns. An offset that is written stays; Z becomes local.

    Raises LawBroken for what is no ISO 8601 time.
    """
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise LawBroken("must be an ISO 8601 time", place, "missing" if not written else "cannot be read") from None
    flags: tuple[str, ...] = ()
    try:
        if moment.tzinfo is None:
            first, second = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
            settled = first.astimezone(UTC).astimezone(zone)
            if settled.replace(tzinfo=None, fold=0) != moment:
                first, flags = settled, (GAP,)
            elif first.utcoffset() != second.utcoffset():
                flags = (AMBIGUOUS,)
            moment = first
        elif written.endswith(("Z", "z")):
            moment = moment.astimezone(zone)
    except OverflowError:
        raise LawBroken("must be a time of our age", place, "out of bounds") from None
    offset = moment.utcoffset()
    assert offset is not None
    # A fixed offset: values of two zones do not compare well in a repeated hour (PEP 495).
    return moment.replace(tzinfo=timezone(offset), fold=0), flags


def day(written: str, place: str) -> date:
    """A business date; a time after it is left out."""
    try:
        return date.fromisoformat(written[:10])
    except ValueError:
        raise LawBroken("must be an ISO 8601 date", place, "cannot be read") from None
