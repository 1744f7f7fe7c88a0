"""Deposits (pant): where a line and its deposit tell the same money, which of the two it is counted in."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost.kit import ZERO, round_money
from tillpost.model import LineKind
from tillpost_digital_receipt.line_items import DraftLine, named_deposits

IN_PARENT = "deposit-in-parent"
"""The flag of a receipt in which the amounts of lines have the deposits in them that are lines of their own, too."""
ON_TOP = "deposit-on-top"
"""The flag of a receipt in which deposits that lines name (RecyclingAmount) are not in their amounts."""


def in_parents(drafts: Sequence[DraftLine], currency: str, named: Container[str] | None = None) -> list[DraftLine]:
    """The lines with the amounts of deposits taken out of the lines they belong to; their tax is shared.

    named: only out of these lines, by sequence number, else wherever a deposit points at a line.
    """
    lines = list(drafts)
    by_sequence = {draft.sequence: index for index, draft in enumerate(lines) if draft.sequence and not draft.parent}
    for index, deposit in enumerate(drafts):
        parent_index = by_sequence.get(deposit.parent) if deposit.parent else None
        if parent_index is None or (named is not None and deposit.parent not in named):
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


def on_top(drafts: Sequence[DraftLine], named: Mapping[str, Decimal]) -> list[DraftLine]:
    """The lines, and one for each deposit that a line names and that is no line of its own."""
    told = {draft.parent for draft in drafts if draft.parent}
    added = [
        DraftLine(LineKind.ADJUSTMENT, "Deposit", "Deposit", Decimal(1), amount, "", percent=ZERO, tax=ZERO)
        for sequence, amount in named.items()
        if sequence not in told
    ]
    return [*drafts, *added]


def variants(retail: _Element, drafts: list[DraftLine], currency: str) -> Iterator[tuple[str, str, list[DraftLine]]]:
    """The ways to count deposits: as a phrase, its flag, and the lines. Only the first where there are none."""
    yield "deposits as they are told", "", drafts
    named = named_deposits(retail)
    linked = any(draft.parent for draft in drafts)
    if linked and named:
        yield "deposits that lines name in their lines", IN_PARENT, in_parents(drafts, currency, named)
    if linked:
        yield "deposits in their lines", IN_PARENT, in_parents(drafts, currency)
    if named:
        yield "deposits that lines name on top", ON_TOP, on_top(drafts, named)
