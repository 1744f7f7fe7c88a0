"""Replays with the real launcher and the real sandbox: killed in the middle, beside live traffic, by file."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine import store_of
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, control, saved, stop
from tests.support.waiting import until
from tillpost.journal import Journal, Move, State
from tillpost.model import Receipt

pytestmark = pytest.mark.slow

COUNT = 240
ORDER = ("--store", "12", "--from", "2026-11-24", "--to", "2026-11-24", "--reason", "the key was wrong", "--yes")


def history(shop: Shop, held: bool) -> list[Receipt]:
    """Receipts in the journal while nothing runs; held: as Engage refused them."""
    given = [receipt_of(number, externalId=f"c{number % 20}") for number in range(COUNT)]
    (shop.folder / "given.jsonl").write_bytes(document(given))
    assert shop.tillpost("accept", str(shop.folder / "given.jsonl")).returncode == 0
    if held:
        journal = Journal(shop.folder / "state" / "shop")
        refused = Move(state=State.HELD, reason="refused")
        journal.receipts.settle([(seq, refused) for seq in range(1, COUNT + 1)], time.time(), "deliver")
        # Accepted an hour ago: it is no live traffic.
        store_of(journal).write(
            lambda connection: connection.execute("UPDATE receipts SET accepted_at = accepted_at - 3600")
        )
        journal.close()
    return given


def background(shop: Shop, *words: str) -> subprocess.Popen[bytes]:
    with (shop.folder / "replay.log").open("ab") as log:
        process = subprocess.Popen(shop.command(*words), env=shop.environment, stdout=log, stderr=log)
    shop._started.append(process)
    return process


def arrived(shop: Shop) -> int:
    stats = shop.sandbox("stats")
    return int(stats["receipts"] + stats["queued"])


def each_life_tells_of_it_once(shop: Shop) -> None:
    journal = Journal(shop.folder / "state" / "shop")
    try:
        for entry in journal.receipts.find({}, COUNT):
            told = [event["detail"] for event in journal.events.of_receipt(entry.seq) if event["step"] == "replay"]
            assert len(told) == 1, (entry.id, told)
            assert "replayed because the key was wrong (replay 1)" in told[0]
    finally:
        journal.close()


@pytest.mark.timeout(290)
def test_a_replay_killed_in_the_middle_goes_on_with_those_not_yet_done(
    tmp_path: Path, measured: Callable[[str], None]
) -> None:
    """No `run` is alive: the command does the work, is killed with -9, and `resume` does the rest."""
    with Shop(tmp_path, rate=60) as shop:
        given = history(shop, held=True)
        process = background(shop, "replay", "start", *ORDER)
        until(lambda: arrived(shop) >= COUNT // 3, process=process)
        process.kill()
        process.wait()
        (half,) = shop.answers("replay", "show", "1")
        assert half["state"] == "running"
        done = shop.tillpost("replay", "resume", "1", timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
        (whole,) = shop.answers("replay", "show", "1")
        there, stats = saved(shop), shop.sandbox("stats")
        each_life_tells_of_it_once(shop)
    assert COUNT // 3 <= half["put_back"] < COUNT
    assert (whole["state"], whole["put_back"], whole["receipts"]) == ("done", COUNT, {"delivered": COUNT})
    assert there.keys() == {each.id for each in given}, "lost or invented"
    assert set(there.values()) == {1}
    measured(f"replay of {COUNT} killed at {half['put_back']} put back: repeated {stats['ignored_duplicates']}")


@pytest.mark.timeout(290)
def test_live_traffic_goes_before_a_replay_and_a_killed_run_goes_on_with_it(tmp_path: Path) -> None:
    with Shop(tmp_path, rate=20) as shop:
        given = history(shop, held=True)
        process = shop.start()
        assert shop.tillpost("replay", "start", *ORDER, "--detach").returncode == 0
        until(lambda: arrived(shop) >= 10, process=process)
        live = [receipt_of(number, externalId="c1") for number in range(1000, 1010)]
        shop.put("live.jsonl", document(live))
        journal = Journal(tmp_path / "state" / "shop")
        wanted = {each.id for each in live}
        delivered = lambda: wanted <= {each.id for each in journal.receipts.find({"state": "delivered"})}  # noqa: E731
        until(delivered, process=process)
        standing = journal.replays.count_states(1)
        journal.close()
        assert standing.get("delivered", 0) < COUNT - 60, f"the replay was not done before: {standing}"
        process.kill()
        process.wait()
        before = arrived(shop)
        process = shop.start()
        until(lambda: arrived(shop) > before, process=process)  # it holds the lock, so the command only looks on
        followed = background(shop, "replay", "resume", "1")
        assert followed.wait(150) == 0
        shop.wait_for(lambda stand: stand["counts"]["delivered"] == COUNT + len(live))
        stop(process)
        there = saved(shop)
        each_life_tells_of_it_once(shop)
        log = (tmp_path / "replay.log").read_text()
    assert there.keys() == {each.id for each in [*given, *live]}
    assert set(there.values()) == {1}
    assert f"done, {COUNT} of {COUNT} put back ({COUNT} delivered)" in log


@pytest.mark.timeout(290)
def test_a_backfill_goes_by_file_alone_though_the_api_answers_and_survives_a_kill(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        given = history(shop, held=False)
        control(shop, "settings", import_files_every=3600.0)  # so that it cannot end before the kill
        process = background(shop, "replay", *ORDER, "--by", "file")
        until(lambda: shop.status()["files"]["written"] + shop.status()["files"]["uploaded"] > 0, process=process)
        process.kill()
        process.wait()
        control(shop, "settings", import_files_every=0.3)
        done = shop.tillpost("replay", "resume", "1", timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
        stand, there = shop.status(), saved(shop)
        each_life_tells_of_it_once(shop)
    assert stand["delivered"] == {"api": 0, "file": COUNT}
    assert there.keys() == {each.id for each in given}
    assert set(there.values()) == {1}
