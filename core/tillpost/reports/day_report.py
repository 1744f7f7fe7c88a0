"""A day's end on paper and for machines: JSON, CSV, and a page that needs nothing but itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence, Set
from decimal import Decimal
from html import escape
from typing import Any

import attrs

from tillpost.clock import iso
from tillpost.model.money import minor_digits
from tillpost.reports.day import LISTED, Day, Difference, Suspect
from tillpost.reports.sums import Sum, Sums

STAGES = ("recorded", "skipped", "delivered", "undelivered", "held")
CONFIRMED = ("answered", "proven")


def to_json(day: Day) -> dict[str, Any]:
    """Every figure; amounts as text, so that no digit is lost."""
    return {
        "store": day.store, "date": day.date, "till": day.till, "fine": day.fine,
        "currencies": {
            currency: {
                **{stage: _sum(sums.stages[stage]) for stage in STAGES},
                "confirmed": {name: _sum(sums.confirmed[name]) for name in CONFIRMED},
                "tenders": {name: _sum(each) for name, each in sorted(sums.tenders.items())},
                "taxes": {
                    name: _sum(each) | {"tax": str(each.tax)} for name, each in sorted(sums.taxes.items())
                },
            }
            for currency, sums in day.sums.items()
        },
        "printed": [attrs.asdict(each) | {"total": str(each.total)} for each in day.printed],
        "unprinted": list(day.unprinted),
        "differences": [difference_json(each) for each in day.differences],
        "undelivered": [attrs.asdict(each) for each in day.undelivered],
        "skipped": day.skipped,
        "twice": [attrs.asdict(each) for each in day.twice],
        "undated": [attrs.asdict(each) for each in day.undated],
        "missing": [{"till": till, "first": first, "last": last} for till, first, last in day.missing],
        "damaged": list(day.damaged),
        "removed": day.removed,
    }  # fmt: skip


def difference_json(each: Difference) -> dict[str, Any]:
    """A difference with what is off."""
    values = attrs.asdict(each) | {"off": str(each.off), "count_off": each.count_off}
    return values | {"printed": str(each.printed), "recorded": str(each.recorded)}


def _sum(each: Sum) -> dict[str, Any]:
    return {"count": each.count, "total": str(each.total)}


@attrs.frozen
class Figure:
    """One row of a report. of: of which tender, rate, till. count: None where the till printed none."""

    currency: str
    what: str
    of: str
    count: int | None
    total: Decimal
    tax: Decimal | None = None

    @property
    def amount(self) -> str:
        """With the digits of its currency."""
        return money(self.total, self.currency)

    @property
    def receipts(self) -> str:
        """The count as text."""
        return "" if self.count is None else str(self.count)


def money(amount: Decimal, currency: str) -> str:
    """With the digits of its currency, and those it has."""
    digits = minor_digits(currency) if currency else 0
    return f"{max(amount, round(amount, digits), key=lambda each: -int(each.as_tuple().exponent)):f}"


def figures(day: Day) -> Iterator[Figure]:
    """Each figure of the day in one order."""
    printed = [each for each in day.printed if each.kind == "total"]
    for currency in sorted(day.sums.keys() | {each.currency for each in printed}):
        sums = day.sums.get(currency, Sums())
        for each in printed:
            if each.currency == currency:
                till = f"till {each.till}" if each.till else ""
                yield Figure(currency, "printed", till, each.count, each.total)
        for stage in STAGES:
            yield Figure(currency, stage, "", sums.stages[stage].count, sums.stages[stage].total)
        for name in CONFIRMED:
            yield Figure(currency, "confirmed", name, sums.confirmed[name].count, sums.confirmed[name].total)
        for name, tender in sorted(sums.tenders.items()):
            yield Figure(currency, "tender", name or "not told", tender.count, tender.total)
        for name, tax in sorted(sums.taxes.items(), key=lambda item: Decimal(item[0] or -1)):
            yield Figure(currency, "tax", f"{name} %" if name else "not told", tax.count, tax.total, tax.tax)


def sentence(each: Difference) -> str:
    """A difference in words."""
    till = f" till {each.till}" if each.till else ""
    what = {"total": "day total", "tender": f"tender {each.name}", "tax": f"tax {each.name} %"}.get(
        each.kind, f"receipt {each.name}"
    )
    off = f"off by {'+' if each.off > 0 else ''}{money(each.off, each.currency)}"
    count = f", {each.count_off:+d} receipts" if each.count_off else ""
    return (
        f"store {each.store}{till}, {each.date}: {what} printed {money(each.printed, each.currency)} {each.currency},"
        f" recorded {money(each.recorded, each.currency)}: {off}{count}"
    )


def as_csv(day: Day) -> str:
    """One row a figure, a difference and a receipt that somebody should look at."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    write(["store", "date", "till", "currency", "what", "of", "count", "total", "tax", "id", "state", "note"])
    for each in figures(day):
        tax = "" if each.tax is None else money(each.tax, each.currency)
        cells = _cells(day.store, day.date, day.till, each.currency, each.what, each.of)
        write([*cells, each.receipts, each.amount, tax, "", "", ""])
    for gap in day.differences:
        cells = _cells(day.store, day.date, gap.till, gap.currency, "difference", f"{gap.kind} {gap.name}".strip())
        write([*cells, "" if gap.count_off is None else gap.count_off, gap.off, "", "", "", *_cells(sentence(gap))])
        for suspect in gap.suspects:
            write(_row(day, "suspect", suspect))
    for title, listed in _lists(day):
        for suspect in listed:
            write(_row(day, title, suspect))
    return out.getvalue()


