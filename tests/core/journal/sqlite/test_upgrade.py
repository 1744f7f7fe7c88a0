"""A journal of the schema before, with what a real export has left in it, is brought to the newest one and goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.support.exports import export
from tests.support.receipts import accept, found
from tillpost.journal import Journal, State
from tillpost.journal.sqlite.doctor import backup, restore, verify
from tillpost.journal.sqlite.schema import UPGRADES, upgrade

BEFORE = len(UPGRADES) - 1
_COUNTED = ("counters", "contact_counters")


def tables(connection: apsw.Connection) -> dict[str, list[str]]:
    names = [
        str(name)
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
    ]
    return {name: [str(row[1]) for row in connection.execute(f"PRAGMA table_info({name})")] for name in names}


def content(path: Path, columns: dict[str, list[str]]) -> dict[str, set[tuple[Any, ...]]]:
    with closing(apsw.Connection(str(path))) as connection:
        return {
            table: set(connection.execute(f"SELECT {', '.join(names)} FROM {table}"))
            for table, names in columns.items()
        }


def of_schema(schema: int, journal: Path, old: Path) -> dict[str, list[str]]:
    """A journal of that schema, made by its own scripts, with what the other one has; its tables and columns."""
    with closing(apsw.Connection(str(old))) as connection:
        upgrade(connection, to=schema)
        columns = tables(connection)
        connection.execute("ATTACH ? AS now", (str(journal),))
        for table in [*(each for each in columns if each not in _COUNTED), *_COUNTED]:  # those that triggers fill last
            names = ", ".join(columns[table])
            connection.execute(f"DELETE FROM main.{table}")
            connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM now.{table}")
        connection.execute("DETACH now")
        connection.pragma("journal_mode", "wal")
        assert connection.pragma("user_version") == schema
        return columns


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a day of a real export leaves in a journal: by API, by file, contacts, skipped."""
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run(
        [sys.executable, "-m", "tillpost", "demo", "--from", str(export("poslog-ncr-acs", "POSLog.xml")), "--adapter",
         "poslog", "--anonymous", "externalId:HOUSE", "--dir", str(folder / "demo")],
        capture_output=True, timeout=300, check=True,
    )  # fmt: skip
    (path,) = folder.rglob("journal.db")
    Journal(path.parent).close()  # the WAL is carried into the file
    return path


@pytest.mark.parametrize("schema", range(6, len(UPGRADES)))
def test_a_journal_of_an_earlier_schema_keeps_every_row_and_goes_on(
    carried: Path, tmp_path: Path, schema: int, measured: Callable[[str], None]
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    columns = of_schema(schema, carried, folder / "journal.db")
    before = content(folder / "journal.db", columns)
    rows = {table: len(found) for table, found in before.items()}
    assert rows["receipts"] >= 42
    assert rows["contacts"] > 1
    assert rows["files"] > 1
    seen = verify(folder)
    assert (seen.schema, seen.newest) == (schema, len(UPGRADES)), "verify looks at it as it is"
    with closing(Journal(folder)) as journal:
        assert content(folder / "journal.db", columns) == before
        accept(journal, found(number="of the new version"), now=4e9)
        assert [str(entry.state) for entry in journal.receipts.find({"state": State.ACCEPTED})] == ["accepted"]
    after = verify(folder)
    assert after.schema == len(UPGRADES)
    assert [damage for damage in after.damages if not damage.note] == []
    measured(f"schema {schema} of a real export to {len(UPGRADES)}: {sum(rows.values())} rows in {len(rows)} tables")


def test_what_is_known_of_the_past_is_what_the_newest_schema_would_have_written(carried: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    of_schema(7, carried, folder / "journal.db")
    Journal(folder).close()
    with closing(Journal(folder)) as upgraded, closing(Journal(carried.parent)) as native:
        assert upgraded.tills.all() == native.tills.all()
        assert upgraded.tills.all()


def test_going_back_is_a_backup_of_the_schema_before(carried: Path, tmp_path: Path) -> None:
    """Backed up before it is upgraded, restored later: the same rows, and the newer journal aside."""
    folder = tmp_path / "state"
    folder.mkdir()
    columns = of_schema(BEFORE, carried, folder / "journal.db")
    before = content(folder / "journal.db", columns)
    made = backup(folder, tmp_path / "before.db", 4e9)
    assert made.schema == BEFORE
    assert content(made.path, columns) == before, "an old version could open it as it is"
    with closing(Journal(folder)) as journal:
        accept(journal, found(number="of the new version"), now=4e9)
    restored = restore(folder, made.path, 4e9, 1200.0, replace=True)
    assert restored.newer == 1
    assert restored.asked == 0, "nothing was open"
    assert content(folder / "journal.db", columns)["receipts"] == before["receipts"]
    assert restored.kept is not None
