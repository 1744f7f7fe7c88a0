"""Reconcile: follow uploaded files until they are imported. Contacts get their ids; receipts are confirmed or held."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

import attrs

from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.contacts.contact_lookup import LOOKUPS, NO_ANSWER, look_up_all
from tillpost.flow.deadly import in_hand
from tillpost.flow.delivery.causes import why_not_shown
from tillpost.flow.delivery.histories import read_history
from tillpost.flow.fallback.rewrite import rewrite_by_id
from tillpost.flow.fallback.transfer import alert_if_stuck, may_transfer
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import hold
from tillpost.journal import Entry, FileEntry, FileState, Move, Postponed, State
from tillpost.journal.tables.verification import CUSTOMER_UNKNOWN
from tillpost.model import Conflict, Contact, Gone, History, NoHistory

_log = logging.getLogger("tillpost.flow")
_GROUP = 50
"""Contacts looked up, and receipts confirmed, in one commit: what a crash may repeat."""

_IMPORTED = Move(state=State.DELIVERED, route="file", reason="its file was read; this Engage shows no histories")
_SHOWN_BY_OTHER = "in the history of another contact that has one of its keys"


def reconcile(line: Line) -> bool:
    """Check every uploaded file that is due; True when a file changed its state."""
    if line.fallback is None:
        return False
    moved, later = False, list[Postponed]()
    try:
        for status in line.journal.file_states.to_confirm(line.clock.time()):
            uploaded = status.state is FileState.UPLOADED
            if not (may_transfer(line) if uploaded else line.breaker.allows_requests()):
                continue
            postponed = _check(line, line.journal.files.get(status.name))
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


def _check(line: Line, entry: FileEntry) -> Postponed | None:
    """None: it has changed its state. A plugin that fails keeps back this file alone."""
    try:
        if entry.state is FileState.UPLOADED:
            return _check_consumed(line, entry)
        return _confirm_contacts(line, entry) if entry.file.kind == "contacts" else _confirm_receipts(line, entry)
    except (InvalidValue, PluginError) as error:
        _log.warning("pipeline %s: file %s: %s", line.name, entry.file.name, error)
        alert_if_stuck(line, entry, 0.0, str(error))
        return _postponed(line, entry, str(error))


def _postponed(line: Line, entry: FileEntry, reason: str) -> Postponed:
    assert line.fallback is not None
    due = line.clock.time() + line.fallback.check_every.total_seconds()
    return Postponed(entry=entry, due=due, reason=reason)


def _check_consumed(line: Line, entry: FileEntry) -> Postponed | None:
    """Engage deletes a file once it is processed (Engage contract, file import).

    A file that was put on another server tells nothing by not being on this one: it is uploaded again, to this one.
    Engage ignores what it has.
    """
    if entry.server and entry.server != line.server:
        reason = f"sent again: it lay on {entry.server}, and the file server is now {line.server}"
        line.journal.files.resend(entry.file.name, line.clock.time(), reason)
        _log.warning("pipeline %s: file %s is %s", line.name, entry.file.name, reason)
        return None
    with in_hand(line, "find_transferred", entry.file.name):
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
    silent: dict[str, str] = {}
    for start in range(0, len(keys), _GROUP):
        silent |= look_up_all(line, keys[start : start + _GROUP], "file", entry.file.name)
        if silent and not line.breaker.answers():
            return _postponed(line, entry, line.breaker.destination.reason or next(iter(silent.values())))
    missing = line.journal.contact_lookups.count_unknown(entry.file.name)
    # The import has omitted what does not show after `confirm_after`. One contact it does not take must not keep back
    # the receipts of all others, nor one without an answer among others that the import has brought.
    unknown = sum(not line.journal.contacts.get(key).contact_id for key in silent)
    if unknown == missing < entry.rows:
        missing = 0
    if missing and not _is_overdue(line, entry, line.retry.confirm_after):
        return _postponed(line, entry, f"contacts not shown yet: {missing} of {entry.rows}")
    _confirm(line, entry)
    return None


def _confirm_receipts(line: Line, entry: FileEntry) -> Postponed | None:
    assert line.fallback is not None
    rows = line.journal.receipts.find({"file": entry.file.name, "state": State.TRANSFERRED})
    absent: list[Entry] = []
    misnamed: list[Entry] = []
    moves: list[tuple[int, Move]] = []
    unanswered: dict[int, str] = {}
    try:
        for key, receipts in _by_contact(rows).items():
            try:
                with in_hand(line, "confirm_receipts", key):
                    found = _shown_receipts(line, key, receipts)
            except (InvalidValue, PluginError) as error:
                found = str(error)
            if not line.breaker.allows_requests():
                _settle(line, moves)
                return _postponed(line, entry, line.breaker.destination.reason)
            if isinstance(found, str):
                unanswered |= dict.fromkeys((row.seq for row in receipts), found)
                continue
            if isinstance(found, NoHistory):
                imported = _imported(line, entry, key, receipts, found)
                if isinstance(imported, str):
                    unanswered |= dict.fromkeys((row.seq for row in receipts), imported)
                    continue
                moves += [(row.seq, attrs.evolve(_IMPORTED, attempts=row.attempts)) for row in imported]
                receipts, found = [row for row in receipts if row not in imported], History(shown=frozenset())
            moves += [
                (row.seq, Move(state=State.DELIVERED, attempts=row.attempts, route="file", verified=True))
                for row in receipts
                if row.id in found.shown
            ]
            unread = "its contact's history is too long to be read at once"
            unanswered |= dict.fromkeys((row.seq for row in receipts if row.id in found.unread), unread)
            missing = [row for row in receipts if row.id not in found.shown and row.id not in found.unread]
            _sort_missing(line, key, missing, moves, absent, misnamed)
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
        absent = _settle_under_other_contacts(line, absent)
        if not line.breaker.allows_requests():
            return _postponed(line, entry, line.breaker.destination.reason)
        _settle(line, [(row.seq, hold(row, _why_absent(line, entry, row))) for row in absent])
        absent = []
    why = "".join(f"; a contact's history has no answer: {reason}" for reason in list(unanswered.values())[:1])
    if why:
        alert_if_stuck(line, entry, entry.consumed_at or 0.0, why.removeprefix("; "))
    if left := len(absent) + len(misnamed) + len(unanswered):
        return _postponed(line, entry, f"receipts not shown yet: {left} of {entry.rows}{why}")
    _confirm(line, entry)
    return None


def _why_absent(line: Line, entry: FileEntry, row: Entry) -> str:
    if row.contact and not line.journal.contacts.get(row.contact).contact_id:
        return (
            f"{CUSTOMER_UNKNOWN}: it was imported with {entry.file.name}, and the import has not created"
            " the contact; it is sent under the same id once another receipt has made the customer known, and"
            " `tillpost held retry` looks the customer up, creates the contact and sends it now"
        )
    return why_not_shown(line, row)


def _imported(line: Line, entry: FileEntry, key: str, receipts: list[Entry], unknown: NoHistory) -> list[Entry] | str:
    """Receipts that count as imported, though not as verified, where no history tells; why there was no answer.

    Those whose contact is there after the file was read, under the id the file names: the import drops the others.
    """
    if not _is_overdue(line, entry, line.retry.confirm_after):
        return unknown.reason
    if line.journal.contacts.confirmed_at(key) < (entry.consumed_at or 0.0) and (
        silent := look_up_all(line, [key], "file")
    ):
        return silent[key]
    if not line.journal.contacts.get(key).contact_id:
        return []
    return [row for row in receipts if (fresh := line.journal.receipts.get(row.id)) and fresh.matched]


def _sort_missing(
    line: Line, key: str, rows: list[Entry], moves: list[tuple[int, Move]], absent: list[Entry], misnamed: list[Entry]
) -> None:
    """Receipts a history does not show: held for a conflict, to be named by the contactId, or absent."""
    if not rows:
        return
    if conflict := key and line.journal.contact_lookups.conflict_reason(key):
        moves += [(row.seq, hold(row, conflict)) for row in rows]
        return
    known = bool(key and line.journal.contacts.get(key).contact_id)
    for row in rows:
        # Read again: the id by which the file names the contact may have turned out to be gone.
        fresh = line.journal.receipts.get(row.id)
        renamed = known and fresh is not None and fresh.matched != "contactId"
        erased = not known and fresh is not None and not fresh.matched and line.erased == "create"
        (misnamed if renamed or erased else absent).append(fresh or row)


def _settle(line: Line, moves: list[tuple[int, Move]]) -> list[tuple[int, Move]]:
    """Commit the moves; an empty list for the next ones."""
    if moves:
        line.journal.receipts.settle(moves, line.clock.time(), "reconcile")
    return []


def _identify(line: Line, key: str) -> Contact | str:
    """The contact, looked up here when it has no id yet; why there was no answer."""
    contact = line.journal.contacts.get(key)
    if contact.contact_id:
        return contact
    if not line.journal.contact_lookups.conflict_reason(key) and (silent := look_up_all(line, [key], "file")):
        return silent[key]
    return line.journal.contacts.get(key)


def _shown_receipts(line: Line, key: str, receipts: list[Entry]) -> History | NoHistory | str:
    """What the contact's history shows of them; why there was no answer, which proves nothing."""
    for _ in range(LOOKUPS if key else 0):
        contact = _identify(line, key)
        if isinstance(contact, str) or not contact.contact_id:
            return contact if isinstance(contact, str) else History(shown=frozenset())
        answer = _read_on(line, contact, receipts)
        if not isinstance(answer, Gone):
            return answer
        line.journal.contacts.forget_id(key, answer.reason, line.clock.time(), contact_id=contact.contact_id)
    return History(shown=frozenset())


