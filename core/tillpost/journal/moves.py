"""A move of a receipt: its row is changed and its event recorded, in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs

from tillpost.errors import JournalError
from tillpost.journal.database import List, Transaction
from tillpost.journal.states import MOVES, State, check_move
from tillpost.journal.tables import events

IN_HAND = frozenset(State) - {State.SKIPPED}
"""The states of a receipt in hand that is moved on: what its till voids or corrects meanwhile stays skipped."""


@attrs.frozen(kw_only=True)
class Move:
    """The next state of a receipt, when it is due again (seconds since 1970), and why.

    Of a delivery: verified, that the contact's history shows it; verify_after, the seconds after which the history is
    read for it, None: never.
    """

    state: State
    due: float = 0.0
    attempts: int = 0
    reason: str = ""
    route: str = ""
    file: str = ""
    verified: bool = False
    verify_after: float | None = None


def apply_move(transaction: Transaction, seq: int, move: Move, now: float, step: str) -> None:
    """Move one receipt and record the event. Raises JournalError for a move that is not allowed."""
    apply_moves(transaction, [seq], move, now, step)


def apply_moves(
    transaction: Transaction,
    seqs: Sequence[int],
    move: Move,
    now: float,
    step: str,
    allowed: Mapping[State, frozenset[State]] = MOVES,
    among: Collection[State] | None = None,
) -> None:
    """Move many receipts in the same way and record their events, in the order of `seqs`.

    among: receipts that are in another state by now than these are not moved.

    Raises JournalError for a move that is not allowed, or a row that does not exist.
    """
    states = dict(
        transaction.execute(
            "SELECT seq, state FROM receipts WHERE seq IN (SELECT value FROM json_each(?))", (List(seqs),)
        )
    )
    for seq in seqs:
        if seq not in states:
            raise JournalError(f"the journal has no row {seq}")
    if among is not None:
        seqs = [seq for seq in seqs if states[seq] in among]
        states = {seq: states[seq] for seq in seqs}
    for old in dict.fromkeys(states.values()):
        check_move(old, move.state, allowed)
    delivered = move.state is State.DELIVERED
    verified_at = now if delivered and move.verified else None
    verify_due = None if not delivered or move.verify_after is None else now + move.verify_after
    values = (move.state, move.due, move.attempts, move.reason, now, move.route, move.file, verified_at, verify_due)
    transaction.executemany(
        "UPDATE receipts SET state = ?1, due = ?2, attempts = ?3, reason = ?4, sending = NULL, changed_at = ?5,"
        " route = CASE WHEN ?1 = 'delivered' THEN ?6 ELSE route END,"
        " file = CASE WHEN ?7 <> '' THEN ?7 ELSE file END,"
        " delivered_at = CASE WHEN ?1 = 'delivered' THEN ?5 ELSE delivered_at END,"
        " verified_at = ?8, verify_due = ?9, looks = 0 WHERE seq = ?10",
        ((*values, seq) for seq in seqs),
    )
    fields = {name: value for name in ("reason", "route", "file") if (value := getattr(move, name))}
    if move.due > now:
        fields["due"] = move.due
    events.record_all(transaction, now, step, move.state, receipts=seqs, **fields)
