"""The report: one page without other files, with the verdict first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from importlib import resources

from tillpost_demo.outcome import Outcome, moment, rows
from tillpost_demo.picture import Picture

_LEGEND = (
    ("api", "by API"),
    ("file", "by file"),
    ("contacts", "contacts file"),
    ("faint", "accepted"),
    ("arrived", "arrived"),
    ("outage", "the API is away"),
)
Section = tuple[str, Sequence[str], Sequence[Sequence[object]]]
"""A heading, the heads of columns, and rows."""
_MOST_LISTED = 50  # receipts of one kind of trouble; the journal has the rest


def render(outcome: Outcome, sections: Sequence[Section] = ()) -> str:
    """The page, with further sections below the chart. Everything from outside is escaped."""
    css = resources.files("tillpost_demo").joinpath("report.css").read_text("utf-8")
    when = datetime.fromtimestamp(outcome.began).astimezone()
    verdict = outcome.verdict
    contacts = [
        ("known to Engage before the day", outcome.known_contacts),
        ("created by API", outcome.contacts_created - outcome.contacts_by_file),
        ("created by file, during the outage", outcome.contacts_by_file),
        ("ids learnt by a lookup afterwards", outcome.contacts_reconciled),
    ]
    legend = "".join(f'<li><i style="background:var(--{css})"></i>{name}</li>' for css, name in _LEGEND)
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(outcome.what)}</title><style>{css}</style></head><body>",
            f"<h1>{escape(outcome.what)}: {escape(outcome.title)}, {when:%Y-%m-%d %H:%M:%S}</h1>",
            f'<p class="verdict{"" if verdict.ok else " bad"}">{escape(verdict.sentence())}</p>',
            _numbers(outcome),
            "<h2>The day</h2>",
            f'<ul class="legend">{legend}</ul>',
            f'<div class="scroll">{Picture(outcome).svg()}</div>',
            _troubles(outcome),
            *(f"<h2>{escape(heading)}</h2>{_table(head, body)}" for heading, head, body in sections),
            "<h2>Fallback files</h2>",
            _files(outcome),
            "<h2>Contacts</h2>",
            _table(("", "contacts"), contacts, figures=(1,)),
            "<h2>Skipped: sales that are not sent</h2>",
            _table(("reason", "records"), outcome.skipped.items(), figures=(1,)),
            "<h2>Ignored: records that are not a sale</h2>",
            _table(("reason", "records"), outcome.ignored.items(), figures=(1,)),
            "<h2>Everything counted</h2>",
            _table(("", ""), rows(outcome), figures=(1,)),
            "<footer>Lost and duplicated are counted from what the sandbox holds, not from what Tillpost sent.</footer>"
            "</body></html>",
        ]
    )


def _numbers(outcome: Outcome) -> str:
    verdict = outcome.verdict
    numbers = [
        ("accepted", verdict.accepted),
        ("by API", verdict.by_api),
        ("by file", verdict.by_file),
        ("held", len(verdict.held)),
        ("lost", len(verdict.lost)),
        ("duplicated", verdict.duplicates),
    ]
    return '<dl class="numbers">' + "".join(f"<div><dt>{n}</dt><dd>{v}</dd></div>" for n, v in numbers) + "</dl>"


def _troubles(outcome: Outcome) -> str:
    verdict = outcome.verdict
    reasons = {row["id"]: str(row.get("reason", "")) for row in outcome.receipts}
    kinds = (
        ("lost", verdict.lost),
        ("duplicated", verdict.duplicated),
        ("never accepted", verdict.foreign),
        ("another total", verdict.differing),
        ("not settled", verdict.unsettled),
        ("held", verdict.held),
    )
    listed = [(kind, one, reasons.get(one, "")) for kind, ids in kinds for one in ids[:_MOST_LISTED]]
    return "<h2>What is wrong</h2>" + _table(("what", "receipt", "reason"), listed) if listed else ""


def _files(outcome: Outcome) -> str:
    def second(text: str | None) -> str:
        at = moment(text)
        return "" if at is None else f"{at - outcome.began:.1f} s"

    steps = ("written", "uploaded", "consumed", "confirmed")
    return _table(
        ("file", "rows", "state", *steps),
        [
            (row["name"], row["rows"], row["state"], *(second(row[f"{step}_at"]) for step in steps))
            for row in outcome.files
        ],
        figures=(1, 3, 4, 5, 6),
    )


def _table(head: Sequence[str], body: Iterable[Sequence[object]], figures: Sequence[int] = ()) -> str:
    mark = ' class="figure"'

    def cells(tag: str, values: Sequence[object]) -> str:
        row = (
            f"<{tag}{mark if number in figures else ''}>{escape(str(value))}</{tag}>"
            for number, value in enumerate(values)
        )
        return "<tr>" + "".join(row) + "</tr>"

    lines = "".join(cells("td", row) for row in body)
    if not lines:
        return "<p>None.</p>"
    top = f"<thead>{cells('th', head)}</thead>" if any(head) else ""
    return f'<div class="scroll"><table>{top}<tbody>{lines}</tbody></table></div>'
