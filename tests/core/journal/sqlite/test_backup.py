"""Backup and restore: a consistent copy beside a writer, and nothing repeated that was not asked for first."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.support.backlog import build
from tests.support.damage import harm
from tests.support.receipts import accept, found
from tillpost.errors import JournalDamaged, JournalError, StateFolderBusy, UsageError
from tillpost.journal import Journal, Move, RunLock, State
from tillpost.journal.sqlite.doctor import backup, restore, verify
from tillpost.journal.sqlite.locks import running_process
from tillpost.journal.sqlite.schema import UPGRADES

NOW = 1_000_000.0
CONFIRM = 1200.0


def seqs(journal: Journal) -> dict[str, int]:
    return {entry.number: entry.seq for entry in journal.receipts.find({})}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four receipts: untouched, failed once, delivered, held."""
    folder = tmp_path / "shop"
    with closing(Journal(folder)) as journal:
        accept(journal, *(found(number=str(number)) for number in range(1, 5)))
        of = seqs(journal)
        moves = [
            (of["2"], Move(state=State.WAITING, attempts=1, due=200.0, reason="503")),
            (of["3"], Move(state=State.DELIVERED, attempts=1, route="api")),
            (of["4"], Move(state=State.HELD, attempts=1, reason="422")),
        ]
        journal.receipts.settle(moves, 110.0, "deliver")
    return folder


def states(folder: Path) -> dict[str, tuple[str, int, float]]:
    with closing(Journal(folder)) as journal:
        return {e.number: (str(e.state), e.attempts, e.due) for e in journal.receipts.find({})}


def test_a_backup_is_one_whole_private_file_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "backups"
    target.mkdir()
    done = backup(folder, target, NOW)
    assert [done.path] == list(target.iterdir())
    assert done.path.name == "shop-19700112T134640Z.db"
    assert done.path.stat().st_mode & 0o777 == 0o600
    assert (done.receipts, done.schema, done.bytes) == (4, len(UPGRADES), done.path.stat().st_size)
    with sqlite3.connect(done.path) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",), "it needs no WAL beside it"
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_existing_file_is_never_overwritten(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "there.db").write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists"):
        backup(folder, tmp_path / "there.db", NOW)
    assert (tmp_path / "there.db").read_bytes() == b"precious"


