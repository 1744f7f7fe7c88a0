"""The account of records: what became of each record that was read, as sums that must agree.

    records  = receipts + skipped + ignored + broken
    receipts = verified + accepted by API + accepted by import + on the way + held + discarded

A broken record stands in the journal, too, until a person has decided about it. The doctor checks the sums.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs

from tillpost.journal.database import Table
from tillpost.journal.states import State
from tillpost.journal.tables.documents import DocumentEntry
from tillpost.terminal import ranked

ENDS = ("verified", "accepted_by_api", "accepted_by_import", "on_the_way", "held", "discarded")
"""Where a receipt is, in the order of the account."""

_END = (
    "CASE WHEN state = 'skipped' AND reason LIKE 'discarded: %' THEN 'discarded' WHEN state = 'skipped' THEN 'skipped'"
    " WHEN state = 'held' THEN 'held' WHEN state <> 'delivered' THEN 'on_the_way'"
    " WHEN verified_at IS NOT NULL THEN 'verified'"
    " WHEN route = 'file' THEN 'accepted_by_import' ELSE 'accepted_by_api' END"
)
_IS_BROKEN = "id LIKE 'broken\\_%' ESCAPE '\\' AND line_count = 0"


@attrs.frozen(kw_only=True)
class Account:
    """The sums of one document, one day, or a whole journal.

    receipts: by where they are (ENDS). broken: likewise, of records that could not be read; what a person has corrected
    is a receipt. skipped, ignored: by reason. before: receipts and broken records of a document that the journal had
    already, so they are in the accounts of the documents that brought them. waiting: (where, reason) → receipts and
    broken records that are not verified, accepted or discarded.
    """

    receipts: Counter[str] = attrs.field(factory=Counter)
    broken: Counter[str] = attrs.field(factory=Counter)
    skipped: Counter[str] = attrs.field(factory=Counter)
    ignored: Counter[str] = attrs.field(factory=Counter)
    before: int = 0
    waiting: Counter[tuple[str, str]] = attrs.field(factory=Counter)

    @property
    def records(self) -> int:
        """The number of all records."""
        parts = (self.receipts, self.broken, self.skipped, self.ignored)
        return self.before + sum(sum(part.values()) for part in parts)

    def as_json(self) -> dict[str, Any]:
        """The sums, for scripts."""
        return {
            "records": self.records,
            "receipts": {"sum": sum(self.receipts.values()), **{end: self.receipts[end] for end in ENDS}},
            "skipped": {"sum": sum(self.skipped.values()), "reasons": dict(ranked(self.skipped))},
            "ignored": {"sum": sum(self.ignored.values()), "reasons": dict(ranked(self.ignored))},
            "broken": {"sum": sum(self.broken.values()), **{end: self.broken[end] for end in ENDS}},
            "in_the_journal_before": self.before,
            "waiting": [
                {"where": where, "reason": reason, "count": count} for (where, reason), count in ranked(self.waiting)
            ],
        }


class Accounts(Table):
    """Reads accounts. All figures of one are those of one commit each; while the line works they move on between."""

    def of_journal(self) -> Account:
        """The account of everything the journal holds; retention has removed what is older."""
        return self._account("TRUE", (), "TRUE", ())[0]

    def of_day(self, date: str, since: float, until: float, store: str = "") -> Account:
        """The account of a business day (ISO 8601); of one store, or of all.

        since, until: the day in seconds since 1970, for records without a date of their own: the day they were read.
        """
        own, none = "date = ?1", "date = '' AND at >= ?2 AND at < ?3"
        clause = f"({own} OR {none}) AND ?4 IN ('', store)"
        of_receipts = clause.replace("date", "business_date").replace(" at ", " accepted_at ")
        values = (date, since, until, store)
        return self._account(of_receipts, values, clause, values)[0]

    def of_document(self, document: DocumentEntry) -> Account:
        """The account of one document, by its latest reading."""
        rows = "EXISTS (SELECT 1 FROM document_rows WHERE document = ? AND seq BETWEEN first AND last)"
        seqs = self._database.read(
            "SELECT min(first), max(last) FROM document_rows WHERE document = ?", (document.seq,)
        )
        low, high = seqs[0] if seqs[0][0] is not None else (0, -1)
        account, there = self._account(
            f"seq BETWEEN ? AND ? AND {rows}", (low, high, document.seq), "document = ?", (document.sha256,)
        )
        return attrs.evolve(account, before=max(0, document.receipts + document.broken - there))

    def _account(
        self, receipts: str, values: tuple[Any, ...], no_receipts: str, others: tuple[Any, ...]
    ) -> tuple[Account, int]:
        """The account, and how many rows of the table of receipts are in it.

        receipts, no_receipts: conditions on the rows of these tables, with their values.
        """
        account, rows = Account(), 0
        for end, state, reason, broken, count in self._database.read(
            f"SELECT {_END}, state, CASE state WHEN 'delivered' THEN '' ELSE reason END, {_IS_BROKEN}, count(*)"  # noqa: S608
            f" FROM receipts WHERE {receipts} GROUP BY 1, 2, 3, 4",
            values,
        ):
            rows += count
            if end == State.SKIPPED:
                account.skipped[reason] += count
                continue
            (account.broken if broken else account.receipts)[end] += count
            if end in ("held", "on_the_way"):
                account.waiting[state, reason] += count
        for retail, reason, count in self._database.read(
            f"SELECT retail, reason, count(*) FROM no_receipts WHERE {no_receipts} GROUP BY retail, reason",  # noqa: S608
            others,
        ):
            (account.skipped if retail else account.ignored)[reason] += count
        return account, rows
