"""Differences of a day: a till total beside what the journal has, and the receipts that may explain it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import attrs

from tillpost.journal import DayReceipt, TillTotal
from tillpost.model.money import format_money
from tillpost.reports.sums import Sum, Sums

MOST = 20
"""Receipts named for one difference."""


@attrs.frozen(kw_only=True)
class Suspect:
    """A receipt that may explain a difference, or is not delivered, and why it is named."""

    why: str
    id: str = ""
    number: str = ""
    till: str = ""
    total: str = ""
    currency: str = ""
    state: str = ""
    reason: str = ""

    @classmethod
    def of(cls, row: DayReceipt, why: str) -> Suspect:
        """From its row."""
        return cls(
            why=why, id=row.id, number=row.number, till=row.till, total=row.total, currency=row.currency,
            state=str(row.state), reason=row.reason,
        )  # fmt: skip

    @property
    def note(self) -> str:
        """Why it is named, and the reason of its state."""
        return f"{self.why}: {self.reason}" if self.reason else self.why

    @property
    def amount(self) -> str:
        """The total with the digits of its currency, and the currency; "" where it is not known."""
        return f"{format_money(Decimal(self.total), self.currency)} {self.currency}" if self.total else ""


@attrs.frozen(kw_only=True)
class Difference:
    """A till total that is not what the journal has.

    till: "" is the whole store. kind, name: as of `TillTotal`. till_count: None where the till gave no count.
    """

    store: str
    date: str
    till: str
    currency: str
    kind: str
    name: str
    till_total: Decimal
    recorded: Decimal
    till_count: int | None
    recorded_count: int
    source: str
    suspects: tuple[Suspect, ...] = ()

    @property
    def amount_difference(self) -> Decimal:
        """The recorded amount less the till total."""
        return self.recorded - self.till_total

    @property
    def count_difference(self) -> int | None:
        """The recorded receipts less those of the till."""
        return None if self.till_count is None else self.recorded_count - self.till_count


class TillFigures:
    """The figures of a till: totals, and single receipts, which are matched as the journal's receipts are read."""

    def __init__(self, figures: Iterable[TillTotal]) -> None:
        self.totals: list[TillTotal] = []
        self._unmatched: dict[tuple[str, str, str], TillTotal] = {}
        self._listed_tills: set[tuple[str, str]] = set()
        self._differing: list[tuple[DayReceipt, Decimal, TillTotal | None]] = []
        for figure in figures:
            if figure.kind == "receipt":
                self._unmatched[figure.till, figure.currency, figure.name] = figure
                self._listed_tills.add((figure.till, figure.currency))
            else:
                self.totals.append(figure)

    def match(self, row: DayReceipt, total: Decimal) -> None:
        """A receipt of the journal: keep it when the till lists another amount, or not the receipt."""
        for till in (row.till, ""):
            if (till, row.currency) in self._listed_tills:
                figure = self._unmatched.pop((till, row.currency, row.number), None)
                if (figure is None or figure.total != total) and len(self._differing) < MOST * MOST:
                    self._differing.append((row, total, figure))
                return

    def receipt_differences(self, store: str, date: str) -> Iterator[Difference]:
        """Of single receipts: another amount, not listed by the till, and listed yet not in the journal."""
        for row, total, figure in self._differing:
            why = "not listed by the till" if figure is None else "the till lists another amount"
            yield Difference(
                store=store, date=date, till=row.till, currency=row.currency, kind="receipt", name=row.number,
                till_total=figure.total if figure else Decimal(0), recorded=total,
                till_count=1 if figure else 0, recorded_count=1, source=figure.source if figure else "",
                suspects=(Suspect.of(row, why),),
            )  # fmt: skip
        for figure in self._unmatched.values():
            yield Difference(
                store=store, date=date, till=figure.till, currency=figure.currency, kind="receipt", name=figure.name,
                till_total=figure.total, recorded=Decimal(0), till_count=1, recorded_count=0, source=figure.source,
                suspects=(Suspect(why="not in the journal", number=figure.name, till=figure.till),),
            )  # fmt: skip


FindSuspects = Callable[[Sequence[Difference]], Iterable[tuple[Difference, Suspect]]]


def find_differences(
    tills: Mapping[tuple[str, str], Sums],
    figures: TillFigures,
    *,
    store: str,
    date: str,
    find_suspects: FindSuspects,
    held: Sequence[Suspect],
    missing: Sequence[tuple[str, str, str]],
) -> list[Difference]:
    """Every till total that is not what the journal has, with its suspects.

    find_suspects: receipts whose amount is a difference. held: receipts in no sum. missing: runs of a till's numbers.
    """
    found = [
        Difference(
            store=store, date=date, till=figure.till, currency=figure.currency, kind=figure.kind, name=figure.name,
            till_total=figure.total, recorded=own.total, till_count=figure.count, recorded_count=own.count,
            source=figure.source,
        )
        for figure in figures.totals
        if (own := _recorded(tills, figure)).total != figure.total or figure.count not in (None, own.count)
    ]  # fmt: skip
    named: defaultdict[int, list[Suspect]] = defaultdict(list)
    if found:
        for difference, suspect in find_suspects([each for each in found if each.amount_difference]):
            if len(suspects := named[id(difference)]) < MOST:
                suspects.append(suspect)
    answer: list[Difference] = []
    for difference in found:
        more = [suspect for suspect in held if difference.till in ("", suspect.till) or not suspect.till]
        lacking = difference.count_difference
        if (difference.amount_difference if lacking is None else lacking) < 0:
            more += [
                Suspect(why="not in the journal, in the till's sequence", till=till, number=_run(first, last))
                for till, first, last in missing
                if difference.till in ("", till)
            ]
        answer.append(attrs.evolve(difference, suspects=tuple([*named[id(difference)], *more][:MOST])))
    return [*answer, *figures.receipt_differences(store, date)]


def _recorded(tills: Mapping[tuple[str, str], Sums], figure: TillTotal) -> Sum:
    """What the journal has of a till's figure."""
    found = Sum()
    for (till, currency), sums in tills.items():
        if currency == figure.currency and figure.till in ("", till):
            group = {"total": sums.stages, "tender": sums.tenders, "tax": sums.taxes}[figure.kind]
            found = found + group.get("recorded" if figure.kind == "total" else figure.name, Sum())
    return found


def _run(first: str, last: str) -> str:
    return first if first == last else f"{first}-{last}"
