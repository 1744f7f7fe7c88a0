"""faults.md, section Machine and disk, with real file systems and the real launcher. Mounting needs root."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.left_wal import copied, flip, killed
from tests.support.mounts import ext4, fill, fill_inodes, tmpfs, unmount
from tests.support.program import needed
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, configure, saved, settled, stop

pytestmark = pytest.mark.slow

PAGE = 4096


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path, own="workers = 2") as opened:
        yield opened


def receipts(*numbers: int) -> bytes:
    return document([receipt_of(number, externalId="a") for number in numbers])


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


@contextmanager
def running(shop: Shop, process: subprocess.Popen[bytes] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """`tillpost run`, ended in any case: it must not outlive the disk it works on."""
    process = process or shop.start()
    try:
        yield process
    finally:
        if process.poll() is None:
            for child in _children(process):  # of strace: it would let go of it, alive
                os.kill(child, signal.SIGKILL)
            process.kill()
        process.wait()


def _children(process: subprocess.Popen[bytes]) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def log(shop: Shop) -> str:
    return (shop.folder / "run.log").read_text()


def once(shop: Shop, count: int) -> None:
    assert (len(saved(shop)), set(saved(shop).values())) == (count, {1})


def test_a_disk_full_of_bytes_refuses_and_resumes_by_itself(shop: Shop) -> None:
    """Disk full by bytes: new receipts are refused with a clear message, nothing accepted is harmed, it resumes."""
    with tmpfs(shop.folder / "state", "size=4m"), running(shop) as process:
        shop.put("1.jsonl", receipts(1, 2, 3))
        shop.wait_for(settled(3))
        filler = fill(shop.folder / "state")
        shop.put("2.jsonl", receipts(*range(10, 200)))
        wait_until(lambda: "no room on the disk" in log(shop))
        (shop.folder / "3.jsonl").write_bytes(receipts(*range(200, 400)))
        refused = shop.tillpost("accept", str(shop.folder / "3.jsonl"))
        assert refused.returncode == 1, refused
        assert "no room on the disk" in refused.stderr
        assert "nothing accepted is harmed" in refused.stderr
        assert (shop.inbox / "2.jsonl").exists(), "the source keeps its copy"
        assert process.poll() is None, "the pipeline waits for room"
        filler.unlink()
        shop.wait_for(settled(193))
        assert shop.tillpost("accept", str(shop.folder / "3.jsonl")).returncode == 0
        shop.wait_for(settled(393))
        stop(process)
        once(shop, 393)


def test_a_disk_full_of_inodes_refuses_and_resumes_by_itself(shop: Shop) -> None:
    """Disk full by inodes: a journal that cannot make its files says so; fallback files wait for room."""
    with tmpfs(shop.folder / "state", "size=64m,nr_inodes=64"):
        filler = fill_inodes(shop.folder / "state")
        (shop.folder / "1.jsonl").write_bytes(receipts(1, 2, 3))
        for words in (("accept", str(shop.folder / "1.jsonl")), ("run", "--until-idle")):
            refused = shop.tillpost(*words)
            assert refused.returncode == 1, refused
            assert "no room on the disk (bytes or inodes)" in refused.stderr
        _empty(filler)
        assert shop.tillpost("accept", str(shop.folder / "1.jsonl")).returncode == 0
        shop.fault(http="refuse")
        configure(shop, 'after = "500ms"', 'after = "8s"')
        with running(shop) as process:
            shop.wait_for(lambda stand: stand["state"] != "online")
            filler = fill_inodes(shop.folder / "state")
            shop.wait_for(lambda stand: stand["state"] == "fallback")
            wait_until(lambda: "No space left" in log(shop) or "OSError" in log(shop) or "no room" in log(shop))
            assert shop.status()["counts"]["written"] == 0
            _empty(filler)
            shop.wait_for(lambda stand: stand["counts"]["written"] == 3)
            shop.fault(http="ok")
            shop.wait_for(settled(3))
            stop(process)
        once(shop, 3)


def _empty(filler: Path) -> None:
    for path in filler.iterdir():
        path.unlink()
    filler.rmdir()


def test_a_disk_that_turns_read_only_under_the_work_loses_nothing(shop: Shop) -> None:
    """Read-only remount: as the kernel does it after an error of the disk, while `run` has its files open."""
    state, image = shop.folder / "state", shop.folder / "image"
    with ext4(state, image, 32), running(shop) as process:
        shop.put("1.jsonl", receipts(1, 2, 3))
        shop.wait_for(settled(3))
        shop.fault(http="refuse")
        (shop.folder / "2.jsonl").write_bytes(receipts(4, 5, 6))
        assert shop.tillpost("accept", str(shop.folder / "2.jsonl")).returncode == 0
        subprocess.run(["mount", "-o", "remount,abort", str(state)], check=True)
        shop.put("3.jsonl", receipts(7, 8, 9))
        wait_until(lambda: "read-only" in log(shop) or process.poll() is not None)
        refused = shop.tillpost("accept", str(shop.inbox / "3.jsonl"))
        assert refused.returncode == 1, refused
        assert "read-only" in refused.stderr
        assert (shop.inbox / "3.jsonl").exists(), "the source keeps its copy"
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        unmount(state)
        subprocess.run(["e2fsck", "-fy", str(image)], capture_output=True, check=False)
        subprocess.run(["mount", "-o", "loop", str(image), str(state)], check=True)
        shop.fault(http="ok")
        assert shop.tillpost("run", "--until-idle").returncode == 0
        once(shop, 9)


def test_a_disk_mounted_read_only_is_said_and_comes_back(shop: Shop) -> None:
    """Read-only remount between two commands: refused with a clear message, nothing harmed, fine once writable."""
    state = shop.folder / "state"
    with tmpfs(state, "size=16m"):
        shop.put("1.jsonl", receipts(1))
        assert shop.tillpost("run", "--until-idle").returncode == 0
        subprocess.run(["mount", "-o", "remount,ro", str(state)], check=True)
        (shop.folder / "2.jsonl").write_bytes(receipts(2))
        for words in (("accept", str(shop.folder / "2.jsonl")), ("run", "--until-idle")):
            refused = shop.tillpost(*words)
            assert refused.returncode == 1, refused
            assert "read-only" in refused.stderr.lower(), refused.stderr
            assert "Traceback" not in refused.stderr
        subprocess.run(["mount", "-o", "remount,rw", str(state)], check=True)
        assert shop.tillpost("accept", str(shop.folder / "2.jsonl")).returncode == 0
        assert shop.tillpost("run", "--until-idle").returncode == 0
        once(shop, 2)


def _traced(shop: Shop, when: str, *words: str) -> subprocess.Popen[bytes]:
    """`tillpost …` whose syncs of the WAL fail as `when` says, for each of its threads."""
    needed("strace", "strace")
    wal = shop.folder / "state" / "shop" / "journal.db-wal"
    command = ["strace", "-f", "-o", str(shop.folder / "strace.log"), "-P", str(wal),
               "-e", "trace=fsync,fdatasync,openat,close",
               "-e", f"inject=fsync,fdatasync:error=EIO:when={when}", *shop.command(*words)]  # fmt: skip
    with (shop.folder / "run.log").open("ab") as said:
        return subprocess.Popen(command, env=shop.environment, stdout=said, stderr=said)


def _end(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM to the traced `run` itself; strace ends with its exit code."""
    (child,) = _children(process)
    os.kill(child, signal.SIGTERM)
    return process.wait(60)


