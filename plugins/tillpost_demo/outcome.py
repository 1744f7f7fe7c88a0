"""The result of a demo or drill: a table for people, an object for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from tillpost_demo.verdict import Verdict, totals_plain, totals_text


@attrs.frozen(kw_only=True)
class Outcome:
    """What there is at the end. Times are seconds since 1970.

    what: `Tillpost demo` or `Tillpost drill`, for the head of the page. receipts and files: rows of `tillpost
    receipts` and `tillpost files`, the files as they were written. arrivals: when the sandbox got each receipt it
    holds, and by which route. skipped: sales that were not to be sent, and ignored: records that are not a sale,
    each as reason → count. history: changes of the destination's state.
    """

    title: str
    what: str
    began: float
    outage_from: float
    outage_to: float
    ended: float
    receipts: tuple[Mapping[str, Any], ...]
    arrivals: tuple[tuple[str, str], ...]
    files: tuple[Mapping[str, Any], ...]
    documents: int
    skipped: Mapping[str, int]
    ignored: Mapping[str, int]
    history: Sequence[Mapping[str, Any]]
    known_contacts: int
    contacts_created: int
    contacts_by_file: int
    contacts_reconciled: int
    sent_again: int
    verdict: Verdict


def moment(text: str | None) -> float | None:
    """Seconds since 1970 of a time in ISO 8601; None for none."""
    return datetime.fromisoformat(text).timestamp() if text else None


def written_at(file: Mapping[str, Any]) -> tuple[float, str]:
    """The order of fallback files: by the time they were written, then by name."""
    return moment(file["written_at"]) or 0.0, file["name"]


def _figures(outcome: Outcome) -> list[tuple[str, str, object]]:
    """Each figure: its name in `--json`, its words in the table ("" where it is not in one of them), its value."""
    verdict, kinds = outcome.verdict, [row["kind"] for row in outcome.files]
    return [
        ("", "documents read", outcome.documents),
        ("accepted", "receipts accepted", verdict.accepted),
        ("skipped", "skipped: sales that are not sent", sum(outcome.skipped.values())),
        ("ignored", "ignored: records that are not a sale", sum(outcome.ignored.values())),
        ("delivered_api", "delivered by API", verdict.by_api),
        ("delivered_file", "delivered by file", verdict.by_file),
        ("", "fallback files", f"{kinds.count('contacts')} contacts, {kinds.count('receipts')} receipts"),
        ("", "outage", f"{outcome.outage_to - outcome.outage_from:.1f} s"),
        ("", "contacts Engage had before", outcome.known_contacts),
        ("contacts_created", "", outcome.contacts_created),
        ("", "contacts created", f"{outcome.contacts_created} ({outcome.contacts_by_file} by file)"),
        ("contacts_reconciled", "contacts whose id was learnt afterwards", outcome.contacts_reconciled),
        ("sandbox_receipts", "receipts in the sandbox", len(outcome.arrivals)),
        ("ignored_duplicates", "sent again and ignored there", outcome.sent_again),
        ("total_accepted", "", totals_plain(verdict.total_accepted)),
        ("total_sandbox", "", totals_plain(verdict.total_sandbox)),
        ("", "total accepted", totals_text(verdict.total_accepted)),
        ("", "total in the sandbox", totals_text(verdict.total_sandbox)),
        ("held", "held", len(verdict.held)),
        ("lost", "lost", len(verdict.lost)),
        ("duplicated", "duplicated", verdict.duplicates),
        ("unsettled", "", len(verdict.unsettled)),
        ("verified", "", verdict.ok),
    ]


def summary(outcome: Outcome) -> dict[str, object]:
    """The object of `--json`, without `seconds` and `report`."""
    return {name: value for name, _, value in _figures(outcome) if name}


def rows(outcome: Outcome) -> list[tuple[str, str]]:
    """The table: what, and how much."""
    return [(words, str(value)) for _, words, value in _figures(outcome) if words]


def table(outcome: Outcome) -> list[str]:
    """The same as lines of text, the figures to the right."""
    lines = rows(outcome)
    left = max(len(what) for what, _ in lines)
    right = max(len(much) for _, much in lines)
    return [f"{what:<{left}}  {much:>{right}}" for what, much in lines]
