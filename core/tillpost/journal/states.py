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
    """The destination may have it: it is asked before anything is repeated."""
    WRITTEN = "written"
    """Written to a file of the outage."""
    TRANSFERRED = "transferred"
    """Its file lies with the destination."""
    DELIVERED = "delivered"
    """The destination has it; `route` says by which way."""
    HELD = "held"
    """A person decides; `reason` says why."""
    SKIPPED = "skipped"
    """Not to be sent (no customer, or discarded by a person), with the reason."""


_GOES = State.WAITING, State.UNCERTAIN, State.WRITTEN, State.DELIVERED, State.HELD, State.SKIPPED

MOVES: dict[State, frozenset[State]] = {
    State.ACCEPTED: frozenset({State.RESOLVED, *_GOES}),
    State.RESOLVED: frozenset({*_GOES}),
    State.WAITING: frozenset({State.RESOLVED, *_GOES}),
    State.UNCERTAIN: frozenset({State.WAITING, State.UNCERTAIN, State.WRITTEN, State.DELIVERED, State.HELD}),
    State.WRITTEN: frozenset({State.TRANSFERRED, State.WRITTEN, State.HELD}),
    State.TRANSFERRED: frozenset({State.DELIVERED, State.WRITTEN, State.HELD}),
    State.HELD: frozenset({State.ACCEPTED, State.SKIPPED}),
    State.DELIVERED: frozenset(),
    State.SKIPPED: frozenset(),
}

REPLAYS: dict[State, frozenset[State]] = {
    State.DELIVERED: frozenset({State.ACCEPTED, State.UNCERTAIN, State.WRITTEN}),
    State.SKIPPED: frozenset({State.ACCEPTED, State.WRITTEN}),
    State.HELD: frozenset({State.ACCEPTED, State.WRITTEN}),
    **{state: frozenset({State.WRITTEN}) for state in (State.ACCEPTED, State.RESOLVED, State.WAITING, State.UNCERTAIN)},
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


ACCEPTED_BY_API, VERIFIED = "accepted_by_api", "verified"


def confirmation(state: State, route: str, reason: str) -> str:
    """How a delivery is known: `accepted_by_api`, or `verified` in the contact's history; "" without one."""
    if state is not State.DELIVERED:
        return ""
    return VERIFIED if route == "file" or reason else ACCEPTED_BY_API
