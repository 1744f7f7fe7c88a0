"""The SQLite file under load and on doubtful ground: its WAL stays small, and what cannot be trusted is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from tests.support.disk import Disk
from tests.support.engine import store_of
from tests.support.receipts import accept, found
from tillpost.errors import DiskFailed, JournalDamaged, JournalError, NotCommitted
from tillpost.journal import Journal, State
from tillpost.journal.sqlite import platform
from tillpost.journal.sqlite.connection import WAL_BOUND, connect
from tillpost.journal.sqlite.platform import network_mount, protection

READER = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM receipts").get
print("reads", flush=True)
sys.stdin.readline()
"""


def _wal(folder: Path) -> int:
    return (folder / "journal.db-wal").stat().st_size


def test_the_wal_shrinks_after_a_reader_pinned_it_for_ten_thousand_receipts(tmp_path: Path) -> None:
    """A reader pins the WAL while 10,000 receipts are written: the WAL shrinks afterwards."""
    journal = Journal(tmp_path)
    accept(journal, found(number="first"))
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(tmp_path / "journal.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == b"reads\n"
    for group in range(100):
        accept(journal, *[found(number=f"{group}-{each}", customer=str(each)) for each in range(100)])
    journal.tidy()
    assert _wal(tmp_path) > WAL_BOUND, "it could not be cut while somebody reads what is before it"
    reader.communicate(b"\n", timeout=30)
    journal.tidy()
    assert _wal(tmp_path) == 0
    assert journal.receipts.counts()[State.ACCEPTED] == 10_001
    journal.close()


def test_a_large_wal_that_a_kill_left_is_carried_over(tmp_path: Path) -> None:
    """What is in it was acknowledged; whoever opens the journal next writes it again and into the file."""
    journal = Journal(tmp_path / "state")
    for group in range(5):
        accept(journal, *[found(number=f"{group}-{each}") for each in range(30)])
    assert _wal(tmp_path / "state") > 256 << 10
    shutil.copytree(tmp_path / "state", tmp_path / "killed")
    journal.close()
    journal = Journal(tmp_path / "killed")
    assert _wal(tmp_path / "killed") == 0
    assert journal.receipts.counts()[State.ACCEPTED] == 150
    journal.close()


def test_the_wal_stays_small_without_readers(tmp_path: Path) -> None:
    """The journal's own reading connection pins nothing."""
    journal = Journal(tmp_path)
    largest = 0
    for group in range(30):
        accept(journal, *[found(number=f"{group}-{each}") for each in range(100)])
        journal.receipts.counts()
        largest = max(largest, _wal(tmp_path))
    assert largest <= WAL_BOUND
    journal.close()


def test_nothing_is_mapped_and_every_commit_is_synced(tmp_path: Path) -> None:
    """No `mmap_size`: a failing disk would be a signal that ends the process. synchronous=FULL is 2."""
    journal = Journal(tmp_path)
    for connection in (store_of(journal)._file.writer, store_of(journal)._file.reader):
        assert connection.pragma("mmap_size") == 0
        assert connection.pragma("synchronous") == 2
        assert connection.pragma("journal_mode") == "wal"
    journal.close()


@pytest.mark.parametrize("version", ["3.51.3", "3.54.0", "4.0.0", "3.50.7", "3.50.9", "3.44.6"])
def test_fixed_libraries_are_known(version: str) -> None:
    assert version in protection(version)


@pytest.mark.parametrize("version", ["3.40.1", "3.7.0", "3.44.5", "3.50.6", "3.51.0", "3.51.2", "3.45.9"])
def test_libraries_with_the_wal_reset_bug_are_known(version: str) -> None:
    assert protection(version) == ""


def test_the_linked_library_has_no_wal_reset_bug() -> None:
    """Versions 3.7.0 to 3.51.2 lose committed rows when two connections write and checkpoint: ours is a fixed one."""
    assert protection(apsw.sqlite_lib_version())


def test_a_library_with_the_wal_reset_bug_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No journal is opened with two connections by a library that may then lose committed rows."""
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.40.1")
    with pytest.raises(JournalError, match=r"3\.40\.1.*WAL-reset bug.*pip install"):
        Journal(tmp_path)
    assert not (tmp_path / "journal.db").exists()


WRITER = """
import sys
from pathlib import Path
from tests.support.receipts import accept, found
from tillpost.journal import Journal
from tillpost.journal.sqlite import checkpoints
checkpoints.CHECKPOINT = 4
journal = Journal(Path(sys.argv[1]))
for number in range(50):
    accept(journal, found(number=f"{sys.argv[2]}-{number}", customer=sys.argv[2]))
journal.close()
"""


def test_processes_that_write_and_checkpoint_at_once_lose_no_row(tmp_path: Path) -> None:
    """The WAL-reset bug needs two connections that write and checkpoint at the same instant; four of them do here."""
    root = Path(__file__).parents[4]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(number)], cwd=root) for number in range(4)
    ]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    journal = Journal(tmp_path)
    assert journal.receipts.counts()[State.ACCEPTED] == 200
    assert store_of(journal).read("PRAGMA integrity_check") == [("ok",)]
    journal.close()


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda1 rw
30 22 0:26 / /srv/share rw,relatime - nfs4 nas:/export rw,vers=4.2
31 22 0:27 / /srv/with\\040space rw - cifs //nas/share rw
32 22 0:28 / /srv/sshfs rw,nosuid - fuse.sshfs me@nas:/ rw
33 22 0:29 / /srv/local rw - fuse.bindfs /dev/x rw
34 22 0:30 / /mnt/c rw - 9p drvfs rw
35 30 0:31 / /srv/share/disk rw - ext4 /dev/vdb1 rw
"""


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("/srv/share/state", "nfs4 at /srv/share"),
        ("/srv/with space/state", "cifs at /srv/with space"),
        ("/srv/sshfs", "fuse.sshfs at /srv/sshfs"),
        ("/mnt/c/tillpost", "9p at /mnt/c"),
        ("/srv/share/disk/state", ""),
        ("/srv/shared", ""),
        ("/srv/local/state", ""),
        ("/var/lib/tillpost", ""),
    ],
)
def test_a_folder_on_a_network_file_system_is_found_in_the_mounts(folder: str, found: str) -> None:
    assert network_mount(Path(folder), MOUNTS) == found


