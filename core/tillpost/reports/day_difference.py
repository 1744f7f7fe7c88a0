"""Differences of a day: a printed figure beside the journal's, and the receipts that may be behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import attrs

from tillpost.journal import DayReceipt, TillTotal
from tillpost.reports.sums import Sum, Sums

MOST = 20
"""Receipts named for one difference."""


@attrs.frozen(kw_only=True)
class Suspect:
    """A receipt that may be behind a difference, or is not delivered, and why it is named."""

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


@attrs.frozen(kw_only=True)
class Difference:
    """A figure that is not what was printed.

    off: what the journal has more, negative: less. count_off: receipts, None where the till printed no number of them.
    till: "" is the whole store. kind, name: as of `TillTotal`.
    """

    store: str
    date: str
    till: str
    currency: str
    kind: str
    name: str
    printed: Decimal
    recorded: Decimal
    printed_count: int | None
    journalled_count: int
    source: str
    suspects: tuple[Suspect, ...] = ()

    @property
    def off(self) -> Decimal:
        """What the journal has more."""
        return self.recorded - self.printed

    @property
    def count_off(self) -> int | None:
        """How many receipts the journal has more."""
        return None if self.printed_count is None else self.journalled_count - self.printed_count


class Figures:
    """Figures a till printed; those of single receipts are crossed out as the receipts are met."""

    def __init__(self, figures: Iterable[TillTotal]) -> None:
        self.sums: list[TillTotal] = []
        self._single: dict[tuple[str, str, str], TillTotal] = {}
        self._listing: set[tuple[str, str]] = set()
        self._off: list[tuple[DayReceipt, Decimal, TillTotal | None]] = []
        for each in figures:
            if each.kind == "receipt":
                self._single[each.till, each.currency, each.name] = each
                self._listing.add((each.till, each.currency))
            else:
                self.sums.append(each)

    def meet(self, row: DayReceipt, total: Decimal) -> None:
        """A receipt of the journal: keep it when its printed amount is another, or its till's list leaves it out."""
        for till in (row.till, ""):
            if (till, row.currency) in self._listing:
                printed = self._single.pop((till, row.currency, row.number), None)
                if (printed is None or printed.total != total) and len(self._off) < MOST * MOST:
                    self._off.append((row, total, printed))
                return

    def single(self, store: str, date: str) -> Iterator[Difference]:
        """Of single receipts: other amounts, not printed, and printed yet not in the journal."""
        for row, total, printed in self._off:
            why = "not printed by the till" if printed is None else "its amount is not what the till printed"
            yield Difference(
                store=store, date=date, till=row.till, currency=row.currency, kind="receipt", name=row.number,
                printed=printed.total if printed else Decimal(0), recorded=total,
                printed_count=1 if printed else 0, journalled_count=1, source=printed.source if printed else "",
                suspects=(Suspect.of(row, why),),
            )  # fmt: skip
        for each in self._single.values():
            yield Difference(
                store=store, date=date, till=each.till, currency=each.currency, kind="receipt", name=each.name,
                printed=each.total, recorded=Decimal(0), printed_count=1, journalled_count=0, source=each.source,
                suspects=(Suspect(why="not in the journal", number=each.name, till=each.till),),
            )  # fmt: skip


Near = Callable[[Sequence[Difference]], Iterable[tuple[Difference, Suspect]]]


def differ(
    tills: Mapping[tuple[str, str], Sums],
    figures: Figures,
    *,
    store: str,
    date: str,
    near: Near,
    held: Sequence[Suspect],
    missing: Sequence[tuple[str, int, int]],
) -> list[Difference]:
    """Every printed figure that the journal does not have, with its suspects.

    near: finds receipts whose amount is a difference. held: what is in no sum. missing: runs of a till's numbers.
    """
    found = [
        Difference(
            store=store, date=date, till=each.till, currency=each.currency, kind=each.kind, name=each.name,
            printed=each.total, recorded=own.total, printed_count=each.count, journalled_count=own.count,
            source=each.source,
        )
        for each in figures.sums
        if (own := _own(tills, each)).total != each.total or each.count not in (None, own.count)
    ]  # fmt: skip
    named: defaultdict[int, list[Suspect]] = defaultdict(list)
    if found:
        places = {id(each): number for number, each in enumerate(found)}
        for difference, suspect in near([each for each in found if each.off]):
            if len(so_far := named[places[id(difference)]]) < MOST:
                so_far.append(suspect)
    answer: list[Difference] = []
    for number, each in enumerate(found):
        more = [suspect for suspect in held if each.till in ("", suspect.till) or not suspect.till]
        if (each.count_off or 0) < 0 or (each.count_off is None and each.off < 0):
            more += [
                Suspect(why="not in the journal, in the till's sequence", till=till, number=_run(first, last))
                for till, first, last in missing
                if each.till in ("", till)
            ]
        answer.append(attrs.evolve(each, suspects=tuple([*named[number], *more][:MOST])))
    return [*answer, *figures.single(store, date)]


def _own(tills: Mapping[tuple[str, str], Sums], printed: TillTotal) -> Sum:
    """What the journal has of a figure."""
    found = Sum()
    for (till, currency), sums in tills.items():
        if currency == printed.currency and printed.till in ("", till):
            group = {"total": sums.stages, "tender": sums.tenders, "tax": sums.taxes}[printed.kind]
            found = found + group.get("recorded" if printed.kind == "total" else printed.name, Sum())
    return found


def _run(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