def _retried(text: str) -> list[str]:
    """Syncs of a descriptor whose sync has failed and that was not closed since."""
    failed: set[str] = set()
    again = []
    for line in text.splitlines():
        if call := re.search(r"(?:fsync|fdatasync)\((\d+)", line):
            if call[1] in failed:
                again.append(line)
            if "INJECTED" in line:
                failed.add(call[1])
        elif (call := re.search(r"close\((\d+)", line)) or (call := re.search(r"openat\(.* = (\d+)$", line)):
            failed.discard(call[1])
    return again


def test_a_sync_that_fails_is_never_repeated_on_its_handle_and_the_work_goes_on(shop: Shop) -> None:
    """fsync answers EIO: stop acknowledging, reopen, check, say so; and go on, for it was one failure."""
    shop.put("0.jsonl", receipts(0))
    assert shop.tillpost("run", "--until-idle").returncode == 0
    with running(shop, _traced(shop, "4+7", "run")) as process:
        for number in range(1, 13):
            shop.put(f"{number}.jsonl", receipts(number))
        shop.wait_for(settled(13))
        assert _end(process) == 0
    traced = (shop.folder / "strace.log").read_text()
    assert "INJECTED" in traced
    assert _retried(traced) == []
    assert "the journal was reopened and what it had acknowledged is there" in log(shop)
    once(shop, 13)


