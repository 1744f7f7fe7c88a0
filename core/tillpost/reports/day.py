"""The end of a day: the till totals against what is recorded, delivered and confirmed, to the cent."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal

import attrs

from tillpost.errors import InvalidValue, JournalDamaged
from tillpost.journal import DayReceipt, Journal, State, TillTotal, VerificationStand
from tillpost.journal.states import confirmation
from tillpost.model import Receipt
from tillpost.reports.day_difference import Difference, Suspect, TillFigures, find_differences
from tillpost.reports.gaps import gaps_of_day
from tillpost.reports.sums import Sums, by_tax, by_tender

LISTED = 100
"""Receipts that a report names of each kind; all are counted."""
COLLIDING = re.compile(r"#(voided|[0-9a-f]{12})$")
"""How an id ends under which a receipt is held because its own id has other content (journal/tables/acceptance.py)."""


@attrs.frozen(kw_only=True)
class Day:
    """A store's business date.

    sums: currency → the whole store's. till_totals: what was compared with. undelivered: the first `LISTED` receipts
    that are neither delivered nor skipped, held ones among them. skipped: reason → how many. same_number: held because
    their id has other content, in no sum. unreadable: held, could not be read, of this store or no store and about that
    time. discarded: such records, and such with the same number, that a person has discarded. missing: till, first and
    last of the numbers that `gaps` misses on that day. tills_without_total: tills with receipts and without a total,
    where other tills of the store have one. damaged: ids whose content cannot be read, or is not what their row says;
    they are in no tender and no tax.
    removed: how many receipts of any day have left by `keep`.
    """

    store: str
    date: str
    till: str
    sums: dict[str, Sums]
    till_totals: tuple[TillTotal, ...]
    tills_without_total: tuple[str, ...]
    differences: tuple[Difference, ...]
    undelivered: tuple[Suspect, ...]
    skipped: dict[str, int]
    same_number: tuple[Suspect, ...]
    unreadable: tuple[Suspect, ...]
    discarded: tuple[Suspect, ...]
    missing: tuple[tuple[str, str, str], ...]
    damaged: tuple[str, ...]
    removed: int
    verification: VerificationStand | None

    @property
    def fine(self) -> bool:
        """Whether nobody has to look: no difference, and nothing that is not delivered."""
        undelivered = any(sums.stages["undelivered"].count for sums in self.sums.values())
        return not (undelivered or self.differences or self.same_number or self.unreadable or self.damaged)


def day(
    journal: Journal,
    store: str,
    business_date: date,
    *,
    till: str | None = None,
    till_totals: Sequence[TillTotal] | None = None,
    bodies: bool = True,
) -> Day:
    """Compare a day. till: only that till. till_totals: in place of the journal's. bodies: tenders and taxes too.

    Receipts are read in pages, so a day may have any number of them.
    """
    text = business_date.isoformat()
    figures = [
        figure
        for figure in (journal.day_totals.get(store, text) if till_totals is None else till_totals)
        if (figure.store, figure.business_date) == (store, text)
        and (till is None or figure.till == till)
        and (bodies or figure.kind in ("total", "receipt"))
    ]
    scan = _Scan(figures=TillFigures(figures))
    for row, receipt in receipts(journal, store, text, till, bodies):
        scan.add(row, receipt, bodies)
    unreadable, discarded = _unreadable(journal, store, business_date)
    discarded += scan.discarded
    whole: defaultdict[str, Sums] = defaultdict(Sums)
    for (_, currency), sums in sorted(scan.tills.items()):
        whole[currency].merge(sums)
    tills = list(journal.day_totals.counts(store, text)) if till is None else [till]
    missing = [
        (name, gap.first, gap.last)
        for name in (tills if bodies else ())  # a day is compared often without them
        for gap in gaps_of_day(journal, store, name, business_date)[:LISTED]
    ]
    differences = find_differences(
        scan.tills,
        scan.figures,
        store=store,
        date=text,
        find_suspects=lambda wanted: _find_suspects(journal, store, business_date, till, bodies, wanted),
        held=[*scan.same_number, *unreadable, *discarded],
        missing=missing,
    )
    return Day(
        store=store, date=text, till=till or "", sums=dict(whole), till_totals=tuple(figures),
        tills_without_total=_tills_without_total(figures, till or "", scan.tills), differences=tuple(differences),
        undelivered=tuple(scan.undelivered), skipped=dict(scan.skipped), same_number=tuple(scan.same_number),
        unreadable=tuple(unreadable), discarded=tuple(discarded), missing=tuple(missing), damaged=tuple(scan.damaged),
        removed=journal.retention.count_removed(),
        verification=journal.verification.stand() if bodies else None,  # a day is compared often without them

    )  # fmt: skip


def differences_since(journal: Journal, since: float) -> list[Difference]:
    """Where day totals that were put into the journal since then differ from it now; without tenders and taxes.

    A receipt that comes late ends its difference. For alerts: cheap, since only rows of those days are read.
    """
    return [
        difference
        for store, text in journal.day_totals.since(since)
        for difference in day(journal, store, date.fromisoformat(text), bodies=False).differences
    ]


def receipts(
    journal: Journal, store: str, text: str, till: str | None, bodies: bool
) -> Iterator[tuple[DayReceipt, Receipt | None]]:
    """The receipts of a till's day (None: of every till), with their content when that is asked for and readable."""
    for name in journal.day_totals.counts(store, text) if till is None else [till]:
        for page in journal.day_totals.pages(store, text, name):
            stored = journal.bodies.stored(row.seq for row in page) if bodies else {}
            for row in page:
                receipt = None
                if bodies:
                    with suppress(InvalidValue, JournalDamaged):
                        receipt = journal.bodies.get(row.seq, stored)
                yield row, receipt