def test_a_journal_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State on a network file system: refused with the mount and the next step, never silently WAL."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"30 22 0:26 / {tmp_path}/share rw - nfs4 nas:/export rw\n")
    monkeypatch.setattr(platform, "MOUNTS", mounts)
    with pytest.raises(JournalError, match=r"network file system \(nfs4 at .*local folder as `state`"):
        Journal(tmp_path / "share" / "state")
    assert not (tmp_path / "share").exists(), "nothing was made there"
    Journal(tmp_path / "local").close()


def _failing(disk: Disk, ending: str, times: int) -> list[str]:
    """The next syncs of files with this ending fail; their names, once they have."""
    failed: list[str] = []

    def fails(name: str) -> bool:
        if len(failed) < times and name.endswith(ending):
            failed.append(name)
            return True
        return False

    disk.fails = fails
    return failed


def test_a_failed_sync_is_neither_acknowledged_nor_repeated_and_later_commits_succeed(tmp_path: Path) -> None:
    """fsync answers EIO: neither acknowledged nor repeated; the journal is reopened, checked and reported."""
    with Disk() as disk:
        journal = Journal(tmp_path / "state")
        accept(journal, found(number="1"))
        failed = _failing(disk, "-wal", 1)
        with pytest.raises(NotCommitted, match="not acknowledged, the journal was reopened"):
            accept(journal, found(number="2"))
        assert len(failed) == 1
        assert journal.receipts.get(found(number="1").receipt.id) is not None
        accept(journal, found(number="2"), found(number="3"))
        assert disk.syncs_after_failure == 0
        assert journal.receipts.counts()[State.ACCEPTED] == 3
        journal.close()


def test_a_disk_that_keeps_failing_stops_the_journal(tmp_path: Path) -> None:
    """Reopening does not help: DiskFailed, to each writer and reader, until the disk answers again."""
    with Disk() as disk:
        journal = Journal(tmp_path / "state")
        accept(journal, found(number="1"))
        _failing(disk, "", 10**6)
        for _ in range(2):
            with pytest.raises(DiskFailed, match="look at the kernel's log"):
                accept(journal, found(number="2"))
        with pytest.raises(DiskFailed):
            journal.receipts.counts()
        disk.fails = lambda name: False
        assert journal.receipts.get(found(number="1").receipt.id) is not None
        accept(journal, found(number="4"))
        journal.close()


def test_a_failed_sync_of_a_checkpoint_takes_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit was acknowledged before the checkpoint: it stays so, and the file is written again."""
    monkeypatch.setattr("tillpost.journal.sqlite.checkpoints.CHECKPOINT", 1)
    with Disk() as disk:
        journal = Journal(tmp_path / "state")
        failed = _failing(disk, "journal.db", 1)
        accept(journal, found(number="1"))
        assert len(failed) == 1
        accept(journal, found(number="2"))
        assert journal.receipts.counts()[State.ACCEPTED] == 2
        assert disk.syncs_after_failure == 0
        journal.close()


def test_acknowledged_rows_that_are_missing_after_reopening_are_reported(tmp_path: Path) -> None:
    """Something acknowledged is not there after the disk failed: DiskFailed, not a silent loss."""
    with Disk() as disk:
        journal = Journal(tmp_path / "state")
        accept(journal, found(number="1"))
        store_of(journal)._acknowledged += 5
        _failing(disk, "-wal", 1)
        with pytest.raises(DiskFailed, match="acknowledged is not there"):
            accept(journal, found(number="2"))
        journal.close()


def test_a_damaged_file_names_the_doctor(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    (tmp_path / "journal.db").write_bytes(b"no database at all " * 400)
    with pytest.raises(JournalDamaged, match="`tillpost journal repair` fixes it") as raised:
        Journal(tmp_path)
    assert raised.value.folder == tmp_path


def test_journals_opened_at_once_are_private_and_leave_the_umask_of_the_process_alone(tmp_path: Path) -> None:
    """The umask is that of all threads: two that set and restored it at once left it set, for good."""
    before = os.umask(0o022)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            for connection in threads.map(connect, [tmp_path / f"{number}.db" for number in range(64)]):
                connection.close()
        after = os.umask(0o022)
    finally:
        sys.setswitchinterval(interval)
        os.umask(before)
    assert oct(after) == oct(0o022)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
