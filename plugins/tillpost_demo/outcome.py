"""The result of a demo or drill: a table for people, an object for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from tillpost_demo.engage import Engage
from tillpost_demo.launcher import Launcher
from tillpost_demo.verdict import Verdict, judge, totals_plain, totals_text


@attrs.frozen(kw_only=True)
class Outcome:
    """What there is at the end. Times are seconds since 1970.

    receipts and files: rows of `tillpost receipts` and `tillpost files`. arrivals: when the sandbox got each
    receipt it holds, and by which route. skipped: sales that were not to be sent, and ignored: records that
    are no sale, each as reason → count.
    """

    title: str
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
    known_contacts: int
    contacts_created: int
    contacts_by_file: int
    contacts_reconciled: int
    sandbox_receipts: int
    sent_again: int
    verdict: Verdict
    what: str = "Tillpost demo"
    """`Tillpost demo` or `Tillpost drill`, for the head of the page."""


def judged(
    *,
    title: str,
    documents: int,
    known_contacts: int,
    times: tuple[float, float, float, float],
    engage: Engage,
    launcher: Launcher,
    what: str = "Tillpost demo",
) -> Outcome:
    """Read what Tillpost and the sandbox hold now. times: the beginning, the outage from and to, the end."""
    receipts, status, stats, stored = launcher.receipts(), launcher.status(), engage.stats(), engage.receipts()
    contacts = engage.contacts()
    began, outage_from, outage_to, ended = times
    return Outcome(
        title=title,
        began=began,
        outage_from=outage_from,
        outage_to=outage_to,
        ended=ended,
        receipts=tuple(receipts),
        arrivals=tuple((row["receivedAt"], row["route"]) for row in stored if row["status"] == "imported"),
        files=tuple(launcher.files()),
        documents=documents,
        skipped=status["skipped"],
        ignored=status["ignored"],
        known_contacts=known_contacts,
        contacts_created=len(contacts) - known_contacts,
        contacts_by_file=sum(contact["origin"] == "file" for contact in contacts),
        contacts_reconciled=int(status["contacts"]["reconciled"]),
        sandbox_receipts=sum(row["status"] == "imported" for row in stored),
        sent_again=int(stats["ignored_duplicates"]),
        verdict=judge(receipts, stored, int(stats["duplicated"])),
        what=what,
    )


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
        "sandbox_receipts": outcome.sandbox_receipts,
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
        ("receipts in the sandbox", str(outcome.sandbox_receipts)),
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
