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


def summary(outcome: Outcome) -> dict[str, object]:
    """The object of `--json`, without `seconds` and `report`."""
    verdict = outcome.verdict
    return {
        "accepted": verdict.accepted,
        "skipped": sum(outcome.skipped.values()),
        "ignored": sum(outcome.ignored.values()),
        "delivered_api": verdict.by_api,
        "delivered_file": verdict.by_file,
        "held": len(verdict.held),
        "lost": len(verdict.lost),
        "duplicated": verdict.duplicates,
        "unsettled": len(verdict.unsettled),
        "contacts_created": outcome.contacts_created,
        "contacts_reconciled": outcome.contacts_reconciled,
        "sandbox_receipts": len(outcome.arrivals),
        "ignored_duplicates": outcome.sent_again,
        "total_accepted": totals_plain(verdict.total_accepted),
        "total_sandbox": totals_plain(verdict.total_sandbox),
        "verified": verdict.ok,
    }


def rows(outcome: Outcome) -> list[tuple[str, str]]:
    """The table: what, and how much."""
    verdict = outcome.verdict
    kinds = [row["kind"] for row in outcome.files]
    return [
        ("documents read", str(outcome.documents)),
        ("receipts accepted", str(verdict.accepted)),
        ("skipped: sales that are not sent", str(sum(outcome.skipped.values()))),
        ("ignored: records that are not a sale", str(sum(outcome.ignored.values()))),
        ("delivered by API", str(verdict.by_api)),
        ("delivered by file", str(verdict.by_file)),
        ("fallback files", f"{kinds.count('contacts')} contacts, {kinds.count('receipts')} receipts"),
        ("outage", f"{outcome.outage_to - outcome.outage_from:.1f} s"),
        ("contacts Engage had before", str(outcome.known_contacts)),
        ("contacts created", f"{outcome.contacts_created} ({outcome.contacts_by_file} by file)"),
        ("contacts whose id was learnt afterwards", str(outcome.contacts_reconciled)),
        ("receipts in the sandbox", str(len(outcome.arrivals))),
        ("sent again and ignored there", str(outcome.sent_again)),
        ("total accepted", totals_text(verdict.total_accepted)),
        ("total in the sandbox", totals_text(verdict.total_sandbox)),
        ("held", str(len(verdict.held))),
        ("lost", str(len(verdict.lost))),
        ("duplicated", str(verdict.duplicates)),
    ]


def table(outcome: Outcome) -> list[str]:
    """The same as lines of text, the figures to the right."""
    lines = rows(outcome)
    left = max(len(what) for what, _ in lines)
    right = max(len(much) for _, much in lines)
    return [f"  {what:<{left}}  {much:>{right}}" for what, much in lines]
