"""Documents that were received, that their senders have, and that cannot be read: the oldest leave for a row that
counts them. One that nobody else has stays; the journal is its place.

Whoever sends what cannot be read, again and again and never the same, must not fill the journal.
"""

from __future__ import annotations

from tillpost.journal.database import Transaction

MOST_LISTED = 1000
"""Received documents set aside that have rows of their own; with no record in the journal, nothing refers to them."""
OLDER = "(older documents)"
"""The name of the row that counts the others."""
_RECEIVED = "state <> 'read' AND state = 'set aside' AND records = 0 AND place = '' AND crashes = 0"


def remove_oldest(transaction: Transaction, now: float) -> bool:
    """Keep at most so many; whether any had to leave."""
    listed = f"SELECT seq FROM documents INDEXED BY documents_open WHERE {_RECEIVED} AND name <> ?"  # noqa: S608 - ours
    seqs = sorted(seq for (seq,) in transaction.execute(listed, (OLDER,)))[:-MOST_LISTED]
    if not seqs:
        return False
    for table, column in (("document_contents", "document"), ("documents", "seq")):
        transaction.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(seq,) for seq in seqs])  # noqa: S608 - ours
    known = transaction.execute(
        "SELECT seq, failures FROM documents INDEXED BY documents_open"
        " WHERE state <> 'read' AND state = 'set aside' AND sha256 = '' AND name = ?",
        (OLDER,),
    ).fetchone()
    count = len(seqs) + (known[1] if known else 0)
    reason = f"{count} older documents that cannot be read are not listed one by one any more; their senders have them"
    if known is not None:
        transaction.execute(
            "UPDATE documents SET failures = ?, reason = ?, last_at = ? WHERE seq = ?", (count, reason, now, known[0])
        )
    else:
        transaction.execute(
            "INSERT INTO documents (sha256, name, source, size, state, reason, first_at, last_at, failures)"
            " VALUES ('', ?, '', 0, 'set aside', ?, ?, ?, ?)",
            (OLDER, reason, now, now, count),
        )
    return True
