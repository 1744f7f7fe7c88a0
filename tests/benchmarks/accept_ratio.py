"""How fast JSON lines are accepted, against SQLite's bare group commit of the same rows, side by side.

    python -m tests.benchmarks.accept_ratio [--receipts 2000] [--runs 5] [--folder DIR]

Prints JSON, one object a size of receipt: receipts/s and CPU seconds per 1,000 of both, medians of alternating runs,
and the ratio of their rates with its spread. Ours: a file through the adapter, checked, and committed. Bare: the rows
that came of it, prepared, by `executemany` into the same tables, one connection, WAL, synchronous=FULL, the same 100
receipts a commit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from tests.benchmarks.receipts import sale
from tillpost.cli.pipelines import opened_lines
from tillpost.compose.config import load
from tillpost.flow.intake.accept import GROUP, accept
from tillpost.flow.line import Line
from tillpost.journal.sqlite.schema import upgrade
from tillpost.model import Document

CONFIG = """
[tillpost]
state = "state"

[pipelines.shop]
source    = { use = "folder", path = "inbox" }
adapter   = { use = "receipts" }
resolve   = [ { use = "known" }, { use = "engage" } ]
map       = { use = "engage" }
transport = { use = "engage", url = "http://127.0.0.1:9", api_key = { env = "ENGAGE_API_KEY" } }
"""
Row = tuple[Any, ...]


@contextmanager
def shop(folder: Path) -> Iterator[Line]:
    """A pipeline of the launcher's own making, its journal in the folder."""
    folder.mkdir()
    file = folder / "tillpost.toml"
    file.write_text(CONFIG)
    config = load(file)
    with opened_lines(config, list(config.pipelines)) as (line,):
        yield line


def rows_of(journal: Path) -> tuple[list[tuple[str, list[Row]]], list[list[tuple[str, list[Row]]]]]:
    """What stands in a journal: contacts with their identifiers, then receipts, bodies and events by group."""
    connection = apsw.Connection(str(journal))

    def of(table: str, where: str = "1", order: str = "seq") -> tuple[str, list[Row]]:
        cursor = connection.execute(f"SELECT * FROM {table} WHERE {where} ORDER BY {order}")
        found = list(cursor)
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", found

    contacts = [of("contacts", order="key"), of("identifiers", order="kind, value"), of("events", "receipt IS NULL")]
    last = connection.execute("SELECT max(seq) FROM receipts").get
    groups = [
        [
            of("receipts", f"seq BETWEEN {first} AND {first + GROUP - 1}"),
            of("bodies", f"seq BETWEEN {first} AND {first + GROUP - 1}"),
            of("events", f"receipt BETWEEN {first} AND {first + GROUP - 1}"),
        ]
        for first in range(1, last + 1, GROUP)
    ]
    connection.close()
    return contacts, groups


def bare(folder: Path, contacts: list[tuple[str, list[Row]]], groups: list[list[tuple[str, list[Row]]]]) -> Timed:
    """The rows by `executemany`, a commit a group; contacts are there before, as for most receipts they are."""
    folder.mkdir()
    connection = apsw.Connection(str(folder / "bare.db"))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    upgrade(connection)
    for sql, rows in contacts:
        connection.executemany(sql, rows)

    def work() -> None:
        for group in groups:
            connection.execute("BEGIN IMMEDIATE")
            for sql, rows in group:
                connection.executemany(sql, rows)
            connection.execute("COMMIT")

    timed = time_of(work)
    connection.close()
    return timed


Timed = tuple[float, float]
"""Wall seconds and CPU seconds."""


def time_of(work: Callable[[], object]) -> Timed:
    """How long it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(line_count: int, receipts: int, runs: int, folder: Path) -> dict[str, Any]:
    """Alternating runs, each on a file of its own."""
    path = folder / f"{line_count}.jsonl"
    written = [json.dumps(sale(number, line_count), ensure_ascii=False).encode() for number in range(receipts)]
    path.write_bytes(b"\n".join(written))
    ours: list[Timed] = []
    theirs: list[Timed] = []
    for run in range(runs):
        own = folder / f"{line_count}-{run}"
        with shop(own) as line:
            counted: list[int] = []

            def work(line: Line = line, counted: list[int] = counted) -> None:
                counted.append(accept(line, Document.from_path(path)).accepted)

            ours.append(time_of(work))
            assert counted == [receipts], counted
            journal = line.journal.folder / "journal.db"
        theirs.append(bare(folder / f"{line_count}-{run}-bare", *rows_of(journal)))
    ratios = [them[0] / us[0] for us, them in zip(ours, theirs, strict=True)]
    cpu_ratios = [them[1] / us[1] for us, them in zip(ours, theirs, strict=True)]
    return {
        "lines": line_count,
        "bytes": round(statistics.mean(map(len, written))),
        "receipts": receipts,
        "runs": runs,
        "ours_per_second": round(receipts / statistics.median(wall for wall, _ in ours)),
        "bare_per_second": round(receipts / statistics.median(wall for wall, _ in theirs)),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "ratio_of_cpu": round(statistics.median(cpu_ratios), 3),
        "ours_cpu_per_1000": round(1000 * statistics.median(cpu for _, cpu in ours) / receipts, 3),
        "bare_cpu_per_1000": round(1000 * statistics.median(cpu for _, cpu in theirs) / receipts, 3),
    }


def main() -> None:
    """Both sizes, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the journals lie; default: a temporary folder")
    given = parser.parse_args()
    os.environ.setdefault("ENGAGE_API_KEY", "none")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        sizes = [measure(count, given.receipts, given.runs, Path(folder)) for count in (8, 4)]
    told = {"python": platform.python_version(), "sqlite": apsw.sqlite_lib_version(), "goal": 0.35, "sizes": sizes}
    json.dump(told, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
