"""Why the destination may not show a receipt that it accepted, or imported from a file."""

from __future__ import annotations

from datetime import datetime, timedelta

from tillpost.flow.line import Line
from tillpost.journal import Entry
from tillpost.journal.tables.verification import NOT_SHOWN

_WAY_OUT = (
    "see Engage's integration log; then `tillpost held retry` sends it again under the same id, `tillpost held discard`"
    " gives it up"
)


def why_not_shown(line: Line, row: Entry) -> str:
    """The likeliest cause, in words that are the same for every receipt with that cause, and what to do."""
    return f"{NOT_SHOWN} {_cause(line, row)}; {_WAY_OUT}"


def _cause(line: Line, row: Entry) -> str:
    verification = line.journal.verification
    if verification.times_sent_again(row.seq):
        return (
            "(contact gone): its contact was merged or erased, and it was sent again for the one with the keys now;"
            " Engage may have it under the former one"
        )
    if (when := _odd_date(row)) is not None:
        return f"(date in the {when}): its contact is there, its time of sale is in the {when}"
    if not verification.shows_store(row.store):
        return (
            f"(store {row.store}): its contact is there, and no receipt of the store is shown: Engage may not know the"
            " store"
        )
    return "(article rule): its contact and store are there, so an article or a rule keeps it out"


def _odd_date(row: Entry) -> str | None:
    """`future` or `distant past`, when the time of sale is that far from the time of acceptance."""
    try:
        created = datetime.fromisoformat(row.created).timestamp()
    except ValueError:
        return None
    if created > row.accepted_at + timedelta(days=1).total_seconds():
        return "future"
    return "distant past" if created < row.accepted_at - timedelta(days=366).total_seconds() else None
