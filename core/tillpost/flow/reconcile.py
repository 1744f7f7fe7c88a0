"""Reconcile: what the files did. Ids of contacts are learnt, and each receipt is proved or held."""

from __future__ import annotations

from collections import defaultdict

from tillpost.flow.line import Line
from tillpost.journal import Entry, FileEntry, FileState, Later, Move, State
from tillpost.model import Gone, Identified, MaybeSent, Misconfigured, NotSent, Throttled

_NO_ANSWER = (NotSent, MaybeSent, Misconfigured, Throttled)
_TRIES = 2
"""A stored id that turns out to be gone is identified anew once, as when receipts are sent (resolve)."""


def reconcile(line: Line) -> bool:
    """Look after every file that is up and due; True when something moved."""
    if line.fallback is None:
        return False
    moved, later = False, list[Later]()
    try:
        for standing in line.journal.files.standing(FileState.UPLOADED, FileState.CONSUMED):
            if not line.gate.open():
                break
            if standing.due > line.clock.time():
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
    return _again(line, entry, "not read by the importer yet" if there is True else there.reason)


def _overdue(line: Line, entry: FileEntry) -> bool:
    assert line.fallback is not None
    return line.clock.time() - (entry.consumed_at or 0.0) > line.fallback.confirm_within.total_seconds()


def _learn(line: Line, entry: FileEntry) -> Later | None:
    missing = 0
    for key in entry.file.keys:
        if not _identify(line, key):
            if not line.gate.open():
                return _again(line, entry, line.gate.tenant.reason)
            missing += 1
    if missing and not _overdue(line, entry):
        return _again(line, entry, f"{missing} of {entry.rows} contacts do not show yet")
    line.journal.files.move(entry, FileState.CONFIRMED, line.clock.time(), step="reconcile")
    entry.file.path.unlink(missing_ok=True)
    return None


def _identify(line: Line, key: str) -> bool | None:
    """True when the contact has its id, which is learnt here if need be: exactly once. None: nobody could be asked."""
    with line.locks.of(key):
        contact = line.journal.contacts.get(key)
        if contact.contact_id:
            return True
        found = line.hooks.reconcile_contact(contact)
        line.gate.saw(found)
        if isinstance(found, _NO_ANSWER):
            return None
        if not isinstance(found, Identified):
            return False
        line.journal.contacts.learn(key, found, "file", line.clock.time())
        return True


def _prove(line: Line, entry: FileEntry) -> Later | None:
    rows = line.journal.receipts.find({"file": entry.file.name, "state": State.TRANSFERRED})
    by_contact: dict[str, list[Entry]] = defaultdict(list)
    for row in rows:
        by_contact[row.contact or ""].append(row)
    absent: list[Entry] = []
    proved: list[Entry] = []
    unasked = 0
    for key, receipts in by_contact.items():
        shown = _shown(line, key, receipts)
        if not line.gate.open():
            break
        if shown is None:
            unasked += len(receipts)
            continue
        proved += [row for row in receipts if row.id in shown]
        absent += [row for row in receipts if row.id not in shown]
    if proved:
        moves = [(row.seq, Move(state=State.DELIVERED, attempts=row.attempts, route="file")) for row in proved]
        line.journal.receipts.settle(moves, line.clock.time(), "reconcile")
    if not line.gate.open():
        return _again(line, entry, line.gate.tenant.reason)
    if absent and _overdue(line, entry):
        _hold(line, entry, absent)
        absent = []
    if left := len(absent) + unasked:
        return _again(line, entry, f"{left} of {entry.rows} receipts do not show yet")
    line.journal.files.move(entry, FileState.CONFIRMED, line.clock.time(), step="reconcile")
    entry.file.path.unlink(missing_ok=True)
    return None


def _shown(line: Line, key: str, receipts: list[Entry]) -> frozenset[str] | None:
    """Those of the receipts that the contact's history shows; None when there was no answer, which proves nothing."""
    for _ in range(_TRIES):
        known = _identify(line, key) if key else False
        if not known:
            return None if known is None else frozenset()
        contact = line.journal.contacts.get(key)
        answer = line.hooks.confirm_receipts(contact, frozenset(row.id for row in receipts))
        line.gate.saw(answer)
        if not isinstance(answer, Gone):
            return None if isinstance(answer, _NO_ANSWER) else answer if isinstance(answer, frozenset) else frozenset()
        line.journal.contacts.forget_id(key, answer.reason, line.clock.time())
    return frozenset()


def _hold(line: Line, entry: FileEntry, absent: list[Entry]) -> None:
    reason = f"imported with {entry.file.name}, yet Engage does not show it: see Engage's integration log"
    moves = [(row.seq, Move(state=State.HELD, attempts=row.attempts, reason=reason)) for row in absent]
    line.journal.receipts.settle(moves, line.clock.time(), "reconcile")
