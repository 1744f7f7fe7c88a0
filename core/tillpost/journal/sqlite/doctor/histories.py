"""Checks of the events of each receipt against its state."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from tillpost.journal.sqlite.doctor.damage import Damage
from tillpost.journal.sqlite.doctor.receipts import STATES, hold
from tillpost.journal.states import ANOTHER_TENANT, GIVEN_AWAY, MOVES, OPEN, REPLAYS, VERIFICATIONS, State
from tillpost.journal.tables import events

_OPEN = frozenset(map(str, OPEN))


def examine(connection: apsw.Connection) -> Iterator[Damage]:
    """Find receipts whose state is not that of their last event."""
    stands = "SELECT e.receipt, e.step, e.what, r.state, r.id FROM events e JOIN receipts r ON r.seq = e.receipt"
    seq, at, state, identity = None, None, None, ""
    wrong = ""
    for receipt, step, what, now_in, its_id in connection.execute(f"{stands} ORDER BY e.receipt, e.seq"):
        if receipt != seq:
            yield from _history(seq, identity, at, state, wrong)
            seq, at, state, identity, wrong = receipt, None, now_in, its_id, ""
        if what == "sending":
            at = State.RESOLVED
        elif what in STATES:
            new = STATES[what]
            if at is not None and not _is_allowed(step, at, new):
                wrong = wrong or f"from {at} to {new}"
            at = new
    yield from _history(seq, identity, at, state, wrong)


_OF_STEP = {"replay": REPLAYS, "verify": VERIFICATIONS, "tenant": ANOTHER_TENANT, "move": GIVEN_AWAY}


def _is_allowed(step: object, at: State, new: State) -> bool:
    """Whether docs/states.md draws the move: of the flow, a replay, the verification, or a repair."""
    if new in MOVES[at] or step == "repair" or (at is State.RESOLVED and new is State.RESOLVED):
        return True
    return new in _OF_STEP.get(str(step), {}).get(at, ())


def _history(seq: int | None, identity: str, at: State | None, state: object, wrong: str) -> Iterator[Damage]:
    if seq is None or at is None:
        return
    if state in STATES and at != state:
        end = at in (State.DELIVERED, State.SKIPPED)

        def fix(connection: apsw.Connection, now: float) -> None:
            if state in _OPEN and not end:
                reason = f"the journal's row said {state}, its last event {at}; retrying it is safe: the id is the same"
                hold(connection, seq, now, reason)
            elif end:
                connection.execute("UPDATE receipts SET state = ?, sending = NULL WHERE seq = ?", (at, seq))
            else:
                events.record(connection, now, "repair", str(state), receipt=seq, reason="an event was lost")

        yield Damage(
            table="receipts", row=str(seq), receipt=identity, reason=f"is {state}, and its last event says {at}",
            lost="nothing", remedy=f"set to {at}" if end else "held" if state in _OPEN else "the event is added",
            fix=fix,
        )  # fmt: skip
    elif wrong:
        yield Damage(
            table="events", row=f"of receipt {seq}", receipt=identity, reason=f"tell a forbidden move: {wrong}",
            lost="an event", remedy="nothing to be done", note=True,
        )  # fmt: skip
