"""Deliver: receipts by API. The intent is in the journal before the call, the outcome after it.

`claim` picks receipts, `prepare` makes the requests of those that need no question first, `perform` makes the call. A
thread of the worker does the first two for many receipts at a time (flow/delivery/outbox.py); `deliver` is all of it
for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import attrs

from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.delivery.resolve import resolve
from tillpost.flow.line import Line
from tillpost.flow.rate_limit.budget import live_requests
from tillpost.flow.retry_policy import BACKLOG_TURN, LIVE_SECONDS, decide, is_live
from tillpost.journal import Entry, Move, State, Stored
from tillpost.model import (
    Contact,
    Gone,
    Identifier,
    MaybeSent,
    Misconfigured,
    NotSent,
    Outcome,
    Payload,
    Refused,
)
from tillpost.trace import working_on

_T = TypeVar("_T")


@attrs.frozen
class Ready:
    """A receipt that can be sent, and of which the journal is about to be told that it is.

    The thread that sends it maps it, too: a plugin that hangs keeps back this one and no other.
    """

    entry: Entry
    contact_id: str
    stored: Mapping[int, Stored] = attrs.field(repr=False)


@attrs.frozen
class Prepared:
    """What has become of claimed receipts.

    to_ask: the destination must be asked first, about the receipt or its contact. moves: nothing is to be sent.
    """

    ready: list[Ready] = attrs.field(factory=list)
    to_ask: list[Entry] = attrs.field(factory=list)
    moves: list[tuple[int, Move]] = attrs.field(factory=list)


def claim(line: Line, most: int) -> list[Entry]:
    """Receipts that are due and that no other thread works on; none while the destination is not to be called.

    What was just accepted goes first; one claim in BACKLOG_TURN takes the longest due, whatever it is.
    """
    if line.guard.closed or not line.breaker.allows_requests():
        return []
    now, limit = line.clock.time(), most + len(line.claims)
    due: list[Entry] = []
    mine: set[int] = set()
    if next(line.rounds) % BACKLOG_TURN:
        due = line.journal.receipts.just_accepted(now - LIVE_SECONDS, now, limit)
        mine = line.claims.claim((entry.seq for entry in due), most)
    if not mine:
        due = line.journal.receipts.due(now, limit)
        mine = line.claims.claim((entry.seq for entry in due), most)
    if not mine:
        return []
    # Settled by another thread between the query and the claim: look again, now that it is ours.
    try:
        fresh = {entry.seq: entry for entry in line.journal.receipts.refresh(mine)}
    except BaseException:
        line.claims.release(mine)
        raise
    gone = mine - fresh.keys()
    line.claims.release(gone)
    return [fresh[entry.seq] for entry in due if entry.seq in fresh]


def prepare(line: Line, entries: Iterable[Entry]) -> Prepared:
    """Make the requests of claimed receipts, as far as that takes no call to the destination."""
    prepared, now = Prepared(), line.clock.monotonic()
    sendable: list[Entry] = []
    for entry in entries:
        if entry.sending is not None:
            prepared.moves.append((entry.seq, _lost(line, entry)))
        elif entry.state is State.UNCERTAIN or entry.contact is None:
            prepared.to_ask.append(entry)
        else:
            sendable.append(entry)
    known = line.journal.contacts.known({entry.contact for entry in sendable if entry.contact}) if sendable else {}
    known = {key: contact_id for key, contact_id in known.items() if line.contact_ids.holds(key, contact_id, now)}
    stored = line.journal.receipts.stored(entry.seq for entry in sendable if entry.contact in known) if known else {}
    for entry in sendable:
        contact_id = known.get(entry.contact or "")
        if contact_id is None:
            prepared.to_ask.append(entry)
        else:
            own = {entry.seq: stored[entry.seq]} if entry.seq in stored else {}
            prepared.ready.append(Ready(entry, contact_id, own))
    return prepared


def perform(line: Line, job: Ready | Entry, *, alone: bool = False) -> Move | None:
    """The call, or what must be asked before it; the move that comes of it, yet to be made.

    None: its contact is known by now, so it can be prepared with others; never for one that goes `alone`.
    """
    entry = job.entry if isinstance(job, Ready) else job
    with live_requests(is_live(entry, line.clock.time())), working_on(line.name, entry.id):
        if isinstance(job, Ready):
            with line.journal.crash_marks.holding(entry.seq):
                made = _guarded(line, entry, lambda: _mapped(line, job))
            return made if isinstance(made, Move) else _guarded(line, entry, lambda: _hand_over(line, entry, made))
        with line.journal.crash_marks.holding(entry.seq):
            if entry.state is State.UNCERTAIN:
                return _guarded(line, entry, lambda: _confirm(line, entry))
            return _guarded(line, entry, lambda: _send(line, entry, alone))


def deliver(line: Line, entry: Entry) -> Move:
    """Bring one claimed receipt a step further, and return the move that was made."""
    move = _lost(line, entry) if entry.sending is not None else perform(line, entry, alone=True)
    assert move is not None
    line.journal.receipts.settle([(entry.seq, move)], line.clock.time(), "deliver")
    return move


def _guarded(line: Line, entry: Entry, step: Callable[[], _T]) -> _T | Move:
    """What the step gives, or what becomes of a receipt of which it says that it cannot be done."""
    try:
        return step()
    except (InvalidValue, PluginError) as error:
        # Its own fault, or a plugin's: it waits for a person, its neighbours go on.
        return Move(state=State.HELD, attempts=entry.attempts, reason=str(error))
    except OSError as error:
        # A plugin let it out, so nobody knows whether the request had left.
        lost = MaybeSent(reason=type(error).__name__)
        line.breaker.record(lost)
        return decide(lost, entry.attempts, line.retry, line.clock.time(), line.random)


def _lost(line: Line, entry: Entry) -> Move:
    # Sent, and the outcome could not be written down (a full disk): as uncertain as a lost answer.
    lost = MaybeSent(reason="the outcome could not be written down")
    return decide(lost, entry.attempts, line.retry, line.clock.time(), line.random)


def _send(line: Line, entry: Entry, alone: bool) -> Move | None:
    if entry.contact is None:
        raise InvalidValue("has no contact to send it with", place=f"receipt {entry.id}")
    contact = resolve(line, entry.contact)
    if contact is None:
        reason = "the contact is unknown and no resolver may create it"
        state = State.SKIPPED if line.skip_unknown else State.HELD
        return Move(state=state, attempts=entry.attempts, reason=reason)
    if not isinstance(contact, Contact):
        move = _decide(line, entry, contact)
        if move.state is State.UNCERTAIN:
            # Only the contact's fate is unknown; the receipt itself was not sent. It is looked up next time.
            not_sent = NotSent(reason=getattr(contact, "reason", ""))
            move = decide(not_sent, entry.attempts, line.retry, line.clock.time(), line.random)
        return move
    if not alone and not contact.changes():
        return None
    payload = _mapped(line, Ready(entry, contact.contact_id, line.journal.receipts.stored([entry.seq])))
    line.journal.receipts.intend(entry.seq, line.clock.time())
    return _hand_over(line, entry, payload)


def _mapped(line: Line, ready: Ready) -> Payload:
    receipt = line.journal.receipts.body(ready.entry.seq, ready.stored)
    payload = line.hooks.map_receipt(receipt, Identifier("contactId", ready.contact_id))
    return line.hooks.amend_payload(payload, receipt)


def _hand_over(line: Line, entry: Entry, payload: Payload) -> Move:
    outcome = line.hooks.deliver(payload)
    line.breaker.record(outcome)
    return _decide(line, entry, outcome)


def _decide(line: Line, entry: Entry, outcome: Outcome) -> Move:
    move = decide(outcome, entry.attempts, line.retry, line.clock.time(), line.random)
    # Receipts go by when they were due: one that met wrong settings keeps its place before those behind it.
    return attrs.evolve(move, due=entry.due) if isinstance(outcome, Misconfigured) else move


def _confirm(line: Line, entry: Entry) -> Move:
    """An uncertain receipt past the import time: is it in the contact's history? If not it is sent again, same id."""
    now = line.clock.time()
    if entry.contact is None:
        raise InvalidValue("has no contact to send it with", place=f"receipt {entry.id}")
    contact = line.journal.contacts.get(entry.contact)
    shown = line.hooks.confirm_receipts(contact, frozenset({entry.id})) if contact.contact_id else frozenset()
    line.breaker.record(shown)
    if isinstance(shown, Gone):
        line.journal.contacts.forget_id(contact.key, shown.reason, now)
        shown = frozenset()
    if isinstance(shown, frozenset):
        if entry.id in shown:
            return Move(state=State.DELIVERED, attempts=entry.attempts, route="api", reason="seen in the history")
        return Move(state=State.WAITING, due=now, attempts=entry.attempts, reason="not in the history: sent again")
    if shown is None:
        raise InvalidValue("cannot be verified: the transport has no `confirm_receipts`", place=f"receipt {entry.id}")
    if isinstance(shown, Refused):
        raise InvalidValue(f"the contact's history cannot be read: {shown.reason}", place=f"receipt {entry.id}")
    later = decide(NotSent(reason=shown.reason), entry.attempts, line.retry, now, line.random)
    return Move(state=State.UNCERTAIN, due=later.due, attempts=entry.attempts, reason=shown.reason)
