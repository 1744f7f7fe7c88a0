"""The states of a receipt and the moves between them; docs/states.md draws this table and is tested against it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from tillpost.errors import JournalError


class State(StrEnum):
    """Where a receipt is between acceptance and delivery."""

    ACCEPTED = "accepted"
    """Committed to the journal; no step has worked on it yet."""
    RESOLVED = "resolved"
    """Its contact has a contactId."""
    WAITING = "waiting"
    """An attempt failed; the next is due at a stored time."""
    UNCERTAIN = "uncertain"
    """The destination may have it: the destination is asked before the receipt is sent again."""
    WRITTEN = "written"
    """Written to a fallback file."""
    TRANSFERRED = "transferred"
    """Its file has been uploaded."""
    DELIVERED = "delivered"
    """The destination has it; `route` says by which way."""
    HELD = "held"
    """Waits for a person; `reason` says why."""
    SKIPPED = "skipped"
    """Not to be sent (no customer, or discarded by a person), with the reason."""


_GOES = State.WAITING, State.UNCERTAIN, State.WRITTEN, State.DELIVERED, State.HELD, State.SKIPPED

MOVES: dict[State, frozenset[State]] = {
    State.ACCEPTED: frozenset({State.RESOLVED, *_GOES}),
    State.RESOLVED: frozenset({*_GOES}),
    State.WAITING: frozenset({State.RESOLVED, *_GOES}),
    State.UNCERTAIN: frozenset({State.WAITING, State.UNCERTAIN, State.WRITTEN, State.DELIVERED, State.HELD}),
    State.WRITTEN: frozenset({State.TRANSFERRED, State.WRITTEN, State.WAITING, State.HELD}),
    State.TRANSFERRED: frozenset({State.DELIVERED, State.WRITTEN, State.UNCERTAIN, State.HELD}),
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
"""The moves of a replay, which a person has confirmed. Moves that are not in MOVES are allowed to a replay only."""

OPEN = (State.ACCEPTED, State.RESOLVED, State.WAITING, State.UNCERTAIN)
"""The states from which a receipt is sent by API when it is due."""

SETTLED = (State.DELIVERED, State.HELD, State.SKIPPED)
"""The states that only a person changes."""


def check_move(old: str, new: str, allowed: Mapping[State, frozenset[State]] = MOVES) -> None:
    """Raise JournalError when `allowed` does not have the move."""
    if State(new) not in allowed.get(State(old), ()):
        raise JournalError(f"a receipt does not go from {old} to {new}")


VERIFICATIONS: dict[State, frozenset[State]] = {
    State.DELIVERED: frozenset({State.ACCEPTED, State.HELD}),
}
"""The moves of the verification: what Engage accepted and does not show is sent again, or held. Only from `delivered`
without `verified_at`."""

GIVEN_AWAY: dict[State, frozenset[State]] = {
    State.UNCERTAIN: frozenset({State.SKIPPED}),
    State.WRITTEN: frozenset({State.SKIPPED}),
    State.TRANSFERRED: frozenset({State.SKIPPED}),
}
"""The moves when another pipeline has taken a receipt over (`tillpost stranded move`), beside those of MOVES."""

ANOTHER_TENANT: dict[State, frozenset[State]] = {
    State.WRITTEN: frozenset({State.WAITING}),
    State.TRANSFERRED: frozenset({State.WAITING}),
}
"""The moves when the destination turns out to be another tenant: files written for the former one count no more."""

ACCEPTED_BY_API, ACCEPTED_BY_IMPORT, VERIFIED = "accepted_by_api", "accepted_by_import", "verified"


def confirmation(state: State, route: str, verified_at: float | None) -> str:
    """How a delivery is known: `verified` in the contact's history, or accepted by its route; "" without one."""
    if state is not State.DELIVERED:
        return ""
    return VERIFIED if verified_at is not None else ACCEPTED_BY_IMPORT if route == "file" else ACCEPTED_BY_API
