"""The end of a day in figures: JSON, CSV, sentences for people. day_page.py makes the HTML."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import attrs

from tillpost.journal.states import ACCEPTED_BY_API, ACCEPTED_BY_IMPORT, VERIFIED
from tillpost.model.money import format_money
from tillpost.reports import verification
from tillpost.reports.day import Day
from tillpost.reports.day_difference import Difference, Suspect
from tillpost.reports.labels import CONFIRMED
from tillpost.reports.sums import Sum, Sums
from tillpost.terminal import counted, when

STAGES = ("recorded", "skipped", "delivered", "undelivered", "held")
_CONFIRMED = (ACCEPTED_BY_API, ACCEPTED_BY_IMPORT, VERIFIED)


def to_json(day: Day) -> dict[str, Any]:
    """Every figure; amounts as text, so that no digit is lost."""
    return {
        "store": day.store, "date": day.date, "till": day.till, "fine": day.fine,
        "currencies": {currency: _sums(sums, currency) for currency, sums in day.sums.items()},
        "till_totals": [
            attrs.asdict(figure) | {"total": str(figure.total), "at": when(figure.at) if figure.at else None}
            for figure in day.till_totals
        ],
        "tills_without_total": list(day.tills_without_total),
        "differences": [difference_json(difference) for difference in day.differences],
        "undelivered": list(map(attrs.asdict, day.undelivered)),
        "skipped": day.skipped,
        "same_number": [attrs.asdict(each) for each in day.same_number],
        "unreadable": [attrs.asdict(each) for each in day.unreadable],
        "discarded": [attrs.asdict(each) for each in day.discarded],
        "missing": [{"till": till, "first": first, "last": last} for till, first, last in day.missing],
        "damaged": list(day.damaged),
        "removed": day.removed,
        "verification": None if day.verification is None else verification.to_json(day.verification),
    }  # fmt: skip


def difference_json(difference: Difference) -> dict[str, Any]:
    """A difference with its amounts as text."""
    return attrs.asdict(difference) | {
        "till_total": str(difference.till_total),
        "recorded": str(difference.recorded),
        "amount_difference": str(difference.amount_difference),
        "count_difference": difference.count_difference,
    }


def _sums(sums: Sums, currency: str) -> dict[str, Any]:
    def shown(each: Sum) -> dict[str, Any]:
        return {"count": each.count, "total": format_money(each.total, currency)}

    return {
        **{stage: shown(sums.stages[stage]) for stage in STAGES},
        "confirmed": {name: shown(sums.confirmed[name]) for name in _CONFIRMED},
        "tenders": {name: shown(each) for name, each in sorted(sums.tenders.items())},
        "taxes": {
            name: shown(each) | {"tax": format_money(each.tax, currency)} for name, each in sorted(sums.taxes.items())
        },
    }


@attrs.frozen
class Figure:
    """One row of a report. of: of which tender, rate, till. count: None where the till gave none."""

    currency: str
    what: str
    of: str
    count: int | None
    total: Decimal
    tax: Decimal | None = None

    @property
    def amount(self) -> str:
        """With the digits of its currency."""
        return format_money(self.total, self.currency)

    @property
    def receipts(self) -> str:
        """The count as text."""
        return "" if self.count is None else str(self.count)

    @property
    def tax_amount(self) -> str:
        """The tax as text, with the digits of its currency."""
        return "" if self.tax is None else format_money(self.tax, self.currency)


def figures(day: Day) -> Iterator[Figure]:
    """Each figure of the day in one order."""
    totals = [figure for figure in day.till_totals if figure.kind == "total"]
    for currency in sorted(day.sums.keys() | {figure.currency for figure in totals}):
        sums = day.sums.get(currency, Sums())
        for figure in totals:
            if figure.currency == currency:
                till = f"till {figure.till}" if figure.till else ""
                yield Figure(currency, "till total", till, figure.count, figure.total)
        for stage in STAGES:
            yield Figure(currency, stage, "", sums.stages[stage].count, sums.stages[stage].total)
        for name in _CONFIRMED:
            yield Figure(currency, "confirmed", CONFIRMED[name], sums.confirmed[name].count, sums.confirmed[name].total)
        for name, tender in sorted(sums.tenders.items()):
            yield Figure(currency, "tender", name or "unknown", tender.count, tender.total)
        for name, tax in sorted(sums.taxes.items(), key=lambda item: Decimal(item[0] or -1)):
            yield Figure(currency, "tax", f"{name} %" if name else "unknown", tax.count, tax.total, tax.tax)


def sentence(each: Difference) -> str:
    """A difference in words."""
    till = f" till {each.till}" if each.till else ""
    what = {"total": "day total", "tender": f"tender {each.name}", "tax": f"tax {each.name} %"}.get(
        each.kind, f"receipt {each.name}"
    )
    off = each.amount_difference
    difference = f"difference {'+' if off > 0 else ''}{format_money(off, each.currency)}"
    receipts = each.count_difference
    count = f", {'+' if receipts > 0 else ''}{counted(receipts, 'receipt')}" if receipts else ""
    return (
        f"store {each.store}{till}, {each.date}: {what}: till total {format_money(each.till_total, each.currency)}"
        f" {each.currency}, recorded {format_money(each.recorded, each.currency)} ({difference}{count})"
    )


def verdict(day: Day) -> str:
    """How the day stands, in one sentence."""
    if not day.sums and not day.till_totals:
        return "No receipt of this day is in the journal, and no till total is known."
    undelivered = sum(sums.stages["undelivered"].count for sums in day.sums.values())
    parts = [
        _if_any(len(day.differences), "difference", "from the till totals"),
        _if_any(undelivered, "receipt", "not delivered"),
        _if_any(len(day.same_number), "receipt", "held because the number came with other content"),
        _if_any(len(day.unreadable), "record", "that could not be read"),
        _if_any(len(day.damaged), "receipt", "with damaged content (`tillpost journal verify`)"),
    ]
    if found := ", ".join(part for part in parts if part):
        return f"Look at: {found}."
    if not day.till_totals:
        return "Everything is delivered; no till total is known."
    left = f"; no till total is known of till {', '.join(day.tills_without_total)}" if day.tills_without_total else ""
    return f"Everything is delivered, and it equals the till totals to the cent{left}."


def _if_any(number: int, noun: str, more: str) -> str:
    return f"{counted(number, noun)} {more}" if number else ""


def as_csv(day: Day) -> str:
    """One row a figure, a difference and a receipt that somebody should look at."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\r\n").writerow
    write(["store", "date", "till", "currency", "what", "of", "count", "total", "tax", "id", "state", "note"])
    for figure in figures(day):
        cells = _cells(day.store, day.date, day.till, figure.currency, figure.what, figure.of)
        write([*cells, figure.receipts, figure.amount, figure.tax_amount, "", "", ""])
    for each in day.differences:
        cells = _cells(day.store, day.date, each.till, each.currency, "difference", f"{each.kind} {each.name}".strip())
        count = "" if each.count_difference is None else each.count_difference
        amount = format_money(each.amount_difference, each.currency)
        write([*cells, count, amount, "", "", "", *_cells(sentence(each))])
        for suspect in each.suspects:
            write(_row(day, "suspect", suspect))
    for title, listed in receipt_lists(day):
        for suspect in listed:
            write(_row(day, title, suspect))
    return out.getvalue()


def _row(day: Day, what: str, each: Suspect) -> list[str]:
    key = (day.store, day.date, each.till, each.currency, what, each.number)
    return _cells(*key, "1", each.total, "", each.id, each.state, each.note)


def _cells(*values: str) -> list[str]:
    """Cells that a spreadsheet would take for formulas, as text; amounts are unchanged."""
    formula = re.compile(r"[=+@\t\r]|-(?!\d)")
    return [f"'{value}" if formula.match(value) else value for value in values]


def receipt_lists(day: Day) -> list[tuple[str, Sequence[Suspect]]]:
    """The receipts somebody should look at, under their titles."""
    return [
        ("undelivered", day.undelivered),
        ("same number twice", day.same_number),
        ("not readable", day.unreadable),
        ("discarded", day.discarded),
    ]