def _row(day: Day, what: str, each: Suspect) -> list[str]:
    note = f"{each.why}: {each.reason}" if each.reason else each.why
    return _cells(
        day.store, day.date, each.till, each.currency, what, each.number, "1", each.total, "", each.id, each.state, note
    )


def _cells(*values: str) -> list[str]:
    """What a spreadsheet would take for a formula is made text; amounts are left alone."""
    return [
        f"'{value}"
        if value.startswith(("=", "+", "@", "\t", "\r")) or (value[:1] == "-" and not value[1:2].isdigit())
        else value
        for value in values
    ]


def _lists(day: Day) -> list[tuple[str, Sequence[Suspect]]]:
    return [("undelivered", day.undelivered), ("same number twice", day.twice), ("not readable", day.undated)]


# --- the page ------------------------------------------------------------------------------------------------------

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
    """The report as one page, for a browser and for paper. No script, nothing from elsewhere."""
    title = f"Day end: store {day.store}, {day.date}" + (f", till {day.till}" if day.till else "")
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>",
            f"<h1>{escape(title)}</h1><p>Pipeline {escape(pipeline)}, as of {escape(iso(now))}.</p>",
            f'<p class="verdict">{escape(verdict(day))}</p>',
            *_body(day),
            "</main></body></html>\n",
        ]
    )


def verdict(day: Day) -> str:
    """How the day stands, in one sentence."""
    if not day.sums and not day.printed:
        return "No receipt of this day is in the journal, and no printed total is known."
    undelivered = sum(sums.stages["undelivered"].count for sums in day.sums.values())
    parts = [
        _counted(len(day.differences), "difference", "from what was printed"),
        _counted(undelivered, "receipt", "not delivered"),
        _counted(len(day.twice), "receipt", "held because the number came with other content"),
        _counted(len(day.undated), "record", "that could not be read"),
        _counted(len(day.damaged), "receipt", "with damaged content (`tillpost journal verify`)"),
    ]
    said = ", ".join(part for part in parts if part)
    if said:
        return f"Look at: {said}."
    if not day.printed:
        return "Everything is delivered; no printed total is known."
    left = f"; no total is known of till {', '.join(day.unprinted)}" if day.unprinted else ""
    return f"Everything is delivered, and it is what was printed, to the cent{left}."


def _counted(number: int, what: str, said: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'} {said}" if number else ""


def _body(day: Day) -> Iterator[str]:
    shown = list(figures(day))
    for currency in dict.fromkeys(each.currency for each in shown):
        yield _table(
            f"Sums in {currency}",
            ["what", "of", "receipts", "amount", "tax in it"],
            (
                [each.what, each.of, each.receipts, each.amount, "" if each.tax is None else money(each.tax, currency)]
                for each in shown
                if each.currency == currency
            ),
            numbers={2, 3, 4},
        )
    if day.differences:
        yield "<h2>Differences</h2>"
    for gap in day.differences:
        if gap.kind != "receipt":
            yield f"<p><strong>{escape(sentence(gap))}</strong></p>"
            yield _receipts("What may be behind it", gap.suspects)
    if single := [(gap, gap.suspects[0]) for gap in day.differences if gap.kind == "receipt"]:
        yield _table(
            "Receipts that are not as they were printed",
            ["number", "till", "printed", "recorded", "why", "id"],
            (
                [
                    gap.name,
                    gap.till,
                    money(gap.printed, gap.currency),
                    money(gap.recorded, gap.currency),
                    why.why,
                    why.id,
                ]
                for gap, why in single
            ),
            numbers={2, 3},
        )
    for title, listed in _lists(day):
        more = f" (the first {LISTED})" if len(listed) == LISTED else ""
        yield _receipts(title.capitalize() + more, listed)
    if day.missing:
        yield _table(
            "Numbers between the first and the last of the day that are not in the journal",
            ["till", "first", "last"], ([till, str(first), str(last)] for till, first, last in day.missing),
        )  # fmt: skip
    if day.skipped:
        yield _table("Skipped", ["reason", "receipts"], ([why, str(n)] for why, n in day.skipped.items()), {1})
    if day.removed:
        yield f"<p>{day.removed} receipts have left the journal by `keep`; a day that old is not whole.</p>"


def _receipts(caption: str, listed: Sequence[Suspect]) -> str:
    if not listed:
        return ""
    return _table(
        caption,
        ["number", "till", "amount", "state", "why", "id"],
        (
            [each.number, each.till, _amount(each), each.state,
             f"{each.why}: {each.reason}" if each.reason else each.why, each.id]
            for each in listed
        ),
        numbers={2},
    )  # fmt: skip


def _amount(each: Suspect) -> str:
    return f"{money(Decimal(each.total), each.currency)} {each.currency}" if each.total else ""


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
