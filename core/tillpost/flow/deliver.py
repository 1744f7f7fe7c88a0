"""Deliver: one receipt by API. The intent is in the journal before the call, the outcome right after it."""

from __future__ import annotations

import attrs

from tillpost.errors import LawBroken, PluginError
from tillpost.flow.budget import live_work
from tillpost.flow.line import Line
from tillpost.flow.policy import FLOOR, LIVE, decide, live
from tillpost.flow.resolve import resolve
from tillpost.journal import Entry, Move, State
from tillpost.model import Contact, Gone, Identifier, MaybeSent, Misconfigured, NotSent, Outcome, Refused


def claim(line: Line, most: int) -> list[Entry]:
    """Receipts that are due and that no other thread works on; none while the far side is not to be called.

    What was just accepted goes first; one claim in FLOOR takes the longest due, whatever it is.
    """
    if not line.gate.open():
        return []
    now, limit = line.clock.time(), most + len(line.claims)
    due: list[Entry] = []
    mine: set[int] = set()
    if line.claims.turn() % FLOOR:
        due = line.journal.receipts.just_accepted(now - LIVE, now, limit)
        mine = line.claims.take((entry.seq for entry in due), most)
    if not mine:
        due = line.journal.receipts.due(now, limit)
        mine = line.claims.take((entry.seq for entry in due), most)
    if not mine:
        return []
    # Settled by another thread between the query and the claim: look again, now that it is ours.
    fresh = {entry.seq: entry for entry in line.journal.receipts.refresh(mine)}
    gone = mine - fresh.keys()
    line.claims.give_back(gone)
    return [fresh[entry.seq] for entry in due if entry.seq in fresh]


def deliver(line: Line, entry: Entry) -> Move:
    """Bring one claimed receipt a step further, and return the move that was made."""
    with line.journal.in_hand.holding(entry.seq), live_work(live(entry, line.clock.time())):
        return _deliver(line, entry)


def _deliver(line: Line, entry: Entry) -> Move:
    try:
        if entry.sending is not None:
            # Sent, and the outcome could not be written down (a full disk): as uncertain as a lost answer.
            lost = MaybeSent(reason="the outcome could not be written down")
            move = decide(lost, entry.attempts, line.retry, line.clock.time(), line.random)
        else:
            move = _ask(line, entry) if entry.state is State.UNCERTAIN else _send(line, entry)
    except (LawBroken, PluginError) as error:
        # Its own fault, or a plugin's: it waits for a person, its neighbours go on.
        move = Move(state=State.HELD, attempts=entry.attempts, reason=str(error))
    except OSError as error:
        # A plugin let it out, so nobody knows whether the request had left.
        lost = MaybeSent(reason=type(error).__name__)
        line.gate.saw(lost)
        move = decide(lost, entry.attempts, line.retry, line.clock.time(), line.random)
    line.journal.receipts.settle([(entry.seq, move)], line.clock.time(), "deliver")
    return move


def _send(line: Line, entry: Entry) -> Move:
    receipt = line.journal.receipts.body(entry.seq)
    if entry.contact is None:
        raise LawBroken("a receipt on the line has a contact", f"receipt {entry.id}", "none")
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
    payload = line.hooks.map_receipt(receipt, Identifier("contactId", contact.contact_id))
    payload = line.hooks.amend_payload(payload, receipt)
    line.journal.receipts.intend(entry.seq, line.clock.time())
    outcome = line.hooks.deliver(payload)
    line.gate.saw(outcome)
    return _decide(line, entry, outcome)


def _decide(line: Line, entry: Entry, outcome: Outcome) -> Move:
    move = decide(outcome, entry.attempts, line.retry, line.clock.time(), line.random)
    # Receipts go by when they were due: one that met wrong settings keeps its place before those behind it.
    return attrs.evolve(move, due=entry.due) if isinstance(outcome, Misconfigured) else move


def _ask(line: Line, entry: Entry) -> Move:
    """An uncertain receipt past the import time: is it in the contact's history? If not it is sent again, same id."""
    now = line.clock.time()
    if entry.contact is None:
        raise LawBroken("a receipt on the line has a contact", f"receipt {entry.id}", "none")
    contact = line.journal.contacts.get(entry.contact)
    shown = line.hooks.confirm_receipts(contact, frozenset({entry.id})) if contact.contact_id else frozenset()
    line.gate.saw(shown)
    if isinstance(shown, Gone):
        line.journal.contacts.forget_id(contact.key, shown.reason, now)
        shown = frozenset()
    if isinstance(shown, frozenset):
        if entry.id in shown:
            return Move(state=State.DELIVERED, attempts=entry.attempts, route="api", reason="seen in the history")
        return Move(state=State.WAITING, due=now, attempts=entry.attempts, reason="not in the history: sent again")
    if shown is None:
        raise LawBroken("the transport can confirm receipts", f"receipt {entry.id}", "it has no such hook")
    if isinstance(shown, Refused):
        raise LawBroken("the history of a contact can be read", f"receipt {entry.id}", shown.reason)
    later = decide(NotSent(reason=shown.reason), entry.attempts, line.retry, now, line.random)
    return Move(state=State.UNCERTAIN, due=later.due, attempts=entry.attempts, reason=shown.reason)
