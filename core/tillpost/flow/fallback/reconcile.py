"""Reconcile: what the files did. Ids of contacts are learnt, and each receipt is proved or held."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from tillpost.flow.fallback.contact_lookup import look_up_all
from tillpost.flow.fallback.other_contacts import settle_under_other_contacts
from tillpost.flow.fallback.rewrite import rewrite_by_id
from tillpost.flow.fallback.stuck_files import alert_if_stuck
from tillpost.flow.fallback.transfer import may_transfer
from tillpost.flow.line import Line
from tillpost.journal import Entry, FileEntry, FileState, Later, Move, Standing, State
from tillpost.model import Contact, Gone, MaybeSent, Misconfigured, NotSent, Throttled

_NO_ANSWER = (NotSent, MaybeSent, Misconfigured, Throttled)
_TRIES = 2
"""A stored id that turns out to be gone is identified anew once, as when receipts are sent (resolve)."""
_GROUP = 50
"""Contacts whose ids are learnt, and receipts that are proved, in one commit: what a crash may repeat."""


def reconcile(line: Line) -> bool:
    """Look after every file that is up and due; True when something moved."""
    if line.fallback is None:
        return False
    moved, later = False, list[Later]()
    try:
        for standing in line.journal.files.to_look_after(line.clock.time()):
            if not _can(line, standing):
                continue
            entry = line.journal.files.get(standing.name)
            step = _look if entry.state is FileState.UPLOADED else _learn if entry.file.kind == "contacts" else _prove
            if (put_off := step(line, entry)) is None:
                moved = True
            else:
                later.append(put_off)
    except Exception:
        line.journal.files.postpone(later)
        raise
    # In one commit: after an outage of days thousands of files wait for the importer side by side.
    line.journal.files.postpone(later)
    return moved


def _can(line: Line, standing: Standing) -> bool:
    """Whether whom the step asks may be asked now: the file server, or the destination itself."""
    return may_transfer(line) if standing.state is FileState.UPLOADED else line.breaker.allows_requests()


def _again(line: Line, entry: FileEntry, reason: str) -> Later:
    assert line.fallback is not None
    due = line.clock.time() + line.fallback.check_every.total_seconds()
    return Later(name=entry.file.name, due=due, attempts=entry.attempts + 1, reason=reason)


def _look(line: Line, entry: FileEntry) -> Later | None:
    """Engage deletes a file once it is processed (Engage contract, file import)."""
    there = line.hooks.find_transferred(entry.file)
    if there is False:
        line.journal.files.move(entry, FileState.CONSUMED, line.clock.time(), due=line.clock.time(), step="reconcile")
        return None
    if there is not True:
        return _again(line, entry, there.reason)
    reason = "not read by the importer yet"
    alert_if_stuck(line, entry, entry.uploaded_at or 0.0, reason)
    return _again(line, entry, reason)


def _past(line: Line, entry: FileEntry, limit: timedelta) -> bool:
    """Whether it could have shown for so long; while the API is away nobody can tell."""
    asked = entry.consumed_at or 0.0
    if line.transfer is not None and line.transfer.when == "asap":
        asked = max(asked, line.breaker.destination.since)
    return line.clock.time() - asked > limit.total_seconds()


def _learn(line: Line, entry: FileEntry) -> Later | None:
    keys = line.journal.contact_lookups.uncompared(entry.file.name)
    for start in range(0, len(keys), _GROUP):
        if not look_up_all(line, keys[start : start + _GROUP], "file", entry.file.name):
            return _again(line, entry, line.breaker.destination.reason)
    missing = line.journal.contact_lookups.unknown(entry.file.name)
    # What does not show by then the import has left out, and one contact it does not take must not keep back the
    # receipts of all others.
    if missing and not _past(line, entry, line.retry.confirm_after):
        return _again(line, entry, f"{missing} of {entry.rows} contacts do not show yet")
    line.journal.files.move(entry, FileState.CONFIRMED, line.clock.time(), step="reconcile")
    entry.file.path.unlink(missing_ok=True)
    return None


def _identify(line: Line, key: str) -> Contact | None:
    """The contact, whose id is learnt here if need be: exactly once. None: nobody could be asked."""
    contact = line.journal.contacts.get(key)
    if contact.contact_id:
        return contact
    if not line.journal.contact_lookups.conflict(key) and not look_up_all(line, [key], "file"):
        return None
    return line.journal.contacts.get(key)


def _prove(line: Line, entry: FileEntry) -> Later | None:
    assert line.fallback is not None
    rows = line.journal.receipts.find({"file": entry.file.name, "state": State.TRANSFERRED})
    by_contact: dict[str, list[Entry]] = defaultdict(list)
    for row in rows:
        by_contact[row.contact or ""].append(row)
    absent: list[Entry] = []
    misnamed: list[Entry] = []
    moves: list[tuple[int, Move]] = []
    unasked = 0
    try:
        for key, receipts in by_contact.items():
            shown = _shown_receipts(line, key, receipts)
            if not line.breaker.allows_requests():
                _settled(line, moves)
                return _again(line, entry, line.breaker.destination.reason)
            if shown is None:
                unasked += len(receipts)
                continue
            proved = [row for row in receipts if row.id in shown]
            moves += [(row.seq, Move(state=State.DELIVERED, attempts=row.attempts, route="file")) for row in proved]
            _sort_out(line, key, [row for row in receipts if row.id not in shown], moves, absent, misnamed)
            if len(moves) >= _GROUP:
                moves = _settled(line, moves)
    except Exception:
        _settled(line, moves)  # what was proved before it
        raise
    _settled(line, moves)
    if (
        misnamed
        and not line.guard.closed
        and line.clock.time() - (entry.consumed_at or 0.0) > line.retry.confirm_after.total_seconds()
    ):
        rewrite_by_id(line, entry, misnamed)
        misnamed = []
    if absent and _past(line, entry, line.fallback.confirm_within):
        absent = settle_under_other_contacts(line, absent)
        if not line.breaker.allows_requests():
            return _again(line, entry, line.breaker.destination.reason)
        _hold(line, entry, absent)
        absent = []
    if left := len(absent) + len(misnamed) + unasked:
        return _again(line, entry, f"{left} of {entry.rows} receipts do not show yet")
    line.journal.files.move(entry, FileState.CONFIRMED, line.clock.time(), step="reconcile")
    entry.file.path.unlink(missing_ok=True)
    return None


def _sort_out(
    line: Line,
    key: str,
    missing: list[Entry],
    moves: list[tuple[int, Move]],
    absent: list[Entry],
    misnamed: list[Entry],
) -> None:
    """What a history does not show: held for a conflict, to be named by the contactId, or absent."""
    if not missing:
        return
    conflict = key and line.journal.contact_lookups.conflict(key)
    if conflict:
        moves += [(row.seq, Move(state=State.HELD, attempts=row.attempts, reason=conflict)) for row in missing]
        return
    known = bool(key and line.journal.contacts.get(key).contact_id)
    for row in missing:
        # Read anew: the id by which the file names the contact may have turned out to be no longer valid.
        fresh = line.journal.receipts.get(row.id)
        (misnamed if known and fresh and fresh.matched != "contactId" else absent).append(row)


def _settled(line: Line, moves: list[tuple[int, Move]]) -> list[tuple[int, Move]]:
    """Commit the moves; none are left."""
    if moves:
        line.journal.receipts.settle(moves, line.clock.time(), "reconcile")
    return []


def _shown_receipts(line: Line, key: str, receipts: list[Entry]) -> frozenset[str] | None:
    """Those of the receipts that the contact's history shows; None when there was no answer, which proves nothing."""
    for _ in range(_TRIES if key else 0):
        contact = _identify(line, key)
        if contact is None or not contact.contact_id:
            return None if contact is None else frozenset()
        answer = line.hooks.confirm_receipts(contact, frozenset(row.id for row in receipts))
        line.breaker.record(answer)
        if not isinstance(answer, Gone):
            return None if isinstance(answer, _NO_ANSWER) else answer if isinstance(answer, frozenset) else frozenset()
        line.journal.contacts.forget_id(key, answer.reason, line.clock.time())
    return frozenset()


def _hold(line: Line, entry: FileEntry, absent: list[Entry]) -> None:
    reason = f"imported with {entry.file.name}, yet Engage does not show it: see Engage's integration log"
    moves = [(row.seq, Move(state=State.HELD, attempts=row.attempts, reason=reason)) for row in absent]
    line.journal.receipts.settle(moves, line.clock.time(), "reconcile")
