"""Reading the history of a contact: which receipts Engage shows, and whether this tenant shows histories at all."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from tillpost.flow.line import Line
from tillpost.journal import Entry, HistoryState
from tillpost.model import Contact, Failure, Gone, History, Identified, NoHistory, ReceiptRef

_AGAIN = 3600.0
"""Seconds after which a tenant that shows no histories is asked for one again."""

Answer = History | NoHistory | Gone | Failure | None


def read_history(line: Line, contact: Contact, entries: Iterable[Entry]) -> Answer:
    """Which of the receipts the contact's history shows; see the hook `confirm_receipts`.

    What the tenant shows of its histories is remembered: where it shows none, this asks once an hour only. A history
    that is missing because the contact is gone is Gone.
    """
    if (reason := missing_histories(line)) is not None:
        return NoHistory(reason=reason)
    answer = line.hooks.confirm_receipts(contact, [reference(entry) for entry in entries])
    if isinstance(answer, NoHistory):
        proved = line.hooks.reconcile_contact(contact)
        if isinstance(proved, Gone) or (isinstance(proved, Identified) and proved.contact_id != contact.contact_id):
            return proved if isinstance(proved, Gone) else Gone(reason="the contact was merged into another")
        if isinstance(proved, Failure):
            return proved
        line.journal.verification.set_history(HistoryState.NOT_TO_BE_HAD, answer.reason, line.clock.time())
    elif isinstance(answer, History) and line.journal.verification.history()[0] is not HistoryState.THERE:
        line.journal.verification.set_history(HistoryState.THERE, "", line.clock.time())
    return answer


def missing_histories(line: Line) -> str | None:
    """Why the tenant shows no histories, as far as it was asked within the hour; None when it may be asked."""
    state, reason, since = line.journal.verification.history()
    asked_lately = 0 <= line.clock.time() - since < _AGAIN
    return reason if state is HistoryState.NOT_TO_BE_HAD and asked_lately else None


def reference(entry: Entry) -> ReceiptRef:
    try:
        created = datetime.fromisoformat(entry.created)
    except ValueError:  # a damaged row, which the doctor repairs
        created = datetime.fromtimestamp(entry.accepted_at, UTC)
    return ReceiptRef(id=entry.id, created=created if created.tzinfo else created.replace(tzinfo=UTC))
