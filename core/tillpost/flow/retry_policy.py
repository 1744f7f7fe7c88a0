"""Decisions as pure functions: outcome, attempts and time in, next state and time out.

The waits are those of the Engage contract's rules of conduct: 10 s, 30 s, 60 s, 300 s, with full jitter, and
Retry-After wins.
"""

from __future__ import annotations

from random import Random

from tillpost.flow.limits import RetryPolicy
from tillpost.journal import Entry, Move, State
from tillpost.model import Delivered, MaybeSent, Misconfigured, NotSent, Outcome, Refused, Throttled

_GROWTH = (1, 3, 6, 30)
_LONGEST_RETRY_AFTER = 3600.0
CRASHES = 3
"""Ends of the process with one receipt in hand after which a person looks at it: two may be chance."""

LIVE = 60.0
"""Seconds after its acceptance in which a receipt is live: just sold, and not yet of the backlog."""
FLOOR = 4
"""One turn in so many is the backlog's, however much is live: it must always move."""


def live(entry: Entry, now: float) -> bool:
    """Whether it was just accepted, and has burnt no attempt."""
    return not entry.attempts and entry.accepted_at >= now - LIVE


def wait(attempt: int, initial: float, longest: float, random: Random, retry_after: float | None = None) -> float:
    """Seconds before the next attempt; `attempt` counts from 1. Jittered over the whole span, never zero."""
    span = min(longest, initial * _GROWTH[min(max(attempt, 1), len(_GROWTH)) - 1])
    jittered = span * (0.05 + 0.95 * random.random())
    if retry_after is not None and retry_after >= 0:
        return max(min(retry_after, _LONGEST_RETRY_AFTER), jittered)
    return jittered


def decide(outcome: Outcome, attempts: int, retry: RetryPolicy, now: float, random: Random) -> Move:
    """What becomes of a receipt after one attempt. `attempts`: how many were burnt before this one."""
    initial, longest = retry.wait_initial.total_seconds(), retry.wait_max.total_seconds()
    match outcome:
        case Delivered():
            return Move(state=State.DELIVERED, attempts=attempts + 1, route="api")
        case Refused():
            return Move(state=State.HELD, attempts=attempts + 1, reason=outcome.reason)
        case MaybeSent():
            due = now + retry.confirm_after.total_seconds()
            return Move(state=State.UNCERTAIN, due=due, attempts=attempts + 1, reason=outcome.reason)
        case NotSent():
            due = now + wait(attempts + 1, initial, longest, random, outcome.retry_after)
            return Move(state=State.WAITING, due=due, attempts=attempts + 1, reason=outcome.reason)
        case Throttled():
            due = now + wait(1, initial, longest, random, outcome.retry_after)
            return Move(state=State.WAITING, due=due, attempts=attempts, reason=outcome.reason)
        case Misconfigured():
            # The pipeline pauses as a whole; the receipt keeps its place and its attempts.
            return Move(state=State.WAITING, due=now, attempts=attempts, reason=outcome.reason)


def crashed(entry: Entry, retry: RetryPolicy, now: float, random: Random) -> Move:
    """The process ended while it had the receipt in hand: that was an attempt. If it may be sent it is asked for.

    One that has seen CRASHES of them is held: it may be the cause. By file it would have to be mapped all the same.
    """
    attempts = entry.attempts + 1
    if entry.crashes + 1 >= CRASHES:
        reason = f"the process ended {CRASHES} times while it had this receipt in hand"
        return Move(state=State.HELD, attempts=attempts, reason=reason)
    due = now + wait(attempts, retry.wait_initial.total_seconds(), retry.wait_max.total_seconds(), random)
    state = State.WAITING
    if entry.sending is not None:
        state, due = State.UNCERTAIN, min(entry.sending, now) + retry.confirm_after.total_seconds()
    elif entry.state is State.UNCERTAIN:
        state = State.UNCERTAIN
    return Move(state=state, due=due, attempts=attempts, reason="the process ended while it had this receipt in hand")
