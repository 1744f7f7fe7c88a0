"""The verdict, from two lists: what Tillpost accepted, and what the sandbox holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from tillpost_demo.text import counted


@attrs.frozen(kw_only=True)
class Verdict:
    """Where the accepted receipts are. The tuples hold receipt ids; a total is a sum by currency.

    lost: accepted, and neither in the sandbox nor held. duplicated: saved more than once by the sandbox.
    foreign: in the sandbox and never accepted. unsettled: still on their way. twins: sales the sandbox holds
    again under another id. Skipped receipts do not count as accepted.
    """

    accepted: int
    by_api: int
    by_file: int
    held: tuple[str, ...]
    lost: tuple[str, ...]
    duplicated: tuple[str, ...]
    twins: int
    foreign: tuple[str, ...]
    unsettled: tuple[str, ...]
    differing: tuple[str, ...]
    total_accepted: Mapping[str, Decimal]
    total_sandbox: Mapping[str, Decimal]

    @property
    def duplicates(self) -> int:
        """How many sales the sandbox holds too often."""
        return len(self.duplicated) + self.twins

    @property
    def ok(self) -> bool:
        """Every accepted receipt is in the sandbox, once, with its total, and nothing else is."""
        return not self.complaints()

    def complaints(self) -> list[str]:
        """What is wrong, worst first; empty when nothing is."""
        found = [
            (len(self.lost), "lost"),
            (self.duplicates, "duplicated"),
            (len(self.foreign), "in the sandbox and never accepted"),
            (len(self.differing), "with another total in the sandbox"),
            (len(self.unsettled), "not settled in time"),
            (len(self.held), "held for a person to decide"),
            (0 if self.accepted else 1, "run without any receipt"),
        ]
        return [f"{count} {what}" for count, what in found if count]

    def sentence(self) -> str:
        """The verdict in one line."""
        if complaints := self.complaints():
            return f"NOT VERIFIED: of {counted(self.accepted, 'receipt')} " + ", ".join(complaints)
        return (
            f"VERIFIED: {counted(self.accepted, 'receipt')}, each exactly once in Engage's sandbox "
            f"({self.by_api} by API, {self.by_file} by file), {totals_text(self.total_sandbox)} on both sides"
        )


def judge(receipts: Sequence[Mapping[str, Any]], stored: Sequence[Mapping[str, Any]], twins: int = 0) -> Verdict:
    """Compare `tillpost receipts --json` with the sandbox's `/_sandbox/receipts`.

    twins: the sandbox's own count of saved receipts that equal another under a different id. A receipt the
    sandbox has only queued, and not imported, is not held by it yet.
    """
    wanted = {row["id"]: row for row in receipts if row["state"] != "skipped"}
    held = tuple(identity for identity, row in wanted.items() if row["state"] == "held")
    imported = [row for row in stored if row["status"] == "imported"]
    times = Counter(row["uniqueReceiptId"] for row in imported)
    expected = [identity for identity in wanted if identity not in held]
    prices = {row["uniqueReceiptId"]: Decimal(row["totalGrossPrice"]) for row in imported}
    routes = Counter(row["route"] for row in wanted.values() if row["state"] == "delivered")
    return Verdict(
        accepted=len(wanted),
        by_api=routes["api"],
        by_file=routes["file"],
        held=held,
        lost=tuple(identity for identity in expected if not times[identity]),
        duplicated=tuple(identity for identity, count in times.items() if count > 1),
        twins=twins,
        foreign=tuple(identity for identity in times if identity not in wanted),
        unsettled=tuple(identity for identity, row in wanted.items() if row["state"] not in ("delivered", "held")),
        differing=tuple(
            identity
            for identity in expected
            if times[identity] and prices[identity] != Decimal(wanted[identity]["total"])
        ),
        total_accepted=_totals((wanted[identity]["currency"], wanted[identity]["total"]) for identity in expected),
        total_sandbox=_totals((row["currency"], row["totalGrossPrice"]) for row in imported),
    )


def totals_text(totals: Mapping[str, Decimal]) -> str:
    """Sums for people: `1 234.50 SEK + 10.00 EUR`."""
    return " + ".join(f"{total:,f} {currency}".replace(",", " ") for currency, total in totals.items()) or "nothing"


def totals_plain(totals: Mapping[str, Decimal]) -> str:
    """Sums for programs: the bare decimal of the one currency there is, else `1234.50 SEK, 10.00 EUR`."""
    if len(totals) == 1:
        return format(next(iter(totals.values())), "f")
    return ", ".join(f"{total:f} {currency}" for currency, total in totals.items()) or "0"


def _totals(amounts: Iterable[tuple[str, str]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for currency, amount in amounts:
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(amount)
    return dict(sorted(sums.items()))