def _read_on(line: Line, contact: Contact, receipts: list[Entry]) -> History | NoHistory | Gone | str:
    """Read the history for as long as it shows more of them: a house contact may have all receipts of a file."""
    shown: frozenset[str] = frozenset()
    while True:
        left = [row for row in receipts if row.id not in shown]
        answer = line.breaker.record(read_history(line, contact, left))
        if isinstance(answer, NO_ANSWER):
            return History(shown=shown, unread=frozenset(row.id for row in left)) if shown else answer.reason
        if not isinstance(answer, History):
            return answer if isinstance(answer, NoHistory | Gone) else History(shown=shown)
        shown |= answer.shown
        if not answer.unread or not answer.shown:
            return History(shown=shown, unread=answer.unread)


def _by_contact(rows: Iterable[Entry]) -> dict[str, list[Entry]]:
    by_contact: dict[str, list[Entry]] = defaultdict(list)
    for row in rows:
        by_contact[row.contact or ""].append(row)
    return by_contact


def _settle_under_other_contacts(line: Line, absent: list[Entry]) -> list[Entry]:
    """Deliver the receipts that another contact of the same person shows; the others, also after a missing answer.

    A file names a contact by one of its keys. When the destination has two contacts of that person, each with one of
    the keys, the receipt may be with the one whose id we do not know.
    """
    not_found: list[Entry] = []
    for key, rows in _by_contact(absent).items():
        shown = _shown_by_others(line, key, rows) if key else frozenset()
        not_found += [row for row in rows if row.id not in shown]
        moves = [
            (
                row.seq,
                Move(state=State.DELIVERED, attempts=row.attempts, route="file", reason=_SHOWN_BY_OTHER, verified=True),
            )
            for row in rows
            if row.id in shown
        ]
        _settle(line, moves)
    return not_found


def _shown_by_others(line: Line, key: str, rows: list[Entry]) -> frozenset[str]:
    contact = line.journal.contacts.get(key)
    if not contact.contact_id:
        return frozenset()
    shown: frozenset[str] = frozenset()
    try:
        with in_hand(line, "reconcile_contact", key):
            found = line.breaker.record(line.hooks.reconcile_contact(attrs.evolve(contact, contact_id="")))
            for other in dict.fromkeys(found.found.values() if isinstance(found, Conflict) else ()):
                if other and other != contact.contact_id:
                    answer = line.breaker.record(read_history(line, attrs.evolve(contact, contact_id=other), rows))
                    shown |= answer.shown if isinstance(answer, History) else frozenset()
    except (InvalidValue, PluginError) as error:
        _log.warning("pipeline %s: other contacts of contact %s: %s", line.name, key, error)
    return shown
