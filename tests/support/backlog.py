"""A journal of any size, made by SQL in seconds: n receipts that wait, beside m that are settled.

Every row is as the journal itself would have written it (the doctor finds nothing), but the settled have no body when
`bodies` is False: ten million of them would fill a disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from tests.support.receipts import receipt
from tillpost.journal import Journal
from tillpost.journal.tables import counters, tills
from tillpost.model.receipt_json import dumps

DAY = 86400.0
NOW = 1_800_000_000.0
"""When it is in such a journal. The waiting were accepted an hour ago, and are due since then."""
_BATCH = 50_000
_COLUMNS = (
    "seq, id, number, store, till, business_date, created, currency, total, line_count, state, due, attempts,"
    " reason, route, contact, document, place, accepted_at, changed_at, delivered_at"
)
_TEMPLATE = dumps(receipt(number="NUMBER", customer="CUSTOMER"))
_NOTHING = hashlib.sha256(b"").digest()


def build(
    folder: Path, waiting: int, settled: int = 0, *, contacts: int = 1000, days: float = 100.0, bodies: bool = True
) -> None:
    """Make the journal. days: how long ago the settled ones were, all between so many and half as many."""
    Journal(folder).close()
    connection = apsw.Connection(str(folder / "journal.db"))
    connection.pragma("journal_mode", "delete")
    connection.pragma("synchronous", "off")
    connection.pragma("cache_size", -200_000)
    indexes = list(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"))
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    with connection:
        for number in range(contacts):
            values = (_key(number), "", "{}", "{}", "12", NOW - days * DAY)
            connection.execute(
                "INSERT INTO contacts (key, contact_id, attributes, sent, store, seen_at) VALUES (?,?,?,?,?,?)", values
            )
            connection.execute(
                "INSERT INTO identifiers (kind, value, contact) VALUES ('externalId', ?, ?)",
                (f"x{number}", _key(number)),
            )
    marks = ", ".join("?" * len(_COLUMNS.split(",")))
    for start in range(0, settled + waiting, _BATCH):
        seqs = range(start + 1, min(start + _BATCH, settled + waiting) + 1)
        with connection:
            connection.executemany(
                f"INSERT INTO receipts ({_COLUMNS}) VALUES ({marks})",
                (_row(seq, settled, contacts, days) for seq in seqs),
            )
            connection.executemany(
                "INSERT INTO bodies VALUES (?,?,?,?)", (_body(seq, contacts, bodies or seq > settled) for seq in seqs)
            )
            connection.executemany(
                "INSERT INTO events (receipt, at, step, what, detail) VALUES (?,?,?,?,?)",
                (event for seq in seqs for event in _events(seq, settled, days)),
            )
    with connection:
        for _, sql in indexes:
            connection.execute(sql)
        counters.recount(connection)
        rows = connection.execute("SELECT store, till, accepted_at, number, created FROM receipts ORDER BY seq")
        tills.record(connection, rows)
    connection.close()


def _key(number: int) -> str:
    return f"c{number:016x}"


def _at(seq: int, settled: int, days: float) -> float:
    return NOW - days * DAY * (1 - seq / settled / 2) if seq <= settled else NOW - 3600 + seq / 1e6


def _row(seq: int, settled: int, contacts: int, days: float) -> tuple[Any, ...]:
    at = _at(seq, settled, days)
    fixed = (seq, f"12_1_2026-11-24_{seq}", str(seq), "12", "1", "2026-11-24", "2026-11-24T10:00:00+01:00", "SEK")
    if seq <= settled:
        stands: tuple[Any, ...] = ("delivered", 0.0, 0, "", "api")
    else:
        stands = ("waiting", at, 1, "no answer", "") if seq % 2 else ("accepted", at, 0, "", "")
    ends = (_key(seq % contacts), "day.jsonl", "line 1", at, at, at if seq <= settled else None)
    return (*fixed, "10.00", 1, *stands, *ends)


def _body(seq: int, contacts: int, whole: bool) -> tuple[int, bytes | None, bytes, bytes]:
    if not whole:
        return seq, None, _NOTHING, b""
    body = _TEMPLATE.replace(b"NUMBER", str(seq).encode()).replace(b"CUSTOMER", b"x%d" % (seq % contacts))
    return seq, body, hashlib.sha256(body).digest(), b"{}"


def _events(seq: int, settled: int, days: float) -> Iterator[tuple[int, float, str, str, str]]:
    at = _at(seq, settled, days)
    yield seq, at, "accept", "accepted", '{"document": "day.jsonl"}'
    if seq <= settled:
        yield seq, at, "deliver", "sending", "{}"
        yield seq, at, "deliver", "delivered", '{"route": "api"}'
    elif seq % 2:
        yield seq, at, "deliver", "waiting", '{"reason": "no answer"}'