def test_a_disk_whose_syncs_all_fail_stops_the_pipeline(shop: Shop) -> None:
    """Reopening does not help: exit code 1, the source keeps its copy, and nothing was acknowledged that is lost."""
    shop.put("0.jsonl", receipts(0))
    assert shop.tillpost("run", "--until-idle").returncode == 0
    with running(shop, _traced(shop, "3+", "run")) as process:
        for number in range(1, 9):
            shop.put(f"{number}.jsonl", receipts(number))
        assert process.wait(60) == 1, log(shop)
    assert "the disk failed" in log(shop)
    assert shop.tillpost("run", "--until-idle").returncode == 0
    once(shop, 9)


def _root(path: Path, table: str) -> int:
    raw = sqlite3.connect(path)
    root = int(raw.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0])
    raw.close()
    return root


@pytest.mark.parametrize("table", ["receipts", "receipts_due", "bodies", "events", "contacts", "destination"])
def test_a_damaged_page_is_repaired_by_the_run_that_meets_it(shop: Shop, table: str) -> None:
    """A damaged journal page: its neighbours still go out, the damage is quarantined and reported."""
    (shop.folder / "1.jsonl").write_bytes(receipts(*range(1, 41)))
    assert shop.tillpost("accept", str(shop.folder / "1.jsonl")).returncode == 0
    journal = shop.folder / "state" / "shop" / "journal.db"
    content = bytearray(journal.read_bytes())
    root = _root(journal, table)
    content[(root - 1) * PAGE : root * PAGE] = bytes(PAGE)
    journal.write_bytes(content)
    done = shop.tillpost("run", "--until-idle")
    assert done.returncode == 1, done
    assert "tillpost journal repair" in done.stderr
    assert "repaired: " in done.stderr
    assert list(journal.parent.glob("journal.db.damaged-*"))
    stand = shop.status()["counts"]
    assert sum(stand.values()) == 40
    assert stand["delivered"] + stand["held"] == 40
    assert stand["delivered"] >= 1
    assert shop.tillpost("journal", "verify").returncode == 0
    assert shop.tillpost("accept", str(shop.folder / "1.jsonl")).returncode in (0, 1)
    assert shop.tillpost("run", "--until-idle").returncode == 0, shop.answers("held", "list")
    assert shop.status()["counts"]["delivered"] == 40
    once(shop, 40)


def test_a_damaged_row_is_held_and_its_neighbours_go_out(shop: Shop) -> None:
    """A damaged journal row: held with what to do, and with its document it goes out as well."""
    (shop.folder / "1.jsonl").write_bytes(receipts(*range(1, 6)))
    assert shop.tillpost("accept", str(shop.folder / "1.jsonl")).returncode == 0
    raw = sqlite3.connect(shop.folder / "state" / "shop" / "journal.db")
    raw.execute("UPDATE bodies SET body = x'00' WHERE seq = 3")
    raw.commit()
    raw.close()
    assert shop.tillpost("run", "--until-idle").returncode == 1
    assert shop.status()["counts"]["delivered"] == 4
    (held,) = shop.answers("held", "list")
    assert "the row is damaged; `tillpost held retry`" in held["reason"]
    assert shop.tillpost("held", "retry", held["id"]).returncode == 0
    assert shop.tillpost("run", "--until-idle").returncode == 0
    once(shop, 5)


def test_a_second_daemon_is_refused_and_a_killed_one_leaves_no_lock(shop: Shop) -> None:
    """A second daemon on one state folder is refused; a stale lock after kill -9 does not block."""
    with running(shop):
        shop.put("1.jsonl", receipts(1))
        shop.wait_for(settled(1))
        second = shop.tillpost("run", "--until-idle")
        assert second.returncode == 1
        assert "another `tillpost run` works on this state folder" in second.stderr
    shop.put("2.jsonl", receipts(2))
    assert shop.tillpost("run", "--until-idle").returncode == 0
    once(shop, 2)


