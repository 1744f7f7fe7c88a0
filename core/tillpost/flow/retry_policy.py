"""The retry policy, as pure functions: outcome, attempts and time in; next state and due time out.

The waits are those of the Engage contract's rules of conduct: 10 s, 30 s, 60 s, 300 s, with jitter. A Retry-After
goes before them.
"""

from __future__ import annotations

from math import isfinite
from random import Random

from tillpost.flow.limits import RetryPolicy, TransferPolicy
from tillpost.journal import Entry, Move, State
from tillpost.model import Delivered, MaybeSent, Misconfigured, NotSent, Outcome, Refused, Throttled

_GROWTH = (1, 3, 6, 30)
_LONGEST_RETRY_AFTER = 3600.0
_LONGEST_GROWN = 60.0
"""Seconds between two tries of a source or an observer, unless the other side asks for a longer wait."""
_LONGEST_ASKED = 86400.0
MAX_CRASHES = 3
"""Crashes with one receipt in hand after which it is held for a person, where it cannot be tried apart (trials.py)."""

LIVE_SECONDS = 60.0
"""Seconds after its acceptance for which a receipt is live: just sold, and not yet part of the backlog."""
BACKLOG_TURN = 4
"""One turn in so many belongs to the backlog, however much is live, so that the backlog always moves."""


def is_live(entry: Entry, now: float) -> bool:
    """Whether it was just accepted and has used no attempt."""
    return not entry.attempts and entry.accepted_at >= now - LIVE_SECONDS


def backoff(
    attempt: int, policy: RetryPolicy | TransferPolicy, random: Random, retry_after: float | None = None
) -> float:
    """Seconds before the next attempt, jittered over the whole span and never zero. attempt: counts from 1."""
    initial, maximum = policy.wait_initial.total_seconds(), policy.wait_max.total_seconds()
    span = min(maximum, initial * _GROWTH[min(max(attempt, 1), len(_GROWTH)) - 1])
    jittered = span * (0.05 + 0.95 * random.random())
    if retry_after is not None and retry_after >= 0:
        return max(min(retry_after, _LONGEST_RETRY_AFTER), jittered)
    return jittered


def growing_wait(failures: int, first: float, asked: object, random: Random) -> float:
    """Seconds until a source or an observer that fails is tried again; they double from `first` on, to a minute.

    failures: in a row. asked: the seconds the other side asks for, where it is a number; at most a day of them.
    """
    wait = min(_LONGEST_GROWN, first * 2.0 ** min(failures - 1, 20)) * random.uniform(0.8, 1.2)
    if not isinstance(asked, int | float) or isinstance(asked, bool) or not isfinite(asked):
        return wait
    return max(wait, min(asked, _LONGEST_ASKED))


def decide(
    outcome: Outcome,
    attempts: int,
    retry: RetryPolicy,
    now: float,
    random: Random,
    verify_after: float | None = None,
) -> Move:
    """The move of a receipt after one attempt. attempts: how many it had used before this one.

    verify_after: seconds after which the history is read for it, once it is delivered; None: never.
    """
    match outcome:
        case Delivered():
            return Move(state=State.DELIVERED, attempts=attempts + 1, route="api", verify_after=verify_after)
        case Refused():
            return Move(state=State.HELD, attempts=attempts + 1, reason=outcome.reason)
        case MaybeSent():
            due = now + retry.confirm_after.total_seconds()
            return Move(state=State.UNCERTAIN, due=due, attempts=attempts + 1, reason=outcome.reason)
        case NotSent():
            due = now + backoff(attempts + 1, retry, random, outcome.retry_after)
            return Move(state=State.WAITING, due=due, attempts=attempts + 1, reason=outcome.reason)
        case Throttled():
            due = now + backoff(1, retry, random, outcome.retry_after)
            return Move(state=State.WAITING, due=due, attempts=attempts, reason=outcome.reason)
        case Misconfigured():
            # The pipeline pauses as a whole; the receipt keeps its place and its attempts.
            return Move(state=State.WAITING, due=now, attempts=attempts, reason=outcome.reason)


def hold(entry: Entry, reason: str) -> Move:
    """Keep the receipt for a person. That uses no attempt."""
    return Move(state=State.HELD, attempts=entry.attempts, reason=reason)


def after_crash(entry: Entry, retry: RetryPolicy, now: float, random: Random, count: bool = True) -> Move:
    """The move of a receipt that was in hand when the process ended. That used an attempt.

    If it may have been sent, the destination is asked before it is sent again. count: after MAX_CRASHES the receipt is
    held: it may be the cause, and a file would have to map it, too.
    """
    attempts = entry.attempts + 1
    if count and entry.crashes + 1 >= MAX_CRASHES:
        reason = f"the process ended {MAX_CRASHES} times while it had this receipt in hand"
        return Move(state=State.HELD, attempts=attempts, reason=reason)
    due = now + backoff(attempts, retry, random)
    state = State.WAITING
    if entry.sending is not None:
        state, due = State.UNCERTAIN, min(entry.sending, now) + retry.confirm_after.total_seconds()
    elif entry.state is State.UNCERTAIN:
        state = State.UNCERTAIN
    return Move(state=state, due=due, attempts=attempts, reason="the process ended while it had this receipt in hand")