def test_a_backup_that_is_interrupted_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "backups"
    target.mkdir()

    def interrupt(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(folder, target, NOW, interrupt)
    assert list(target.iterdir()) == []


def test_a_damaged_journal_gives_no_backup(folder: Path, tmp_path: Path) -> None:
    with (folder / "journal.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    with pytest.raises((JournalError, JournalDamaged)):
        backup(folder, tmp_path / "b.db", NOW)
    assert not (tmp_path / "b.db").exists()


def test_a_backup_beside_a_writer_is_as_of_its_beginning_and_keeps_it_from_nothing(tmp_path: Path) -> None:
    """Each commit holds a pair; a copy that mixed two moments would have half of one or damaged pages."""
    folder = tmp_path / "shop"
    build(folder, waiting=0, settled=20_000)
    stop, committed = threading.Event(), list[int]()
    with closing(Journal(folder)) as journal:

        def write() -> None:
            while not stop.is_set():
                number = len(committed)
                accept(journal, found(number=f"a{number}"), found(number=f"b{number}"))
                committed.append(number)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            while not committed:
                stop.wait(0.01)
            during: list[int] = []
            before = len(committed)
            done = backup(folder, tmp_path / "b.db", NOW, lambda text: during.append(len(committed)))
        finally:
            stop.set()
            writer.join()
    assert during[-1] > before, "the writer went on"
    copied = {number for (number,) in sqlite3.connect(done.path).execute("SELECT number FROM receipts")}
    pairs = {number[1:] for number in copied if number[0] in "ab"}
    assert {f"a{each}" for each in pairs} | {f"b{each}" for each in pairs} == {n for n in copied if n[0] in "ab"}
    assert before <= len(pairs) <= len(committed)
    restore(tmp_path / "other", done.path, NOW, CONFIRM)
    assert [each for each in verify(tmp_path / "other").damages if not each.note] == []


def test_what_was_open_is_asked_for_and_the_rest_stays(folder: Path, tmp_path: Path) -> None:
    done = backup(folder, tmp_path / "b.db", NOW)
    other = tmp_path / "other"
    restored = restore(other, done.path, NOW, CONFIRM)
    assert (restored.receipts, restored.asked, restored.unknown, restored.as_of) == (4, 2, 2, 110.0)
    assert (restored.damages, restored.newer, restored.kept) == ([], None, None)
    assert states(other) == {
        "1": ("uncertain", 0, NOW + CONFIRM),
        "2": ("uncertain", 1, NOW + CONFIRM),
        "3": ("delivered", 1, 0.0),
        "4": ("held", 1, 0.0),
    }
    assert verify(other).fine
    with closing(Journal(other)) as journal:
        (event,) = [each for each in journal.events.of_receipt(seqs(journal)["1"]) if each["step"] == "restore"]
        assert event["what"] == "uncertain"
        assert "restored from a backup of 1970-01-01T00:01:50+00:00" in event["detail"]
        assert journal.receipts.due(NOW + CONFIRM - 1, 10) == []


def test_an_existing_journal_is_replaced_only_on_request_and_kept(folder: Path, tmp_path: Path) -> None:
    done = backup(folder, tmp_path / "b.db", NOW)
    with closing(Journal(folder)) as journal:
        accept(journal, found(number="5"), found(number="6"))
    before = states(folder)
    with pytest.raises(UsageError, match="--replace"):
        restore(folder, done.path, NOW, CONFIRM)
    assert states(folder) == before
    restored = restore(folder, done.path, NOW, CONFIRM, replace=True)
    assert restored.newer == 2
    assert restored.kept is not None
    assert set(states(folder)) == {"1", "2", "3", "4"}
    kept = tmp_path / "kept"
    kept.mkdir()
    restored.kept.rename(kept / "journal.db")
    assert states(kept) == before


def test_a_damaged_journal_is_replaced_too(folder: Path, tmp_path: Path) -> None:
    done = backup(folder, tmp_path / "b.db", NOW)
    (folder / "journal.db").write_bytes(b"\0" * 8192)
    restored = restore(folder, done.path, NOW, CONFIRM, replace=True)
    assert restored.newer is None
    assert len(states(folder)) == 4


def test_what_is_no_backup_is_refused_and_nothing_changes(folder: Path, tmp_path: Path) -> None:
    before = states(folder)
    done = backup(folder, tmp_path / "b.db", NOW)
    text, empty, newer, torn = (tmp_path / name for name in ("text", "empty.db", "newer.db", "torn.db"))
    text.write_bytes(b"no database")
    apsw.Connection(str(empty)).execute("CREATE TABLE other (a)")
    newer.write_bytes(done.path.read_bytes())
    sqlite3.connect(newer).execute(f"PRAGMA user_version = {len(UPGRADES) + 1}")
    torn.write_bytes(done.path.read_bytes()[: done.path.stat().st_size // 2])
    for bad, why in ((text, "not a backup"), (empty, "not a backup"), (newer, "newer"), (torn, "damaged|whole")):
        with pytest.raises(JournalError, match=why):
            restore(folder, bad, NOW, CONFIRM, replace=True)
    with pytest.raises(UsageError, match="not a file"):
        restore(folder, tmp_path / "none", NOW, CONFIRM, replace=True)
    assert states(folder) == before
    assert {path.name for path in folder.iterdir()} - {"journal.mark"} <= {
        "journal.db", "journal.db-wal", "journal.db-shm", "crash_marks",
    }  # fmt: skip


def test_receipts_of_a_missing_fallback_file_are_accepted_again_after_a_restore(folder: Path, tmp_path: Path) -> None:
    with closing(Journal(folder)) as journal:
        seq = seqs(journal)["1"]
    harm(folder, "UPDATE receipts SET state = 'written', file = '1_transactions.xml' WHERE seq = ?", seq)
    harm(
        folder,
        "INSERT INTO files (name, kind, sequence, position, sha256, size, path, rows, keys, state, due, written_at)"
        " VALUES ('1_transactions.xml', 'receipts', 1, 0, 'ab', 1, '/gone', 1, '[]', 'written', 0, 0)",
    )
    done = backup(folder, tmp_path / "b.db", NOW)
    restored = restore(tmp_path / "other", done.path, NOW, CONFIRM)
    assert {damage.table for damage in restored.damages} >= {"files"}
    assert states(tmp_path / "other")["1"][0] == "uncertain"


def test_the_run_lock_has_the_process_id_and_reading_it_blocks_no_process(tmp_path: Path) -> None:

    assert running_process(tmp_path / "none") is None
    lock = RunLock(tmp_path)
    assert running_process(tmp_path) == os.getpid()
    with pytest.raises(StateFolderBusy):
        RunLock(tmp_path)
    lock.release()
    assert running_process(tmp_path) is None
    again = RunLock(tmp_path)
    assert running_process(tmp_path) == os.getpid()
    again.release()