def test_b16_run_starts_on_a_full_disk_waits_and_goes_on_by_itself(shop: Shop) -> None:
    """The start is not stricter than the work: one sentence, and receipts as soon as there is room."""
    with tmpfs(shop.folder / "state", "size=4m"):
        filler = fill(shop.folder / "state")
        with running(shop) as process:
            shop.put("1.jsonl", receipts(1, 2, 3))
            wait_until(lambda: "no room on the disk" in log(shop))
            time.sleep(3)
            assert process.poll() is None
            filler.unlink()
            shop.wait_for(settled(3))
            filler = fill(shop.folder / "state")
            shop.put("2.jsonl", receipts(*range(4, 200)))
            wait_until(lambda: (shop.inbox / "2.jsonl").exists() and log(shop).count("no room on the disk") > 1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(40) == 0
        assert "Traceback" not in log(shop)
        filler.unlink()
        assert shop.tillpost("run", "--until-idle").returncode == 0
    once(shop, 199)


def test_b26_what_was_accepted_goes_out_while_the_disk_is_full(shop: Shop) -> None:
    with tmpfs(shop.folder / "state", "size=8m"):
        shop.fault(http="refuse")
        configure(shop, 'after = "500ms"', 'after = "1h"')
        with running(shop) as process:
            shop.put("1.jsonl", receipts(*range(1, 101)))
            shop.wait_for(lambda stand: sum(stand["counts"].values()) == 100)
            filler = fill(shop.folder / "state")
            shop.put("2.jsonl", receipts(*range(200, 400)))
            wait_until(lambda: "no room on the disk" in log(shop))
            shop.fault(http="ok")
            wait_until(lambda: len(saved(shop)) == 100)
            assert (shop.inbox / "2.jsonl").exists(), "the source keeps its copy"
            filler.unlink()
            shop.wait_for(settled(300))
            stop(process)
        assert "Traceback" not in log(shop)
        once(shop, 300)


def test_b17_a_journal_that_is_deleted_under_run_stops_the_acknowledging(shop: Shop) -> None:
    journal = shop.folder / "state" / "shop" / "journal.db"
    with running(shop) as process:
        shop.put("1.jsonl", receipts(1, 2, 3))
        shop.wait_for(settled(3))
        journal.unlink()
        shop.put("2.jsonl", receipts(4, 5))
        wait_until(lambda: "nothing more is acknowledged" in log(shop))
        time.sleep(1)
        assert (shop.inbox / "2.jsonl").exists(), "the source keeps its copy"
        refused = shop.tillpost("accept", str(shop.inbox / "2.jsonl"))
        assert refused.returncode == 1
        assert "journal.db.rescued to journal.db" in refused.stderr
        assert not journal.exists(), "none is made in its place"
        journal.with_name("journal.db.rescued").rename(journal)
        shop.wait_for(settled(5))
        stop(process)
    once(shop, 5)


def test_b18_a_state_disk_that_is_not_mounted_is_no_new_journal(shop: Shop) -> None:
    state = shop.folder / "state"
    with tmpfs(state, "size=16m"):
        shop.put("1.jsonl", receipts(1))
        assert shop.tillpost("run", "--until-idle").returncode == 0
    shop.put("2.jsonl", receipts(2))
    for words in (("run", "--until-idle"), ("accept", str(shop.inbox / "2.jsonl")), ("status",), ("receipts",)):
        refused = shop.tillpost(*words)
        assert refused.returncode == 1, refused
        assert "is not there, and a journal was" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert (shop.inbox / "2.jsonl").exists()
    assert not list(state.rglob("journal.db"))
    assert shop.tillpost("run", "--new", "--until-idle").returncode == 0
    once(shop, 2)


def test_b19_a_flipped_bit_in_the_wal_is_told_by_run_and_nothing_is_gone(shop: Shop) -> None:
    numbers = killed(shop.folder / "state" / "shop", 20)
    flip(shop.folder / "state" / "shop" / "journal.db-wal", (32 + 60 * 4120 + 2000) * 8 + 3)
    verified = shop.tillpost("journal", "verify")
    assert verified.returncode == 1
    assert "frame 61 is damaged" in verified.stdout
    done = shop.tillpost("run", "--until-idle")
    assert "frame 61 is damaged" in done.stderr
    assert "journal repaired, 1 finding" in done.stdout
    once(shop, len(numbers))
    assert shop.tillpost("journal", "verify").returncode == 0
    again = shop.tillpost("run", "--until-idle")
    assert (again.returncode, "repaired" in again.stdout) == (0, False)


def test_b15_yesterdays_journal_beside_todays_wal_is_named_once_and_stands_until_it_is_settled(shop: Shop) -> None:
    state = shop.folder / "state" / "shop"
    killed(state, 10)
    yesterday = copied(state, shop.folder / "yesterday")
    for day in range(1, 4):
        killed(state, 10, first=100 * day)
    (yesterday / "journal.db").replace(state / "journal.db")
    for words in (("journal", "verify"), ("journal", "repair", "--dry-run")):
        said = shop.tillpost(*words)
        assert said.returncode == 1
        assert "journal.db-wal: is not the WAL of this journal.db" in said.stdout
    done = shop.tillpost("run", "--until-idle")
    assert done.returncode == 1
    assert "is not the WAL of this journal.db" in done.stderr
    again = shop.tillpost("run", "--until-idle")
    assert "repaired" not in again.stdout, "not at each start, for ever"
    assert any("is not the WAL" in need["what"] for need in shop.status()["needs_person"])
    assert shop.tillpost("journal", "losses").returncode == 1
    assert shop.tillpost("journal", "losses", "--settle").returncode == 0
    assert not any("is not the WAL" in need["what"] for need in shop.status()["needs_person"])


def test_b22_a_machine_put_back_with_its_marks_is_told_by_what_its_source_has_put_away(shop: Shop) -> None:
    """The inbox is on a share, so its done folder did not go back in time."""
    state = shop.folder / "state"
    shop.put("1.jsonl", receipts(1, 2, 3))
    assert shop.tillpost("run", "--until-idle").returncode == 0
    snapshot = copied(state, shop.folder / "snapshot")
    marks = [path for path in shop.folder.rglob("*") if path.is_file() and b'"token"' in path.read_bytes()[:400]]
    assert marks
    kept = {path: path.read_bytes() for path in marks}
    for number in range(4, 11):
        shop.put(f"{number}.jsonl", receipts(number))
    assert shop.tillpost("run", "--until-idle").returncode == 0
    state.rename(shop.folder / "lost")
    snapshot.rename(state)
    for path, content in kept.items():
        path.write_bytes(content)
    told = shop.tillpost("run", "--until-idle")
    assert "is older than what it acknowledged" not in told.stderr, "the marks went back as well"
    assert "7 documents of the source, put away as read, not in this journal, which is an older one:" in told.stderr
    assert "Traceback" not in told.stderr
    assert any("7 documents of the source" in need["what"] for need in shop.status()["needs_person"])
    for path in (shop.inbox / "done").rglob("*.jsonl"):
        assert shop.tillpost("accept", str(path)).returncode == 0, "as it says"
    assert shop.tillpost("journal", "losses", "--settle").returncode == 0
    again = shop.tillpost("run", "--until-idle")
    assert "put away as read" not in again.stderr, "once"
    assert sum(shop.status()["counts"].values()) == 10
    once(shop, 10)


def test_b22_a_snapshot_put_back_is_told_at_the_start_and_doubles_nothing(shop: Shop) -> None:
    state = shop.folder / "state"
    shop.put("1.jsonl", receipts(1, 2, 3))
    assert shop.tillpost("run", "--until-idle").returncode == 0
    snapshot = copied(state, shop.folder / "snapshot")
    shop.put("2.jsonl", receipts(4, 5, 6))
    assert shop.tillpost("run", "--until-idle").returncode == 0
    state.rename(shop.folder / "lost")
    snapshot.rename(state)
    told = shop.tillpost("run", "--until-idle")
    assert "is older than what it acknowledged" in told.stderr
    assert "have the documents since" in told.stderr
    assert any("is older" in need["what"] for need in shop.status()["needs_person"])
    for path in (shop.inbox / "done").rglob("*.jsonl"):
        assert shop.tillpost("accept", str(path)).returncode == 0, "as it says"
    assert shop.tillpost("journal", "losses", "--settle").returncode == 0
    assert shop.tillpost("run", "--until-idle").returncode == 0
    assert sum(shop.status()["counts"].values()) == 6
    once(shop, 6)
