"""Move: what waits in the journal of a pipeline that is gone is given to another pipeline.

Each receipt is taken over before it is given away, and the id says whether it was, so a crash between the two loses
and doubles nothing. What may have left is looked for in the history of the destination first.
"""

from __future__ import annotations

from collections import Counter

import attrs

from tillpost.journal import Journal
from tillpost.model import Customer

_GROUP = 100
"""Receipts in a commit."""
_REASON = "its receipts were moved to another pipeline"


@attrs.frozen(kw_only=True)
class MoveResult:
    """How many receipts were moved, and how many were not, by the reason."""

    moved: int
    left: Counter[str]


def move_receipts(
    source: Journal, target: Journal, to: str, anonymous: Customer | None, confirm_after: float, now: float
) -> MoveResult:
    """Give every receipt that waits, and every held one, to another journal. No process may work on the source.

    to: the name of the other pipeline. anonymous: its contact for sales without a customer. confirm_after: seconds
    after which the destination is asked about what may have left.
    """
    moved, left, after = 0, Counter[str](), 0
    while waiting := source.moved.waiting(after, _GROUP):
        refused = target.moved.take_over(waiting, anonymous, now + confirm_after, now)
        left.update(refused.values())
        seqs = [each.seq for each in waiting if each.id not in refused]
        source.moved.give_away(seqs, to, now)
        moved += len(seqs)
        after = waiting[-1].seq
    for entry in source.files.open():
        source.files.withdraw(entry, now, _REASON, now)
        entry.file.path.unlink(missing_ok=True)
    if beside := source.moved.left_behind():
        left["it stands beside a receipt of its id"] += beside
    return MoveResult(moved=moved, left=left)


@attrs.frozen(kw_only=True)
class Recovered:
    """What one journal had beyond another: receipts it has got, and those that were not taken over, by the reason."""

    receipts: int
    left: Counter[str]


def recover_receipts(
    source: Journal, target: Journal, anonymous: Customer | None, confirm_after: float, now: float
) -> Recovered:
    """Give the journal that was restored what the one in whose place it stands has beyond it.

    Whatever was open or delivered there may have left: the destination is asked before it is sent. What is held or
    skipped there is so here as well. A second time nothing is inserted.
    """
    before, left, after = sum(target.receipts.counts().values()), Counter[str](), 0
    target.moved.take_notes(source.moved.notes())
    while found := source.moved.all(after, _GROUP):
        left.update(target.moved.take_over(found, anonymous, now + confirm_after, now).values())
        after = found[-1].seq
    return Recovered(receipts=sum(target.receipts.counts().values()) - before, left=left)
