"""The states of a receipt and the moves between them; docs/states.md draws this table and is tested against it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from tillpost.errors import JournalError


class State(StrEnum):
    """Where a receipt stands on the line."""

    ACCEPTED = "accepted"
    """Committed to the journal; nothing else has happened yet."""
    RESOLVED = "resolved"
    """Its contact has a contactId."""
    WAITING = "waiting"
    """An attempt failed; the next is due at a stored time."""
    UNCERTAIN = "uncertain"
    """The far side may have it: it is asked before anything is repeated."""
    SPOOLED = "spooled"
    """Written to a file of the outage."""
    TRANSFERRED = "transferred"
    """Its file lies with the far side."""
    DELIVERED = "delivered"
    """The far side has it; `route` says by which way."""
    HELD = "held"
    """A person decides; `reason` says why."""
    SKIPPED = "skipped"
    """Not to be sent (no customer, or dropped by a person), with the reason."""


_GOES = State.WAITING, State.UNCERTAIN, State.SPOOLED, State.DELIVERED, State.HELD, State.SKIPPED

MOVES: dict[State, frozenset[State]] = {
    State.ACCEPTED: frozenset({State.RESOLVED, *_GOES}),
    State.RESOLVED: frozenset({*_GOES}),
    State.WAITING: frozenset({State.RESOLVED, *_GOES}),
    State.UNCERTAIN: frozenset({State.WAITING, State.UNCERTAIN, State.SPOOLED, State.DELIVERED, State.HELD}),
    State.SPOOLED: frozenset({State.TRANSFERRED, State.SPOOLED, State.HELD}),
    State.TRANSFERRED: frozenset({State.DELIVERED, State.SPOOLED, State.HELD}),
    State.HELD: frozenset({State.ACCEPTED, State.SKIPPED}),
    State.DELIVERED: frozenset(),
    State.SKIPPED: frozenset(),
}

REPLAYS: dict[State, frozenset[State]] = {
    State.DELIVERED: frozenset({State.ACCEPTED, State.UNCERTAIN, State.SPOOLED}),
    State.SKIPPED: frozenset({State.ACCEPTED, State.SPOOLED}),
    State.HELD: frozenset({State.ACCEPTED, State.SPOOLED}),
    **{state: frozenset({State.SPOOLED}) for state in (State.ACCEPTED, State.RESOLVED, State.WAITING, State.UNCERTAIN)},
}
"""The moves of a replay, which a person has confirmed; nothing else makes those that MOVES has not."""

OPEN = (State.ACCEPTED, State.RESOLVED, State.WAITING, State.UNCERTAIN)
"""The states in which the API route has something to do when the receipt is due."""

SETTLED = (State.DELIVERED, State.HELD, State.SKIPPED)
"""The states in which nothing more happens by itself."""


def check_move(old: str, new: str, allowed: Mapping[State, frozenset[State]] = MOVES) -> None:
    """Raise JournalError when the table does not allow the move."""
    if State(new) not in allowed.get(State(old), ()):
        raise JournalError(f"a receipt does not go from {old} to {new}")
