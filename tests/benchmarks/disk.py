"""The bare limits of accepting, of the same bytes: fdatasync alone, and SQLite's group commit.

`python -m tests.benchmarks.disk FILE FOLDER` prints one JSON object: rows/s for each.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import apsw

GROUP = 100


def synced(path: Path, rows: Sequence[bytes], group: int) -> float:
    """Rows/s when each group is appended to a file and synced before the next."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    began = time.perf_counter()
    for start in range(0, len(rows), group):
        os.write(number, b"".join(rows[start : start + group]))
        os.fdatasync(number)
    took = time.perf_counter() - began
    os.close(number)
    path.unlink()
    return len(rows) / took


def committed(path: Path, rows: Sequence[bytes], group: int = GROUP) -> float:
    """Rows/s into a table with a unique key, committed in groups, as durably as the journal does."""
    database = apsw.Connection(str(path))
    database.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE receipts (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, body BLOB)")
    began = time.perf_counter()
    for start in range(0, len(rows), group):
        database.execute("BEGIN IMMEDIATE")
        pairs = ((str(start + number), row) for number, row in enumerate(rows[start : start + group]))
        database.executemany("INSERT INTO receipts (id, body) VALUES (?, ?)", pairs)
        database.execute("COMMIT")
    took = time.perf_counter() - began
    database.close()
    path.unlink()
    return len(rows) / took


def main(file: Path, folder: Path) -> None:
    """Measure, and print what was found."""
    rows = file.read_bytes().splitlines(keepends=True)
    found = {
        "fdatasync of each row": synced(folder / "each", rows[:2000], 1),
        f"fdatasync of {GROUP} rows": synced(folder / "groups", rows, GROUP),
        f"SQLite commits of {GROUP} rows": committed(folder / "rows.db", rows),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
