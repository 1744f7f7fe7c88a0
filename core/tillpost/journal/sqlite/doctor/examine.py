"""Checks of every row of a journal, with the repair of each damage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import apsw

from tillpost.journal.sqlite.doctor import contacts, files, gaps, histories, receipts
from tillpost.journal.sqlite.doctor.damage import Damage, Progress, encode_row, is_json
from tillpost.journal.tables import counters, destination, verification
from tillpost.journal.tables.documents import DocumentState


def examine(connection: apsw.Connection, fallback: Path, progress: Progress = lambda text: None) -> Iterator[Damage]:
    """Find damaged rows; the pages must be undamaged. fallback: the folder of the fallback files."""
    for name, look in (
        ("contacts", contacts.examine),
        ("receipts and bodies", receipts.examine),
        ("bodies without a receipt", receipts.orphans),
        ("histories", histories.examine),
        ("missing rows", gaps.examine),
        ("events", _events),
        ("documents", _documents),
        ("the account of records", _account),
    ):
        progress(f"examining {name}")
        yield from look(connection)
    progress("examining files")
    yield from files.examine(connection, fallback)
    yield from _destination(connection)
    yield from _tenants(connection)
    yield from _verification(connection)
    yield from _counters(connection)
    yield from _identity(connection)


def _events(connection: apsw.Connection) -> Iterator[Damage]:
    names = ["seq", "receipt", "contact", "at", "step", "what", "detail"]
    for row in connection.execute(f"SELECT {', '.join(names)} FROM events ORDER BY seq"):  # noqa: S608 - ours
        seq, receipt, contact, at, step, what, detail = row
        fits = (
            isinstance(receipt, int | None) and isinstance(contact, str | None) and isinstance(at, int | float)
        ) and (isinstance(step, str) and isinstance(what, str))
        if fits and is_json(detail, dict):
            continue

        def blank(connection: apsw.Connection, now: float, seq: int = seq) -> None:
            connection.execute("UPDATE events SET detail = '{\"damaged\": true}' WHERE seq = ?", (seq,))

        def remove(connection: apsw.Connection, now: float, seq: int = seq) -> None:
            connection.execute("DELETE FROM events WHERE seq = ?", (seq,))

        yield Damage(
            table="events", row=str(seq), reason="its detail is not JSON" if fits else "its columns make no sense",
            lost="the detail of an event" if fits else "an event", remedy="kept in the quarantine",
            raw=encode_row(names, row), fix=blank if fits else remove,
        )  # fmt: skip


def _documents(connection: apsw.Connection) -> Iterator[Damage]:
    texts = ["sha256", "name", "source", "state", "reason", "place"]
    figures = ["size", "first_at", "last_at", "records", "receipts", "again", "ignored", "skipped", "broken"]
    names = ["seq", *texts, *figures, "failures", "crashes"]
    for row in connection.execute(f"SELECT {', '.join(names)} FROM documents ORDER BY seq"):  # noqa: S608 - ours
        fits = all(isinstance(value, str) for value in row[1:7]) and row[4] in list(DocumentState)
        if fits and all(isinstance(value, int | float) for value in row[7:]):
            continue

        def remove(connection: apsw.Connection, now: float, seq: int = row[0]) -> None:
            for table in ("document_contents", "document_rows"):
                connection.execute(f"DELETE FROM {table} WHERE document = ?", (seq,))  # noqa: S608 - ours
            connection.execute("DELETE FROM documents WHERE seq = ?", (seq,))

        yield Damage(
            table="documents", row=str(row[0]), reason="its columns make no sense",
            lost="what came of a document; its receipts are there", remedy="kept in the quarantine",
            raw=encode_row(names, row), fix=remove,
        )  # fmt: skip


_ACCOUNT = (
    "SELECT d.seq, d.name, d.state, d.records, d.receipts, d.skipped, d.ignored, d.broken,"
    " coalesce(sum(r.last - r.first + 1), 0)"
    " FROM documents d LEFT JOIN document_rows r ON r.document = d.seq GROUP BY d.seq ORDER BY d.seq"
)
_WRONG_ROWS = (
    "SELECT first, last FROM document_rows r WHERE first > last"
    " OR last > (SELECT coalesce(max(seq), 0) FROM receipts)"
    " OR NOT EXISTS (SELECT 1 FROM documents WHERE seq = r.document)"
    " OR EXISTS (SELECT 1 FROM document_rows WHERE first > r.first AND first <= r.last)"
)


def account_faults(read: Callable[[str], Iterable[tuple[Any, ...]]]) -> Iterator[tuple[int, str]]:
    """Where the account (queries/account.py) breaks a law: what was read is in no sum, or in two. Row and reason.

    That each receipt of a document is there is checked as a gap in the rows.
    """
    for seq, name, state, records, found, skipped, ignored, broken, rows in read(_ACCOUNT):
        if records != found + skipped + ignored + broken:
            parts = f"{found} receipts + {skipped} skipped + {ignored} ignored + {broken} broken"
            yield seq, f"of {name}, {records} records were read, and {parts} is another sum"
        elif state == DocumentState.READ and rows > found + broken:
            yield seq, f"of {name}, {found + broken} receipts and broken records were read, and {rows} are there"


def _account(connection: apsw.Connection) -> Iterator[Damage]:
    for seq, reason in account_faults(connection.execute):
        yield Damage(
            table="documents", row=str(seq), reason=reason, lost="which of its records became receipts",
            remedy="accept the document again: what is there is not accepted twice",
        )  # fmt: skip
    for first, last in connection.execute(_WRONG_ROWS):

        def remove(connection: apsw.Connection, now: float, first: int = first) -> None:
            connection.execute("DELETE FROM document_rows WHERE first = ?", (first,))

        yield Damage(
            table="document_rows", row=str(first), reason=f"the rows {first} to {last} belong to no or two documents",
            lost="which document these receipts were read from", remedy="removed", fix=remove,
        )  # fmt: skip


def _counters(connection: apsw.Connection) -> Iterator[Damage]:
    if off := counters.mismatches(connection):
        yield Damage(
            table="counters", row="", reason=f"differs from the rows: {'; '.join(off[:5])}", lost="nothing",
            remedy="counted again", fix=lambda connection, now: counters.recount(connection),
        )  # fmt: skip


def _identity(connection: apsw.Connection) -> Iterator[Damage]:
    tokens = [token for (token,) in connection.execute("SELECT token FROM identity")]
    if len(tokens) == 1 and isinstance(tokens[0], str) and len(tokens[0]) == 32:
        return

    def recreate(connection: apsw.Connection, now: float) -> None:
        connection.execute("DELETE FROM identity")
        connection.execute("INSERT INTO identity VALUES (1, lower(hex(randomblob(16))))")

    yield Damage(
        table="identity", row="1", reason="the journal's token is missing or makes no sense",
        lost="by what copies of this journal are recognised", remedy="a new one", fix=recreate,
    )  # fmt: skip


def _destination(connection: apsw.Connection) -> Iterator[Damage]:
    names = ["state", "reason", "since", "unreachable_since", "failures", "probe_due", "files_due", "sequence"]
    rows = list(connection.execute(f"SELECT {', '.join(names)}, observed FROM destination"))  # noqa: S608 - ours
    last = connection.execute("SELECT max(sequence) FROM files WHERE typeof(sequence) = 'integer'").get or 0
    last_event = connection.execute("SELECT max(seq) FROM events").get or 0
    reason = ""
    if len(rows) != 1:
        reason = "its row is missing"
    elif not destination.fits(rows[0][:7]) or not all(isinstance(each, int) for each in rows[0][7:]):
        reason = "its columns make no sense"
    elif rows[0][7] < last or rows[0][8] > last_event:
        reason = "it is behind the other tables"
    if not reason:
        return
    kept = rows[0] if rows else ()
    sequence = max(last, kept[7]) if kept and isinstance(kept[7], int) else last
    observed = min(last_event, kept[8]) if kept and isinstance(kept[8], int) else last_event

    def recreate(connection: apsw.Connection, now: float) -> None:
        connection.execute("DELETE FROM destination")
        connection.execute(
            "INSERT INTO destination (one, state, reason, since, failures, probe_due, files_due, sequence, observed)"
            " VALUES (1, 'online', 'journal repaired', ?, 0, 0, 0, ?, ?)",
            (now, sequence + 1, observed),
        )

    yield Damage(
        table="destination", row="1", reason=reason, lost="the state of the destination; it is probed again",
        remedy="recreated", raw=encode_row([*names, "observed"], kept), fix=recreate,
    )  # fmt: skip


def _tenants(connection: apsw.Connection) -> Iterator[Damage]:
    names = ["seq", "address", "credential", "since", "pending", "pending_since"]
    for row in connection.execute(f"SELECT {', '.join(names)} FROM tenants"):  # noqa: S608 - ours
        texts, times = (row[1], row[2], row[4]), (row[3], row[5])
        if all(isinstance(each, str) for each in texts) and all(isinstance(each, int | float) for each in times):
            continue

        def fix(connection: apsw.Connection, now: float, seq: int = row[0]) -> None:
            sql = "UPDATE tenants SET address = '', credential = '', since = ?, pending = '', pending_since = 0"
            connection.execute(f"{sql} WHERE seq = ?", (now, seq))

        yield Damage(
            table="tenants", row=str(row[0]), reason="makes no sense", lost="which tenant the contactIds belong to",
            remedy="contacts are looked up before anything is sent", raw=encode_row(names, row), fix=fix,
        )  # fmt: skip


def _verification(connection: apsw.Connection) -> Iterator[Damage]:
    names = ["history", "reason", "since", "looks", "requests", "lag"]
    rows = list(connection.execute(f"SELECT {', '.join(names)} FROM verification"))  # noqa: S608 - ours
    if len(rows) == 1 and verification.fits(rows[0]):
        return

    def recreate(connection: apsw.Connection, now: float) -> None:
        connection.execute("DELETE FROM verification")
        connection.execute("INSERT INTO verification VALUES (1, 'unknown', '', ?, 0, 0, NULL)", (now,))

    yield Damage(
        table="verification", row="1", reason="its columns make no sense" if rows else "its row is missing",
        lost="how many histories were read", remedy="recreated; Engage is asked again whether it shows histories",
        raw=encode_row(names, rows[0] if rows else ()), fix=recreate,
    )  # fmt: skip
