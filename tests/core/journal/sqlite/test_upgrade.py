"""A journal of the schema before, with what a real export has left in it, is brought to the newest one and goes on."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.support.exports import export
from tests.support.old_journals import content, of_schema
from tests.support.receipts import accept, found
from tillpost.errors import JournalError, StateFolderBusy
from tillpost.journal import Journal, State
from tillpost.journal.sqlite.doctor import backup, restore, verify
from tillpost.journal.sqlite.locks import OpenLock
from tillpost.journal.sqlite.schema import RENAMING, UPGRADES

BEFORE = len(UPGRADES) - 1


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
def test_a_journal_of_an_earlier_schema_keeps_every_row_and_accepts_receipts(
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


def old_state_folder(journal: Path, folder: Path) -> set[str]:
    """A state folder as the version before the renaming left it, with files of an outage; the names of the files."""
    folder.mkdir()
    of_schema(RENAMING - 1, journal, folder / "journal.db")
    names = set()
    with closing(apsw.Connection(str(folder / "journal.db"))) as connection:
        for name, stored in list(connection.execute("SELECT name, path FROM files")):
            path = folder / "spool" / Path(stored).relative_to(journal.parent / "fallback")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"<xml>{name}</xml>".encode())
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            connection.execute(
                "UPDATE files SET path = ?, state = 'uploaded', sha256 = ? WHERE name = ?", (str(path), digest, name)
            )
            names.add(name)
    assert names
    return names


def files_are_there(folder: Path, names: set[str]) -> None:
    with closing(Journal(folder)) as journal:
        entries = journal.files.all()
        assert {entry.file.name for entry in entries} == names
        for entry in entries:
            assert entry.file.path.is_relative_to(folder / "fallback")
            assert entry.file.path.read_bytes() == f"<xml>{entry.file.name}</xml>".encode()
    assert not (folder / "spool").exists()
    assert verify(folder).damages == []


@pytest.mark.parametrize("crash", ["none", "before the rename", "half of a folder moved", "old version ran again"])
def test_the_files_of_an_outage_go_along_to_the_fallback_folder(
    carried: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    """Whatever the moment of a crash, the next start finds every file where the manifest says it is."""
    folder = tmp_path / "state"
    names = old_state_folder(carried, folder)
    assert verify(folder).damages == [], "looked at as it is, the files are where it says"
    assert (folder / "spool").is_dir()
    if crash == "before the rename":
        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError("killed")))
            with pytest.raises(JournalError):
                Journal(folder)
        assert (folder / "spool").is_dir()
    elif crash == "half of a folder moved":
        (path, *_) = (each for each in (folder / "spool").rglob("*") if each.is_file())
        target = folder / "fallback" / path.relative_to(folder / "spool")
        target.parent.mkdir(parents=True)
        path.rename(target)
    elif crash == "old version ran again":
        (folder / "fallback").mkdir()
    files_are_there(folder, names)
    files_are_there(folder, names)


def test_a_file_that_would_overwrite_another_stays(carried: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    old_state_folder(carried, folder)
    path = next(each for each in (folder / "spool").rglob("*") if each.is_file())
    target = folder / "fallback" / path.relative_to(folder / "spool")
    target.parent.mkdir(parents=True)
    target.write_bytes(b"another")
    content_before = path.read_bytes()
    Journal(folder).close()
    assert target.read_bytes() == b"another"
    assert path.read_bytes() == content_before
    assert [each for each in (folder / "spool").rglob("*") if each.is_file()] == [path]


def test_the_marks_of_a_crash_of_the_older_version_count(carried: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    old_state_folder(carried, folder)
    (folder / "in_hand").write_bytes((3).to_bytes(8, "little"))
    with closing(Journal(folder)) as journal:
        assert journal.crash_marks.marked() == [3]


def test_no_name_changes_under_a_process_that_has_the_journal_open(carried: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    names = old_state_folder(carried, folder)
    running = OpenLock(folder / "journal.db")  # as the older version holds it
    with pytest.raises(StateFolderBusy, match="stop the older `tillpost run`"):
        Journal(folder)
    running.release()
    files_are_there(folder, names)
