"""Missing receipt numbers of a till.

Understood are numbers that end in digits and count up by one, with or without leading zeros, behind any prefix:

- A prefix has a sequence of its own ("A-0007" and "B-0007"; a date in the prefix starts a new one each day).
- A daily reset: a business date starts a new sequence when a number of it was there the day before, or when its lowest
  number is not above that of the day before.
- A wrap around ("9999" then "0001") and a jump by more than LARGEST: a new sequence, no gap. A loss exactly where a
  new sequence starts cannot be seen.
- A till whose numbers do not end in digits, or lie so far apart that they follow no sequence, is "not numbered".

A gap lies between two known numbers, so a till's newest number never opens one, and a late arrival closes it: nothing
is stored. Known is every receipt in any state (held, skipped), and every record that the adapter found to be no sale
(void, training).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

import attrs

from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.compose.plugins import load_plugin
from tillpost.journal import Journal, ReceiptNumber

LARGEST = 1000
"""Numbers in a row that may be missing; a wider jump is a new sequence."""
_BEFORE = timedelta(days=7)
"""The days before a day whose numbers show where its sequence begins: a week with its closed days."""
_TAIL = re.compile(r"(.*?)([0-9]{1,18})", re.S)


@attrs.frozen
class Gap:
    """Missing numbers in a row, as the till writes them, between two known ones.

    date: the business date of the number behind them. since: when that one was accepted, seconds since 1970.
    """

    first: str
    last: str
    count: int
    date: str
    since: float


@attrs.frozen
class TillGaps:
    """A till's gaps. numbered: False for a till whose numbers follow no sequence; then there are no gaps."""

    store: str
    till: str
    receipts: int
    numbered: bool
    gaps: tuple[Gap, ...]

    @property
    def missing(self) -> int:
        """How many numbers are missing."""
        return sum(gap.count for gap in self.gaps)

    def as_json(self) -> dict[str, Any]:
        """For scripts, without times of this machine."""
        gaps = [{"first": gap.first, "last": gap.last, "count": gap.count, "date": gap.date} for gap in self.gaps]
        names = ("store", "till", "receipts", "numbered", "missing")
        return {name: getattr(self, name) for name in names} | {"gaps": gaps}


def numbered(pipeline: PipelineConfig) -> bool:
    """Whether the pipeline's adapter promises numbers without a gap. Raises ConfigurationError for a broken one."""
    adapter = next(use.plugin for use in pipeline.slots if use.slot == "adapter")
    return "sequence" in load_plugin(adapter).capabilities


def gaps(
    journal: Journal, now: float, since: timedelta, *, store: str = "", till: str | None = None,
    keep: timedelta | None = None,
) -> list[TillGaps]:  # fmt: skip
    """Of every till (of one store, one till) in the business dates since then.

    keep: the pipeline's retention. Days it may have removed receipts from are omitted: they would be full of gaps.
    """
    first = now - since.total_seconds()
    if keep is not None:
        first = max(first, now - keep.total_seconds() + 86400)
    day = datetime.fromtimestamp(first, UTC).date().isoformat()
    return [
        _of(journal, each.store, each.till, day)
        for each in journal.tills.all()
        if store in ("", each.store) and till in (None, each.till)
    ]


def gaps_of_day(journal: Journal, store: str, till: str, day: date) -> tuple[Gap, ...]:
    """Those of a till that `gaps` gives this business date, as it finds them a week later."""
    # Retention takes the oldest days: before what it has left, numbers would seem to be missing.
    before = timedelta() if journal.retention.count_removed() else _BEFORE
    found = _of(journal, store, till, (day - before).isoformat(), day.isoformat())
    return tuple(gap for gap in found.gaps if gap.date == day.isoformat())


def _of(journal: Journal, store: str, till: str, day: str, until: str = "9999-12-31") -> TillGaps:
    numbers = list(journal.numbers.of(store, till, day, until))
    found = find(numbers)
    if found:
        # Read only where something is missing: a number without a day closes a gap and opens none.
        undated = map(_split, journal.numbers.undated(store, till))
        also = frozenset(split for split in undated if split is not None)
        found = find(numbers, also) if also else found
    return TillGaps(store, till, len(numbers), found is not None, tuple(found or ()))


def find(numbers: Iterable[ReceiptNumber], also: frozenset[tuple[str, int]] = frozenset()) -> list[Gap] | None:
    """The gaps in one till's numbers, in order; None when they follow no sequence.

    also: numbers (prefix, value) that are known without their day.
    """
    sequences: dict[str, dict[str, dict[int, ReceiptNumber]]] = {}
    loose = seen = 0
    for number in numbers:
        seen += 1
        split = _split(number.number)
        if split is None:
            loose += 1
            continue
        of_day = sequences.setdefault(split[0], {}).setdefault(number.date, {})
        known = of_day.get(split[1])
        if known is None or number.accepted_at < known.accepted_at:
            of_day[split[1]] = number
    if loose * 2 > seen:
        return None
    found: list[Gap] = []
    jumps = steps = 0
    for prefix, days in sequences.items():
        for run in _runs(days):
            for before, behind in pairwise(sorted(run)):
                steps += 1
                if behind - before - 1 > LARGEST:
                    jumps += 1
                elif behind - before > 1:
                    found += _between(prefix, before, behind, run, also)
    return None if jumps > 10 and jumps * 2 > steps else found


def _split(number: str) -> tuple[str, int] | None:
    match = _TAIL.fullmatch(number)
    return (match[1], int(match[2])) if match else None


def _runs(days: dict[str, dict[int, ReceiptNumber]]) -> Iterable[dict[int, ReceiptNumber]]:
    """The days of a prefix, joined while they continue one sequence."""
    run: dict[int, ReceiptNumber] = {}
    last: dict[int, ReceiptNumber] = {}
    for _, day in sorted(days.items()):
        if run and (min(day) <= min(last) or not run.keys().isdisjoint(day)):
            yield run
            run = {}
        run = {**run, **day}
        last = day
    if run:
        yield run


def _between(
    prefix: str, before: int, behind: int, run: dict[int, ReceiptNumber], also: frozenset[tuple[str, int]]
) -> Iterable[Gap]:
    width = len(run[before].number) - len(prefix)  # as many digits as the till writes
    missing = [value for value in range(before + 1, behind) if (prefix, value) not in also]
    for _, group in groupby(enumerate(missing), key=lambda item: item[1] - item[0]):
        values = [value for _, value in group]
        first, last = (f"{prefix}{value:0{width}d}" for value in (values[0], values[-1]))
        yield Gap(first, last, len(values), run[behind].date, run[behind].accepted_at)
