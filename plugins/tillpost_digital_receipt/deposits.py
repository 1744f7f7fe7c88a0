"""Deposits (pant): where a line and its deposit tell the same money, which of the two it is counted in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import attrs

from tillpost.kit import ZERO, round_money
from tillpost.model import LineKind
from tillpost_digital_receipt.line_items import DraftLine

IN_PARENT = "deposit-in-parent"
"""The flag of a receipt in which the amounts of lines have the deposits in them that are lines of their own, too."""
ON_TOP = "deposit-on-top"
"""The flag of a receipt in which deposits that lines name (RecyclingAmount) are not in their amounts."""


def in_parents(drafts: Sequence[DraftLine], currency: str, *, named: bool) -> list[DraftLine]:
    """The lines with the amounts of deposits taken out of the lines they belong to; their tax is shared.

    named: only where the line names its deposit (RecyclingAmount), else wherever a deposit points at a line.
    """
    lines = list(drafts)
    by_sequence = {draft.sequence: index for index, draft in enumerate(lines) if draft.sequence and not draft.parent}
    for index, deposit in enumerate(drafts):
        parent_index = by_sequence.get(deposit.parent) if deposit.parent else None
        if parent_index is None or (named and not lines[parent_index].recycling):
            continue
        parent, own = lines[parent_index], deposit
        if deposit.tax is None and parent.amount and parent.tax is not None:
            share = round_money(parent.tax * deposit.amount / parent.amount, currency)
            own = attrs.evolve(deposit, tax=share, percent=parent.percent)
            parent = attrs.evolve(parent, tax=parent.tax - share)
        elif deposit.percent is None:
            own = attrs.evolve(deposit, percent=parent.percent)
        lines[index] = own
        lines[parent_index] = attrs.evolve(parent, amount=parent.amount - deposit.amount)
    return lines


def on_top(drafts: Sequence[DraftLine]) -> list[DraftLine]:
    """The lines, and one for each deposit that a line names and that is no line of its own."""
    told = {draft.parent for draft in drafts if draft.parent}
    added = [
        DraftLine(LineKind.ADJUSTMENT, "Deposit", "Deposit", Decimal(1), draft.recycling, "", percent=ZERO, tax=ZERO)
        for draft in drafts
        if draft.recycling and draft.sequence not in told
    ]
    return [*drafts, *added]


def variants(drafts: list[DraftLine], currency: str) -> list[tuple[str, str, Callable[[], list[DraftLine]]]]:
    """The ways to count deposits: as a phrase, its flag, and the lines. Only the first where there are none."""
    ways: list[tuple[str, str, Callable[[], list[DraftLine]]]] = [("deposits as they are told", "", lambda: drafts)]
    linked = any(draft.parent for draft in drafts)
    if linked and any(draft.recycling for draft in drafts):
        ways.append(
            ("deposits that lines name in their lines", IN_PARENT, lambda: in_parents(drafts, currency, named=True))
        )
    if linked:
        ways.append(("deposits in their lines", IN_PARENT, lambda: in_parents(drafts, currency, named=False)))
    if any(draft.recycling for draft in drafts):
        ways.append(("deposits that lines name on top", ON_TOP, lambda: on_top(drafts)))
    return ways