@attrs.define(kw_only=True)
class _Scan:
    """What has been read of a day so far."""

    figures: TillFigures
    tills: defaultdict[tuple[str, str], Sums] = attrs.field(factory=lambda: defaultdict(Sums))
    undelivered: list[Suspect] = attrs.field(factory=list)
    skipped: defaultdict[str, int] = attrs.field(factory=lambda: defaultdict(int))
    same_number: list[Suspect] = attrs.field(factory=list)
    discarded: list[Suspect] = attrs.field(factory=list)
    damaged: list[str] = attrs.field(factory=list)

    def add(self, row: DayReceipt, receipt: Receipt | None, bodies: bool) -> None:
        if COLLIDING.search(row.id):
            if row.state == State.HELD:
                self.same_number.append(Suspect.of(row, "the same number with other content, held"))
            elif row.state == State.SKIPPED:
                self.discarded.append(Suspect.of(row, "the same number with other content"))
            return
        total = Decimal(row.total)
        sums = self.tills[row.till, row.currency]
        sums.stages["recorded"].add(total)
        self._add_to_stage(sums, row, total)
        self.figures.match(row, total)
        if not bodies:
            return
        if receipt is None or (receipt.total, receipt.currency) != (total, row.currency):
            self.damaged.append(row.id)
            sums.tenders[""].add(total)
            sums.taxes[""].add(total)
            return
        for tender, amount in by_tender(receipt).items():
            sums.tenders[tender].add(amount)
        for rate, (gross, tax) in by_tax(receipt).items():
            sums.taxes[rate].add(gross, tax)

    def _add_to_stage(self, sums: Sums, row: DayReceipt, total: Decimal) -> None:
        if row.state == State.DELIVERED:
            sums.stages["delivered"].add(total)
            sums.confirmed[confirmation(row.state, row.route, row.verified_at)].add(total)
        elif row.state == State.SKIPPED:
            sums.stages["skipped"].add(total)
            self.skipped[row.reason] += 1
        else:
            sums.stages["undelivered"].add(total)
            if row.state == State.HELD:
                sums.stages["held"].add(total)
            if len(self.undelivered) < LISTED:
                self.undelivered.append(Suspect.of(row, f"{row.state}, not delivered"))


def _tills_without_total(
    figures: Sequence[TillTotal], whole: str, tills: Mapping[tuple[str, str], Sums]
) -> tuple[str, ...]:
    """Tills that cannot be compared: neither they nor the whole store have a total in their currency."""
    totals = {(figure.till, figure.currency) for figure in figures if figure.kind == "total"}
    return tuple(
        sorted(
            till
            for till, currency in tills
            if totals and (till, currency) not in totals and (whole, currency) not in totals
        )
    )


def _unreadable(journal: Journal, store: str, business_date: date) -> tuple[list[Suspect], list[Suspect]]:
    """Records that could not be read: those that are held, and those that a person has discarded."""
    begin = datetime(business_date.year, business_date.month, business_date.day).astimezone().timestamp()
    rows = journal.day_totals.undated(store, begin, begin + 2 * 86400, LISTED)
    held = [
        Suspect.of(row, "could not be read, held; its amount is not known") for row in rows if row.state == State.HELD
    ]
    others = [
        Suspect.of(row, "could not be read; its amount is not known") for row in rows if row.state == State.SKIPPED
    ]
    return held, others


def _find_suspects(
    journal: Journal, store: str, business_date: date, till: str | None, bodies: bool, wanted: Sequence[Difference]
) -> Iterator[tuple[Difference, Suspect]]:
    """Receipts of the day, and of the days beside it, whose amount is a difference."""
    for days in (0, -1, 1):
        text = (business_date + timedelta(days=days)).isoformat()
        for row, receipt in receipts(journal, store, text, till, bodies):
            if COLLIDING.search(row.id) or row.total == "":
                continue
            for difference in wanted:
                off = difference.amount_difference
                if (amount := _amount(difference, row, receipt)) is None:
                    continue
                if days and amount == -off:
                    yield difference, Suspect.of(row, f"of {text}; its amount is the difference")
                elif not days and amount and abs(amount) == abs(off):
                    yield difference, Suspect.of(row, "its amount is the difference")


def _amount(difference: Difference, row: DayReceipt, receipt: Receipt | None) -> Decimal | None:
    if difference.currency != row.currency or difference.till not in ("", row.till):
        return None
    if difference.kind == "total":
        return Decimal(row.total)
    if receipt is not None and difference.kind == "tender":
        return by_tender(receipt).get(difference.name)
    if receipt is not None and difference.kind == "tax":
        return by_tax(receipt).get(difference.name, (None, None))[0]
    return None
