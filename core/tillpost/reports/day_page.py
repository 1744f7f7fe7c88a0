"""The end of a day as one HTML page, for a browser and for paper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from html import escape

from tillpost.clock import iso
from tillpost.model.money import format_money
from tillpost.reports.day import LISTED, Day
from tillpost.reports.day_difference import Suspect
from tillpost.reports.day_report import figures, receipt_lists, sentence, verdict
from tillpost.reports.verification import sentence as verified
from tillpost.terminal import counted

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; width: 100%; margin: .5em 0 1.5em; }
caption { text-align: left; font-weight: 600; padding: .3em 0; }
th, td { text-align: left; padding: .25em .6em; border-bottom: 1px solid #8886; vertical-align: top; }
td:last-child:not(.n) { overflow-wrap: anywhere; min-width: 8em; }
.wide { overflow-x: auto; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.verdict { border: 2px solid; padding: .5em 1em; font-weight: 600; }
@media print { body { margin: 0; max-width: none; } table { break-inside: auto; } tr { break-inside: avoid; } }
"""


def html(day: Day, pipeline: str, now: float) -> str:
    """The report as one page, for a browser and for paper. No script, no file from elsewhere."""
    stands = verified(day.verification, now)
    title = f"Day end: store {day.store}, {day.date}" + (f", till {day.till}" if day.till else "")
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>",
            f"<h1>{escape(title)}</h1><p>Pipeline {escape(pipeline)}, as of {escape(iso(now))}.</p>",
            f'<p class="verdict">{escape(verdict(day))}</p>',
            *_body(day),
            f"<p>Verified, in the whole pipeline: {escape(stands)}.</p>" if stands else "",
            "</main></body></html>\n",
        ]
    )


def _body(day: Day) -> Iterator[str]:
    shown = list(figures(day))
    for currency in dict.fromkeys(each.currency for each in shown):
        yield _table(
            f"Sums in {currency}",
            ["what", "of", "receipts", "amount", "tax in it"],
            (
                [each.what, each.of, each.receipts, each.amount, each.tax_amount]
                for each in shown
                if each.currency == currency
            ),
            numbers={2, 3, 4},
        )
    if day.differences:
        yield "<h2>Differences</h2>"
    for difference in day.differences:
        if difference.kind != "receipt":
            yield f"<p><strong>{escape(sentence(difference))}</strong></p>"
            yield _receipts("What may explain it", difference.suspects)
    if single := [each for each in day.differences if each.kind == "receipt"]:
        yield _table(
            "Receipts that differ from the till's list",
            ["number", "till", "till total", "recorded", "why", "id"],
            (
                [
                    each.name,
                    each.till,
                    *(format_money(amount, each.currency) for amount in (each.till_total, each.recorded)),
                    each.suspects[0].why,
                    each.suspects[0].id,
                ]
                for each in single
            ),
            numbers={2, 3},
        )
    for title, listed in receipt_lists(day):
        more = f" (the first {LISTED})" if len(listed) == LISTED else ""
        yield _receipts(title.capitalize() + more, listed)
    if day.missing:
        yield _table(
            "Numbers of the day that are not in the journal",
            ["till", "first", "last"], ([till, first, last] for till, first, last in day.missing),
        )  # fmt: skip
    if day.skipped:
        yield _table("Skipped", ["reason", "receipts"], ([why, str(n)] for why, n in day.skipped.items()), {1})
    if day.removed:
        yield f"<p>{counted(day.removed, 'receipt')} left the journal by `keep`: a day that old is incomplete.</p>"


def _receipts(caption: str, listed: Sequence[Suspect]) -> str:
    if not listed:
        return ""
    return _table(
        caption,
        ["number", "till", "amount", "state", "why", "id"],
        ([each.number, each.till, each.amount, each.state, each.note, each.id] for each in listed),
        numbers={2},
    )


def _table(caption: str, columns: list[str], rows: Iterable[list[str]], numbers: Set[int] = frozenset()) -> str:
    def cells(tag: str, values: list[str]) -> str:
        scope = " scope=col" if tag == "th" else ""
        return "".join(
            f"<{tag}{scope}{' class=n' if index in numbers else ''}>{escape(value)}</{tag}>"
            for index, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{cells('th', columns)}</tr></thead><tbody>{body}</tbody></table></div>"
    )
