"""Idempotency keys: a document that comes again with the same key gets the same answer, also after a restart."""

from __future__ import annotations

import json

import attrs

from tillpost.journal.database import Table, Transaction
from tillpost.journal.tables.acceptance import Accepted
from tillpost.model import Document

KEEP = 7 * 86400.0
"""Seconds an answer is kept: senders of webhooks give up within days."""
_STEP = 2
"""Expired answers that are removed with each new one: more than come in, and never many at a time."""


@attrs.frozen
class Answer:
    """The answer to a document: the digest of its content, and the counts."""

    sha256: str
    counts: Accepted


class IdempotencyKeys(Table):
    """The table of answers."""

    def recall(self, key: str) -> Answer | None:
        """The answer to this key; None when it is new or older than `KEEP`.

        A damaged row counts as new: receipts that come again are found to be duplicates by their ids.
        """
        rows = self._database.read("SELECT sha256, counts FROM idempotency_keys WHERE key = ?", (key,))
        if not rows:
            return None
        try:
            return Answer(str(rows[0][0]), Accepted(**json.loads(rows[0][1])))
        except (ValueError, TypeError):
            return None


def remember(transaction: Transaction, document: Document, counts: Accepted, now: float) -> None:
    """Store the answer to the key of a document, in the transaction of its last records."""
    transaction.execute(
        "INSERT INTO idempotency_keys VALUES (?, ?, ?, ?) ON CONFLICT (key)"
        " DO UPDATE SET sha256 = excluded.sha256, counts = excluded.counts, at = excluded.at",
        (document.key, document.sha256, json.dumps(attrs.asdict(counts)), now),
    )
    transaction.execute(
        "DELETE FROM idempotency_keys WHERE key IN (SELECT key FROM idempotency_keys WHERE at < ? ORDER BY at LIMIT ?)",
        (now - KEEP, _STEP),
    )
