"""Reconcile: follow uploaded files until they are imported. Contacts get their ids; receipts are confirmed or held."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from tillpost.flow.fallback.contact_lookup import LOOKUPS, NO_ANSWER, look_up_all
from tillpost.flow.fallback.other_contacts import settle_under_other_contacts
from tillpost.flow.fallback.rewrite import rewrite_by_id
from tillpost.flow.fallback.transfer import alert_if_stuck, may_transfer
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import hold
from tillpost.journal import Entry, FileEntry, FileState, FileStatus, Move, Postponed, State
from tillpost.model import Contact, Gone

_GROUP = 50
"""Contacts looked up, and receipts confirmed, in one commit: what a crash may repeat."""


def reconcile(line: Line) -> bool:
    """Check every uploaded file that is due; True when a file changed its state."""
    if line.fallback is None:
        return False
    moved, later = False, list[Postponed]()
    try:
        for status in line.journal.file_states.to_confirm(line.clock.time()):
            if not _may_ask(line, status):
                continue
            entry = line.journal.files.get(status.name)
            if entry.state is FileState.UPLOADED:
                postponed = _check_consumed(line, entry)
            elif entry.file.kind == "contacts":
                postponed = _confirm_contacts(line, entry)
            else:
                postponed = _confirm_receipts(line, entry)
            if postponed is None:
                moved = True
            else:
                later.append(postponed)
    except Exception:
        line.journal.files.postpone(later)
        raise
    # In one commit: after an outage of days thousands of files wait for the importer side by side.
    line.journal.files.postpone(later)
    return moved


def _may_ask(line: Line, status: FileStatus) -> bool:
    """Whether the file server, or the destination after the import, may be called now."""
    return may_transfer(line) if status.state is FileState.UPLOADED else line.breaker.allows_requests()


def _postponed(line: Line, entry: FileEntry, reason: str) -> Postponed:
    assert line.fallback is not None
    due = line.clock.time() + line.fallback.check_every.total_seconds()
    return Postponed(name=entry.file.name, due=due, attempts=entry.attempts + 1, reason=reason)


def _check_consumed(line: Line, entry: FileEntry) -> Postponed | None:
    """Engage deletes a file once it is processed (Engage contract, file import)."""
    found = line.hooks.find_transferred(entry.file)
    if found is False:
        line.journal.files.move(entry, FileState.CONSUMED, line.clock.time(), due=line.clock.time(), step="reconcile")
        return None
    if found is not True:
        return _postponed(line, entry, found.reason)
    reason = "not read by the importer yet"
    alert_if_stuck(line, entry, entry.uploaded_at or 0.0, reason)
    return _postponed(line, entry, reason)


def _is_overdue(line: Line, entry: FileEntry, limit: timedelta) -> bool:
    """Whether the import could have shown for longer than `limit`. While the API is away nobody can see it."""
    visible_since = entry.consumed_at or 0.0
    if line.transfer is not None and line.transfer.when == "asap":
        visible_since = max(visible_since, line.breaker.destination.since)
    return line.clock.time() - visible_since > limit.total_seconds()


def _confirm(line: Line, entry: FileEntry) -> None:
    line.journal.files.move(entry, FileState.CONFIRMED, line.clock.time(), step="reconcile")
    entry.file.path.unlink(missing_ok=True)


def _confirm_contacts(line: Line, entry: FileEntry) -> Postponed | None:
    keys = line.journal.contact_lookups.to_compare(entry.file.name)
    for start in range(0, len(keys), _GROUP):
        if not look_up_all(line, keys[start : start + _GROUP], "file", entry.file.name):
            return _postponed(line, entry, line.breaker.destination.reason)
    missing = line.journal.contact_lookups.count_unknown(entry.file.name)
    # The import has left out what does not show after `confirm_after`. One contact it does not take must not keep back
    # the receipts of all others.
    if missing and not _is_overdue(line, entry, line.retry.confirm_after):
        return _postponed(line, entry, f"contacts not shown yet: {missing} of {entry.rows}")
    _confirm(line, entry)
    return None


def _confirm_receipts(line: Line, entry: FileEntry) -> Postponed | None:
    assert line.fallback is not None
    by_contact: dict[str, list[Entry]] = defaultdict(list)
    for row in line.journal.receipts.find({"file": entry.file.name, "state": State.TRANSFERRED}):
        by_contact[row.contact or ""].append(row)
    absent: list[Entry] = []
    misnamed: list[Entry] = []
    moves: list[tuple[int, Move]] = []
    unanswered = 0
    try:
        for key, receipts in by_contact.items():
            shown = _shown_receipts(line, key, receipts)
            if not line.breaker.allows_requests():
                _settle(line, moves)
                return _postponed(line, entry, line.breaker.destination.reason)
            if shown is None:
                unanswered += len(receipts)
                continue
            moves += [
                (row.seq, Move(state=State.DELIVERED, attempts=row.attempts, route="file"))
                for row in receipts
                if row.id in shown
            ]
            _sort_missing(line, key, [row for row in receipts if row.id not in shown], moves, absent, misnamed)
            if len(moves) >= _GROUP:
                moves = _settle(line, moves)
    except Exception:
        _settle(line, moves)  # what was confirmed before the error
        raise
    _settle(line, moves)
    if (
        misnamed
        and not line.guard.closed
        and line.clock.time() - (entry.consumed_at or 0.0) > line.retry.confirm_after.total_seconds()
    ):
        rewrite_by_id(line, entry, misnamed)
        misnamed = []
    if absent and _is_overdue(line, entry, line.fallback.confirm_within):
        absent = settle_under_other_contacts(line, absent)
        if not line.breaker.allows_requests():
            return _postponed(line, entry, line.breaker.destination.reason)
        _hold(line, entry, absent)
        absent = []
    if left := len(absent) + len(misnamed) + unanswered:
        return _postponed(line, entry, f"receipts not shown yet: {left} of {entry.rows}")
    _confirm(line, entry)
    return None


def _sort_missing(
    line: Line,
    key: str,
    missing: list[Entry],
    moves: list[tuple[int, Move]],
    absent: list[Entry],
    misnamed: list[Entry],
) -> None:
    """Receipts a history does not show: held for a conflict, to be named by the contactId, or absent."""
    if not missing:
        return
    conflict = key and line.journal.contact_lookups.conflict_reason(key)
    if conflict:
        moves += [(row.seq, hold(row, conflict)) for row in missing]
        return
    known = bool(key and line.journal.contacts.get(key).contact_id)
    for row in missing:
        # Read again: the id by which the file names the contact may have turned out to be gone.
        fresh = line.journal.receipts.get(row.id)
        (misnamed if known and fresh and fresh.matched != "contactId" else absent).append(row)


def _settle(line: Line, moves: list[tuple[int, Move]]) -> list[tuple[int, Move]]:
    """Commit the moves; an empty list for the next ones."""
    if moves:
        line.journal.receipts.settle(moves, line.clock.time(), "reconcile")
    return []


def _identify(line: Line, key: str) -> Contact | None:
    """The contact, looked up here when it has no id yet; None when there was no answer."""
    contact = line.journal.contacts.get(key)
    if contact.contact_id:
        return contact
    if not line.journal.contact_lookups.conflict_reason(key) and not look_up_all(line, [key], "file"):
        return None
    return line.journal.contacts.get(key)


def _shown_receipts(line: Line, key: str, receipts: list[Entry]) -> frozenset[str] | None:
    """The ids that the contact's history shows; None when there was no answer, which proves nothing."""
    for _ in range(LOOKUPS if key else 0):
        contact = _identify(line, key)
        if contact is None or not contact.contact_id:
            return None if contact is None else frozenset()
        answer = line.breaker.record(line.hooks.confirm_receipts(contact, frozenset(row.id for row in receipts)))
        if not isinstance(answer, Gone):
            return None if isinstance(answer, NO_ANSWER) else answer if isinstance(answer, frozenset) else frozenset()
        line.journal.contacts.forget_id(key, answer.reason, line.clock.time())
    return frozenset()


def _hold(line: Line, entry: FileEntry, absent: list[Entry]) -> None:
    reason = f"imported with {entry.file.name}, yet Engage does not show it: see Engage's integration log"
    moves = [(row.seq, hold(row, reason)) for row in absent]
    line.journal.receipts.settle(moves, line.clock.time(), "reconcile")
