"""Documents: one row for each that was read or tried, written in the commits of its records."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import attrs

from tillpost.errors import ChangedMeanwhile, UsageError
from tillpost.journal.database import ALL, Table, Transaction, first
from tillpost.journal.tables import events
from tillpost.journal.tables.acceptance import Accepted
from tillpost.journal.tables.received_documents import remove_oldest
from tillpost.journal.tables.sources import store_cursor
from tillpost.journal.tables.taken_ids import VOIDED_LATE
from tillpost.model import Broken, Document, DocumentTrouble, Found, Parsed

LARGEST_KEPT = 1 << 20
"""Bytes of a received document up to which its content is kept when it is set aside; its sender has it, too."""
MOST_KEPT = 64 << 20
"""Bytes of all contents that are kept."""
IN_JOURNAL = "the journal"
"""The place of a document that was set aside and that nobody else has; it is kept whatever its size."""


class DocumentState(StrEnum):
    """What came of a document.

    reading: records of it are committed, and it has not been read to its end. retry: it cannot be read or moved now,
    and its source tries again. set aside: it cannot be read, and a person must look at it. gone: its source does not
    have it any more, or has no trouble with it any more. discarded: a person decided that it is not needed.
    """

    READING = "reading"
    READ = "read"
    RETRY = "retry"
    SET_ASIDE = "set aside"
    GONE = "gone"
    DISCARDED = "discarded"


OPEN_DOCUMENTS = (DocumentState.READING, DocumentState.RETRY, DocumentState.SET_ASIDE)
_UNREAD = "state <> 'read'"
"""The rows of the index documents_open."""
_OPEN = f"{_UNREAD} AND state IN ('reading', 'retry', 'set aside')"
_WAS = "; it was: "
"""Stands between why a person discarded a document and what was wrong with it."""
_DIGEST = re.compile("[0-9a-f]{8,64}")
_COLUMNS = (
    "seq, sha256, name, source, size, state, reason, place, first_at, last_at, due, records, receipts, again, ignored,"
    " skipped, broken, failures, crashes"
)


@attrs.frozen
class DocumentEntry:
    """A row of the table. Times in seconds since 1970, size in bytes.

    sha256: "" while the content could not be read. place: where it lies, as far as it is known. due: when the source
    tries it again. The counts are those of its latest reading: records = receipts + ignored + skipped + broken.
    receipts: also those without a customer. again: receipts and broken records that the journal had before. failures,
    crashes: how often reading it failed, and how often the process ended with it in hand.
    """

    seq: int
    sha256: str
    name: str
    source: str
    size: int
    state: DocumentState = attrs.field(converter=DocumentState)
    reason: str
    place: str
    first_at: float
    last_at: float
    due: float | None
    records: int
    receipts: int
    again: int
    ignored: int
    skipped: int
    broken: int
    failures: int
    crashes: int


@attrs.define(eq=False)
class Reading:
    """A document that is being read. seq: its row, once its first records are committed."""

    document: Document
    source: str
    seq: int | None = None

    def size(self) -> int:
        """Bytes of the document; 0 when its file has vanished."""
        if self.document.content is not None:
            return len(self.document.content)
        try:
            return self.document.progress.size or (self.document.path.stat().st_size if self.document.path else 0)
        except OSError:
            return 0


def record_group(
    transaction: Transaction,
    reading: Reading,
    parsed: Sequence[Parsed],
    fresh: Accepted,
    last: bool,
    now: float,
    unread: bool = True,
) -> int:
    """Add a group of records to the row of their document, in their transaction; returns that row.

    The counts start again with the first group. fresh: what came of the records. last: they are the last ones. unread:
    whether the table has documents that were not read (`has_unread`, asked once a commit).
    """
    kinds = [type(record) for record in parsed]
    receipts, broken = kinds.count(Found), kinds.count(Broken)
    # A void of what has left is held for a person, as a row beside its sale: of the records that is a receipt.
    receipts += fresh.reasons[VOIDED_LATE]
    others = len(parsed) - receipts - broken
    counts = (len(parsed), receipts, fresh.duplicates, fresh.ignored, others - fresh.ignored, broken)
    state = DocumentState.READ if last else DocumentState.READING
    if reading.seq is not None:
        transaction.execute(
            "UPDATE documents SET state = ?, last_at = ?, records = records + ?, receipts = receipts + ?,"
            " again = again + ?, ignored = ignored + ?, skipped = skipped + ?, broken = broken + ? WHERE seq = ?",
            (state, now, *counts, reading.seq),
        )
        return reading.seq
    known = _find_open(transaction, reading.document) if unread else None
    if known is None:
        values = (*_identity(reading), state, now, now, *counts)
        return int(first(transaction.execute(f"{_INSERT_COUNTS} RETURNING seq", values)))
    transaction.execute(
        "UPDATE documents SET sha256 = ?, name = ?, source = ?, size = ?, state = ?, last_at = ?, records = ?,"
        " receipts = ?, again = ?, ignored = ?, skipped = ?, broken = ?, reason = '', place = '', due = NULL"
        " WHERE seq = ?",
        (*_identity(reading), state, now, *counts, known),
    )
    transaction.execute("DELETE FROM document_contents WHERE document = ?", (known,))
    return known


def has_unread(transaction: Transaction) -> bool:
    """Whether any document was not read to its end."""
    return transaction.execute(_ANY_UNREAD).fetchone() is not None


def record_rows(transaction: Transaction, document: int, first_row: int, last_row: int) -> None:
    """Record which rows of the table of receipts were inserted for a group of records; there may be none."""
    if first_row <= last_row:
        transaction.execute("INSERT INTO document_rows VALUES (?,?,?)", (first_row, last_row, document))


_ANY_UNREAD = f"SELECT 1 FROM documents INDEXED BY documents_open WHERE {_UNREAD} LIMIT 1"  # noqa: S608 - ours
_INSERT_COUNTS = (
    "INSERT INTO documents (sha256, name, source, size, state, first_at, last_at, records, receipts, again, ignored,"
    " skipped, broken) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
)


def _identity(reading: Reading) -> tuple[Any, ...]:
    return reading.document.sha256, reading.document.name, reading.source, reading.size()


def _find_open(transaction: Transaction, document: Document) -> int | None:
    """The row of a document that was not read to its end.

    A file is known by its name too, and under its name alone while it could not be read.
    """
    if document.path is None:
        sql, values = "sha256 = ?1", [document.sha256]
    else:
        sql, values = "sha256 IN (?1, '') AND name = ?2", [document.sha256, document.name]
    found = first(
        transaction.execute(
            f"SELECT max(seq) FROM documents INDEXED BY documents_open WHERE {_UNREAD} AND {sql}",  # noqa: S608 - ours
            values,
        )
    )
    return None if found is None else int(found)


class Documents(Table):
    """The documents of a pipeline."""

    def set_aside(self, reading: Reading, reason: str, now: float, place: str = "") -> None:
        """It cannot be read, and a person must look at it. Keeps the content of one that lies nowhere else."""

        def work(transaction: Transaction) -> None:
            content, cursor = reading.document.content, reading.document.cursor
            many = content is not None and remove_oldest(transaction, now)  # then the row that counts them tells it
            # A source with a cursor goes on behind it and asks for it no more.
            keep = content is not None and (reading.document.keep or cursor is not None)
            where = IN_JOURNAL if keep else place
            seq = self._change(transaction, reading, DocumentState.SET_ASIDE, reason, now, place=where, told=many)
            if cursor is not None:
                store_cursor(transaction, reading.source, cursor, now)
            if content is None or (len(content) > LARGEST_KEPT and not keep):
                return
            kept = first(transaction.execute("SELECT sum(length(content)) FROM document_contents")) or 0
            if kept + len(content) <= MOST_KEPT or keep:
                transaction.execute(
                    "INSERT INTO document_contents VALUES (?, ?) ON CONFLICT (document)"
                    " DO UPDATE SET content = excluded.content",
                    (seq, content),
                )

        self._database.write(work)

    def retry_later(self, reading: Reading, reason: str, now: float, due: float | None = None) -> int:
        """Reading it failed; its source tries again (due: when, as far as that is known). How often it has failed."""
        path = reading.document.path
        place = str(path.absolute()) if path is not None else ""

        def work(transaction: Transaction) -> int:
            seq = self._change(transaction, reading, DocumentState.RETRY, reason, now, place=place, due=due, failures=1)
            return int(first(transaction.execute("SELECT failures FROM documents WHERE seq = ?", (seq,))))

        return self._database.write(work)

    def report(self, trouble: DocumentTrouble, source: str, now: float) -> None:
        """What a source says of a document: it tries again, or has put it where it stays."""

        def work(transaction: Transaction) -> None:
            if trouble.retry_at is None:
                transaction.execute(
                    "UPDATE documents SET place = ? WHERE state <> 'read' AND state = ? AND sha256 = ? AND name = ?",
                    (trouble.place, DocumentState.SET_ASIDE, trouble.sha256, trouble.name),
                )
                return
            place = Path(trouble.place or trouble.name)
            reading = Reading(Document(name=trouble.name, sha256=trouble.sha256, path=place), source)
            seq = _find_open(transaction, reading.document)
            if seq is not None and self._is_discarded(transaction, seq, trouble.reason):
                return
            # A failure to read what is in it was counted when it happened.
            self._change(
                transaction, reading, DocumentState.RETRY, trouble.reason, now,
                place=trouble.place, due=trouble.retry_at, failures=not trouble.sha256,
            )  # fmt: skip

        self._database.write(work)

    def _is_discarded(self, transaction: Transaction, seq: int, reason: str) -> bool:
        """Whether a person has said that this trouble with it may be."""
        row = transaction.execute("SELECT state, reason FROM documents WHERE seq = ?", (seq,)).fetchone()
        return row[0] == DocumentState.DISCARDED and str(row[1]).endswith(f"{_WAS}{reason}")

    def close_unreported(self, source: str, reported: Collection[str], now: float) -> None:
        """Those this source had trouble with and does not report any more: they are gone, or were put away."""
        for entry in self.open():
            is_tried = entry.state is DocumentState.RETRY and entry.due is not None
            if is_tried and entry.source == source and entry.name not in reported:
                self._close(entry, DocumentState.GONE, "the source has no trouble with it any more", now)

    def discard(self, entry: DocumentEntry, reason: str, now: float) -> None:
        """A person decided that it is not needed. Raises JournalError when it is not as the entry says any more."""
        current = self._close(entry, DocumentState.DISCARDED, reason, now)
        if current is not None:
            raise ChangedMeanwhile(
                f"{entry.name} is {current} by now and was not discarded; look again with"
                f" `tillpost documents show {entry.name}`"
            )

    def put_back(self, entry: DocumentEntry, place: str, now: float) -> None:
        """A person put it back to where its source reads it, if that has not read it since, nor set it aside again."""

        def work(transaction: Transaction) -> None:
            name = first(
                transaction.execute(
                    "UPDATE documents SET state = ?, place = ?, due = NULL, last_at = ?"
                    " WHERE seq = ? AND state = ? AND last_at = ? RETURNING name",
                    (DocumentState.RETRY, place, now, entry.seq, DocumentState.SET_ASIDE, entry.last_at),
                )
            )
            if name is not None:
                events.record(transaction, now, "accept", "document put back", document=name)

        self._database.write(work)

    def count_crash(self, reading: Reading, reason: str, now: float) -> int:
        """The process ended with it in hand; returns how often that has happened."""

        def work(transaction: Transaction) -> int:
            seq = self._change(transaction, reading, DocumentState.RETRY, reason, now, crashes=1)
            return int(first(transaction.execute("SELECT crashes FROM documents WHERE seq = ?", (seq,))))

        return self._database.write(work)

    def _change(
        self,
        transaction: Transaction,
        reading: Reading,
        state: DocumentState,
        reason: str,
        now: float,
        *,
        place: str = "",
        due: float | None = None,
        failures: int = 0,
        crashes: int = 0,
        told: bool = False,
    ) -> int:
        """Move the row of a document, or insert it; its first move to a state is an event, unless it was told."""
        seq = reading.seq if reading.seq is not None else _find_open(transaction, reading.document)
        if seq is None:
            seq = int(
                first(
                    transaction.execute(
                        f"{_INSERT_COUNTS} RETURNING seq", (*_identity(reading), "", now, now, 0, 0, 0, 0, 0, 0)
                    )
                )
            )
        before = transaction.execute("SELECT state, reason FROM documents WHERE seq = ?", (seq,)).fetchone()
        transaction.execute(
            "UPDATE documents SET sha256 = ?, name = ?, source = ?, size = ?, state = ?, reason = ?, place = ?,"
            " due = ?, last_at = ?, failures = failures + ?, crashes = crashes + ? WHERE seq = ?",
            (*_identity(reading), state, reason, place, due, now, failures, crashes, seq),
        )
        if before != (state, reason) and not told:
            events.record(
                transaction, now, "accept", f"document {state}", document=reading.document.name, reason=reason
            )
        return seq

    def _close(self, entry: DocumentEntry, state: DocumentState, reason: str, now: float) -> str | None:
        """It is gone, or a person discarded it; its content is no longer kept.

        Nothing is changed when it has another trouble by now than the entry says; returns which.
        """
        seq = entry.seq

        def work(transaction: Transaction) -> str | None:
            current = transaction.execute(
                "SELECT state, reason, sha256 FROM documents WHERE seq = ?", (seq,)
            ).fetchone()
            if current != (entry.state, entry.reason, entry.sha256):
                return "no longer in the journal" if current is None else f"{current[0]} ({current[1] or 'no reason'})"
            why = f"{reason}{_WAS}{entry.reason}" if entry.reason else reason
            transaction.execute(
                "UPDATE documents SET state = ?, reason = ?, due = NULL, last_at = ? WHERE seq = ?",
                (state, why, now, seq),
            )
            transaction.execute("DELETE FROM document_contents WHERE document = ?", (seq,))
            events.record(transaction, now, "accept", f"document {state}", document=entry.name, reason=reason)
            return None

        return self._database.write(work)

    def content(self, seq: int) -> bytes | None:
        """The content that was kept of a document; None when it was not."""
        rows = self._database.read("SELECT content FROM document_contents WHERE document = ?", (seq,))
        return bytes(rows[0][0]) if rows else None

    def open(self, limit: int = ALL) -> list[DocumentEntry]:
        """Those that are not finished, in the order in which they came."""
        # The index holds these only; by its key it would be asked once for each.
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM documents INDEXED BY documents_open WHERE {_OPEN} ORDER BY seq LIMIT ?",  # noqa: S608
            (limit,),
        )
        return [DocumentEntry(*row) for row in rows]

    def newest(self, limit: int, **where: str) -> list[DocumentEntry]:
        """The documents with these values in these columns (state, name, source, sha256), the newest first."""
        clause = " AND ".join(f"{name} = ?" for name in where) or "TRUE"
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM documents WHERE {clause} ORDER BY seq DESC LIMIT ?",  # noqa: S608 - names are ours
            (*where.values(), limit),
        )
        return [DocumentEntry(*row) for row in rows]

    def find(self, name: str) -> list[DocumentEntry]:
        """Those of this name, or whose digest begins so, the newest first. Raises UsageError when there is none."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM documents WHERE name = ? OR sha256 LIKE ? ORDER BY seq DESC LIMIT 1000",  # noqa: S608
            (name, f"{name}%" if _DIGEST.fullmatch(name) else ""),
        )
        if not rows:
            raise UsageError(f"no document {name} in the journal; `tillpost documents list` lists them")
        return [DocumentEntry(*row) for row in rows]

    def count_open(self) -> dict[DocumentState, int]:
        """How many documents are not finished, by state."""
        rows = self._database.read(
            f"SELECT state, count(*) FROM documents INDEXED BY documents_open WHERE {_OPEN} GROUP BY state"  # noqa: S608
        )
        return {DocumentState(state): count for state, count in rows}
