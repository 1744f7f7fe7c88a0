"""Verify: read contacts' histories for receipts that the destination accepted, until they show or are found missing.

It runs behind everything else: it begins nothing while other requests wait, and makes only requests the rate leaves.
One reading is for all receipts of a contact. What a history does not show within `confirm_within` is not there: where
the contact is gone, the receipts are sent again under their ids; where it is there, a person is told why.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.contacts.contact_lookup import NO_ANSWER, look_up_all
from tillpost.flow.deadly import in_hand
from tillpost.flow.delivery.causes import why_not_shown
from tillpost.flow.delivery.histories import Answer, missing_histories, read_history
from tillpost.flow.leases import Duty
from tillpost.flow.line import Line
from tillpost.flow.rate_limit.budget import leftover_requests
from tillpost.flow.retry_policy import hold
from tillpost.journal import Entry, Looked, Move, State
from tillpost.journal.tables.verification import NOT_SHOWN
from tillpost.model import Contact, Gone, History, Identified, NoHistory

_log = logging.getLogger("tillpost.flow")
ROUND = 20
"""Contacts of one round, whose results are committed together: what a crash repeats."""
_RECEIPTS = 500
"""Receipts of a contact that one reading looks for."""
_DUE = 200
"""Due receipts from which the contacts of a round are taken."""
_LONGEST = 6 * 3600.0
"""Seconds between two readings for the same receipt, at most."""
_GIVEN_UP = 31 * 86400.0
"""Seconds after its delivery for which a receipt is looked for: later nobody would repair it."""
_GIVE_UP_AT_ONCE = 1000
"""Receipts that are no longer looked for, in one commit: too old, or since `verify` is off."""
_FAILURES = 3
"""Readings without an answer that end a round: others will tell whether the destination is away."""
_SENT_AGAIN = 2
"""How often a receipt is sent again by itself because its contact was gone."""
_PAUSE, _REST = 1.0, 5.0
"""Seconds until the next round: while receipts are due, and while none is."""


def verify(line: Line) -> float:
    """Run a round; the seconds after which the next one is due."""
    if not line.duties.holds(Duty.VERIFICATION):
        return _REST
    if line.clock_changes.detect():
        return _PAUSE  # upkeep moves the times first: what was accepted a minute ago is not a day old
    now = line.clock.time()
    if not line.verifies():
        return _PAUSE if line.journal.verification.give_up(now, _GIVE_UP_AT_ONCE, now) else _REST
    line.journal.verification.give_up(now - _GIVEN_UP, _GIVE_UP_AT_ONCE, now)
    if not line.has_spare_requests() or missing_histories(line) is not None:
        return _REST
    due = line.journal.verification.due(now, _DUE)
    failures, before = 0, line.pace.leftover_requests if line.pace else 0
    round_ = _Round(line)
    try:
        with leftover_requests(float(line.verify.share)):
            for key, first in list(due.items())[:ROUND]:
                if not line.has_spare_requests():
                    break
                answered = round_.try_look(key, line.journal.verification.of_contact(key, first, _RECEIPTS))
                failures = 0 if answered else failures + 1
                if failures == _FAILURES:
                    break
    finally:
        made = line.pace.leftover_requests - before if line.pace else 0
        round_.settle(max(made, 0))
    return _REST if not due or failures == _FAILURES else 0.0 if len(due) > ROUND else _PAUSE


def next_wait(line: Line, entry: Entry) -> float:
    """Seconds until the history is read again for a receipt it did not show: they grow, up to the decision."""
    wait = min(_LONGEST, line.retry.confirm_after.total_seconds() * 2.0 ** min(entry.looks, 30))
    return wait * (0.9 + 0.2 * line.random.random())


class _Round:
    """The readings of one round and their results."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._looked = Looked()

    def settle(self, requests: int) -> None:
        """Commit the results."""
        looked = self._looked
        looked.requests = requests
        if looked.looks or looked.later or looked.moves or looked.shown:
            self._line.journal.verification.settle(looked, self._line.clock.time())

    def try_look(self, key: str, entries: Sequence[Entry]) -> bool:
        """Read the history of a contact for these receipts; False without an answer."""
        try:
            with in_hand(self._line, "confirm_receipts", key):
                return self._look(key, entries)
        except (InvalidValue, PluginError) as error:
            _log.warning("pipeline %s: the history of contact %s cannot be read: %s", self._line.name, key, error)
            self._postpone(entries)
            return False

    def _look(self, key: str, entries: Sequence[Entry]) -> bool:
        if not entries:
            return True
        line = self._line
        self._looked.looks += 1
        contact = line.journal.contacts.get(key)
        if not contact.contact_id:
            return self._look_anew(key, entries)
        answer = read_history(line, contact, entries)
        if isinstance(answer, Gone):
            line.journal.contacts.forget_id(key, answer.reason, line.clock.time(), contact_id=contact.contact_id)
            return self._look_anew(key, entries)
        return self._take(contact, entries, answer)

    def _take(self, contact: Contact, entries: Sequence[Entry], answer: Answer) -> bool:
        if not isinstance(answer, History):
            self._postpone(entries)
            return isinstance(answer, NoHistory)
        self._note_shown(contact, entries, answer)
        absent = [row for row in entries if row.id not in answer.shown and row.id not in answer.unread]
        now = self._line.clock.time()
        self._postpone([row for row in entries if row.id in answer.unread])
        overdue: list[Entry] = []
        for row in absent:
            if (row.verify_due or 0.0) > now:
                continue  # looked for before its time, beside others
            if self._line.journal.verification.sent_under_former_id(row.seq, contact.key):
                # Another receipt found the former contactId gone first: what was sent under it is not imported.
                self._looked.moves.append((row, self._send_again(row)))
            elif now - (row.delivered_at or now) >= self._within and row.looks:
                overdue.append(row)
            else:  # also the first look, however late: a clock set forward at night looks like time that has passed
                self._looked.later.append((row.seq, self._next_due(row), True))
        return self._find_out(contact, overdue) if overdue else True

    def _note_shown(self, contact: Contact, entries: Sequence[Entry], answer: History) -> None:
        shown = [row.seq for row in entries if row.id in answer.shown]
        self._looked.shown += shown
        if shown:
            self._looked.confirmed.append(contact.key)  # a history proves that the contactId is valid

    def _look_anew(self, key: str, entries: Sequence[Entry]) -> bool:
        """The contact was merged or erased: find the one that has its keys now, and send again what that does not show.

        Nothing under the old id will be imported, so what waits is sent again at once; the destination ignores ids it
        has.
        """
        line = self._line
        if look_up_all(line, [key], "lookup"):
            self._postpone(entries)
            return False
        contact = line.journal.contacts.get(key)
        answer: Answer = History(shown=frozenset())
        if contact.contact_id:
            answer = read_history(line, contact, entries)
            if isinstance(answer, NO_ANSWER):
                self._postpone(entries)
                return False
        shown = answer if isinstance(answer, History) else History(shown=frozenset())
        self._note_shown(contact, entries, shown)
        self._looked.moves += [(row, self._send_again(row)) for row in entries if row.id not in shown.shown]
        return True

    def _send_again(self, row: Entry) -> Move:
        line = self._line
        if line.journal.verification.times_sent_again(row.seq) >= _SENT_AGAIN:
            reason = (
                f"{NOT_SHOWN} (its contact): Engage gave a contact that was gone again {_SENT_AGAIN + 1} times; look"
                " the customer up in Engage, then `tillpost held retry` sends it under the same id"
            )
            return hold(row, reason)
        reason = "its contact was merged or erased in Engage before the import: sent again under the same id"
        return Move(state=State.ACCEPTED, due=line.clock.time(), reason=reason)

    def _find_out(self, contact: Contact, absent: Sequence[Entry]) -> bool:
        """Accepted long ago and not in the history: the contact is gone, or something else keeps them out."""
        line = self._line
        found = line.hooks.reconcile_contact(contact)
        if isinstance(found, Gone) or (isinstance(found, Identified) and found.contact_id != contact.contact_id):
            reason = found.reason if isinstance(found, Gone) else "the destination has another contactId"
            line.journal.contacts.forget_id(contact.key, reason, line.clock.time(), contact_id=contact.contact_id)
            return self._look_anew(contact.key, absent)
        if isinstance(found, NO_ANSWER):
            self._postpone(absent)
            return False
        self._looked.moves += [(row, hold(row, why_not_shown(line, row))) for row in absent]
        return True

    @property
    def _within(self) -> float:
        return self._line.retry.confirm_within.total_seconds()

    def _next_due(self, row: Entry) -> float:
        """No later than the moment at which it is decided."""
        now = self._line.clock.time()
        wait = next_wait(self._line, row)
        decided = (row.delivered_at or now) + self._within
        return min(now + wait, decided) if decided > now else now + wait

    def _postpone(self, entries: Sequence[Entry]) -> None:
        """Nobody can tell: later, and that counts as no look."""
        now = self._line.clock.time()
        self._looked.later += [(row.seq, now + next_wait(self._line, row), False) for row in entries]
