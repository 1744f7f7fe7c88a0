"""Deliver: receipts by API. The intent is in the journal before the call, the outcome after it.

`claim` picks receipts, `prepare` makes ready those the destination need not be asked about first, and `perform` makes
the call. The outbox (outbox.py) claims and prepares many receipts at a time; `deliver` does all of it for one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import attrs

from tillpost.errors import InvalidValue, PluginError, TillpostError, describe
from tillpost.flow.contacts.resolve import UNKNOWN, Unknown, confirmed_between, not_looked_up, resolve
from tillpost.flow.delivery.histories import Answer, read_history
from tillpost.flow.line import Line
from tillpost.flow.rate_limit.budget import live_requests
from tillpost.flow.retry_policy import BACKLOG_TURN, LIVE_SECONDS, decide, hold, is_live
from tillpost.flow.trials import SUSPECT, Verdict, blame
from tillpost.journal import Entry, Move, State, Stored
from tillpost.journal.tables.taken_ids import NOT_SHOWN, VOIDED
from tillpost.model import (
    Contact,
    Gone,
    History,
    Identifier,
    MaybeSent,
    Misconfigured,
    NoHistory,
    NotSent,
    Outcome,
    Payload,
    Refused,
)
from tillpost.trace import working_on

_T = TypeVar("_T")
_log = logging.getLogger("tillpost.flow")


@attrs.frozen
class Ready:
    """A receipt that can be sent, and whose intent is about to be written to the journal.

    The thread that sends it also maps it, so that a plugin that hangs delays this receipt and no other.
    """

    entry: Entry
    contact_id: str
    stored: Mapping[int, Stored] = attrs.field(repr=False)


@attrs.frozen
class Prepared:
    """Claimed receipts after `prepare`.

    to_ask: the destination must be asked first, about the receipt or its contact. moves: of those not to be sent.
    """

    ready: list[Ready] = attrs.field(factory=list)
    to_ask: list[Entry] = attrs.field(factory=list)
    moves: list[tuple[int, Move]] = attrs.field(factory=list)


def claim(line: Line, limit: int) -> list[Entry]:
    """Claim receipts that are due, at most `limit`; none while the destination may not be called.

    Live receipts go first. Every BACKLOG_TURN-th time those that have been due longest go first, whatever they are.
    """
    if line.guard.closed or line.tenant.pending is not None or not line.breaker.allows_requests():
        return []
    now, most = line.clock.time(), limit + len(line.claims)
    due: list[Entry] = []
    claimed: set[int] = set()
    if next(line.rounds) % BACKLOG_TURN:
        due = line.journal.receipts.just_accepted(now - LIVE_SECONDS, now, most)
        claimed = line.claims.claim((entry.seq for entry in due), limit)
    if not claimed:
        due = line.journal.receipts.due(now, most)
        claimed = line.claims.claim((entry.seq for entry in due), limit)
    if not claimed:
        return []
    # Another thread may have settled some between the query and the claim: read them again.
    try:
        fresh = {entry.seq: entry for entry in line.journal.receipts.refresh(claimed)}
    except BaseException:
        line.claims.release(claimed)
        raise
    line.claims.release(claimed - fresh.keys())
    return [fresh[entry.seq] for entry in due if entry.seq in fresh]


def prepare(line: Line, entries: Iterable[Entry]) -> Prepared:
    """Make claimed receipts ready, as far as that takes no call to the destination."""
    prepared, now = Prepared(), line.clock.monotonic()
    sendable: list[Entry] = []
    for entry in entries:
        if entry.sending is not None:
            prepared.moves.append((entry.seq, _outcome_unknown(line, entry)))
        elif entry.state is State.UNCERTAIN or entry.contact is None:
            prepared.to_ask.append(entry)
        else:
            sendable.append(entry)
    keys = {entry.contact for entry in sendable if entry.contact}
    known = line.journal.contacts.known(keys, *confirmed_between(line)) if keys else {}
    known = {key: contact_id for key, contact_id in known.items() if line.contact_ids.holds(key, contact_id, now)}
    stored = line.journal.bodies.stored(entry.seq for entry in sendable if entry.contact in known) if known else {}
    for entry in sendable:
        contact_id = known.get(entry.contact or "")
        if contact_id is None:
            prepared.to_ask.append(entry)
        else:
            own = {entry.seq: stored[entry.seq]} if entry.seq in stored else {}
            prepared.ready.append(Ready(entry, contact_id, own))
    return prepared


def perform(line: Line, job: Ready | Entry, *, alone: bool = False) -> Move | None:
    """Make the call, or ask what must be asked before it; the move that follows, which the caller writes.

    None: its contact is known now, so it can be prepared together with others. Never None with `alone`.
    """
    entry = job.entry if isinstance(job, Ready) else job
    with live_requests(is_live(entry, line.clock.time())), working_on(line.name, entry.id):
        if entry.crashes >= SUSPECT and (move := _try_apart(line, job)) is not None:
            return move
        with line.journal.crash_marks.holding(entry.seq):
            if isinstance(job, Ready):
                return _attempt(line, entry, lambda: _send(line, entry, _map(line, job)))
            if entry.state is State.UNCERTAIN:
                return _attempt(line, entry, lambda: _confirm(line, entry))
            return _attempt(line, entry, lambda: _resolve_and_send(line, entry, alone))


def _try_apart(line: Line, job: Ready | Entry) -> Move | None:
    """The move of a receipt that was in hand at two ends of the process, after a trial; None: it is innocent so far.

    A receipt that is ready is delivered in the trial, so that nothing of it is done here that was not survived.
    """
    if isinstance(job, Entry):
        verdict = line.trial_group.try_apart({"do": "ask", "receipt": job.id})
        return _hold_after_trial(job, "maps it, or asks about it", verdict) if verdict.died else None
    entry = job.entry
    verdict = line.trial_group.try_apart({"do": "deliver", "receipt": entry.id, "contact_id": job.contact_id})
    if verdict.died:
        return _hold_after_trial(entry, "maps and sends it", verdict)
    if verdict.outcome is None:
        return None
    line.journal.receipts.forget_crashes(entry.seq)
    return _after_sending(line, entry, job.contact_id, verdict.outcome)


def _hold_after_trial(entry: Entry, step: str, verdict: Verdict) -> Move:
    return Move(state=State.HELD, attempts=entry.attempts + 1, reason=blame(step, verdict))


def deliver(line: Line, entry: Entry) -> Move:
    """Bring one claimed receipt a step further; the move that was written."""
    move = _outcome_unknown(line, entry) if entry.sending is not None else perform(line, entry, alone=True)
    assert move is not None
    line.journal.receipts.settle([(entry.seq, move)], line.clock.time(), "deliver")
    return move


def _attempt(line: Line, entry: Entry, step: Callable[[], _T]) -> _T | Move:
    """The value of the step, or the move of a receipt for which the step fails."""
    try:
        return step()
    except (InvalidValue, PluginError) as error:
        # A fault of the receipt or of a plugin: it is held for a person, and the others go on.
        return hold(entry, str(error))
    except TillpostError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of ours that one receipt meets must not end the thread
        _log.error("pipeline %s: receipt %s is held: %s", line.name, entry.id, describe(error))
        return hold(entry, f"a fault of Tillpost itself: {describe(error)}; please report it")


def _outcome_unknown(line: Line, entry: Entry) -> Move:
    # It was sent, and the journal could not record the outcome (a full disk): the same as a lost answer.
    return _decide(line, entry, MaybeSent(reason="the outcome could not be recorded"))


def _resolve_and_send(line: Line, entry: Entry, alone: bool) -> Move | None:
    if entry.contact is None:
        return hold(entry, "the receipt has no contact")
    over = line.clock.time() - entry.accepted_at >= line.unknown_after.total_seconds()
    contact = resolve(line, entry.contact, again=over)
    if isinstance(contact, Unknown):
        reason = _why_unknown(line, entry.contact)
        if not over:
            return Move(state=State.WAITING, due=contact.due, attempts=entry.attempts, reason=reason)
        state = State.SKIPPED if line.skip_unknown else State.HELD
        return Move(state=state, attempts=entry.attempts, reason=reason)
    if not isinstance(contact, Contact):
        if isinstance(contact, MaybeSent):
            # The call about the contact may have gone through; the receipt itself was not sent.
            contact = NotSent(reason=contact.reason)
        return _decide(line, entry, contact)
    if not alone and (entry.crashes >= SUSPECT or not contact.changes()):
        return None
    payload = _map(line, Ready(entry, contact.contact_id, line.journal.bodies.stored([entry.seq])))
    if not line.journal.receipts.mark_sending(entry.seq, line.clock.time()):
        return Move(state=State.SKIPPED, attempts=entry.attempts, reason=VOIDED)  # it is skipped already
    return _send(line, entry, payload)


def _why_unknown(line: Line, key: str) -> str:
    """Nobody has it yet; or nobody is asked for it, because `resolve` has no resolver for the keys it has."""
    kinds = {known.kind for known in line.journal.contacts.get(key).identifiers}
    if line.lookup_keys is not None and kinds.isdisjoint(line.lookup_keys):
        return f"the contact is unknown: {not_looked_up(line.lookup_keys, kinds)}"
    return f"{UNKNOWN} (it has {', '.join(sorted(kinds))})"


def _map(line: Line, ready: Ready) -> Payload:
    receipt = line.journal.bodies.get(ready.entry.seq, ready.stored)
    payload = line.hooks.map_receipt(receipt, Identifier("contactId", ready.contact_id))
    return line.hooks.amend_payload(payload, receipt)


def _send(line: Line, entry: Entry, payload: Payload) -> Move:
    return _after_sending(line, entry, payload.match.value, line.hooks.deliver(payload))


def _after_sending(line: Line, entry: Entry, contact_id: str, sent: Outcome | Gone) -> Move:
    outcome = line.breaker.record(sent)
    if isinstance(outcome, Gone):
        if entry.contact is not None:
            now = line.clock.time()
            line.journal.contacts.forget_id(entry.contact, outcome.reason, now, contact_id=contact_id)
        outcome = NotSent(reason=outcome.reason)
    return _decide(line, entry, outcome)


def _decide(line: Line, entry: Entry, outcome: Outcome) -> Move:
    move = decide(outcome, entry.attempts, line.retry, line.clock.time(), line.random, line.verify_after(entry))
    # Receipts are sent in the order of their due times: one that met wrong settings keeps its place.
    return attrs.evolve(move, due=entry.due) if isinstance(outcome, Misconfigured) else move


def _confirm(line: Line, entry: Entry) -> Move:
    """Ask the contact's history about an uncertain receipt, after the import time. If absent, it is sent again."""
    now = line.clock.time()
    if entry.contact is None:
        return hold(entry, "the receipt has no contact")
    contact = line.journal.contacts.get(entry.contact)
    answer: Answer = History(shown=frozenset())
    if contact.contact_id:
        answer = line.breaker.record(read_history(line, contact, [entry]))
    if isinstance(answer, Gone):
        line.journal.contacts.forget_id(contact.key, answer.reason, now, contact_id=contact.contact_id)
        answer = History(shown=frozenset())
    if isinstance(answer, History) and entry.id in answer.shown:
        return Move(state=State.DELIVERED, attempts=entry.attempts, route="api", verified=True)
    if isinstance(answer, History | NoHistory):
        # Engage ignores an id it has: sending again is safe where the history cannot tell.
        why = NOT_SHOWN if isinstance(answer, History) and not answer.unread else "the history does not tell"
        return Move(state=State.WAITING, due=now, attempts=entry.attempts, reason=f"{why}: sent again")
    if answer is None:
        return hold(entry, "it may have been sent, and the transport plugin cannot look it up (no confirm_receipts)")
    if isinstance(answer, Refused):
        return hold(entry, f"it may have been sent, and the history of its contact cannot be read: {answer.reason}")
    later = _decide(line, entry, NotSent(reason=answer.reason))
    return Move(state=State.UNCERTAIN, due=later.due, attempts=entry.attempts, reason=answer.reason)
