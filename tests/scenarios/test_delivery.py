"""Deliveries by many threads at once, with the real launcher: killed in mid-run, and beside a destination that is
dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.running_sink import RunningSink
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, saved
from tests.support.waiting import until
from tillpost.journal import Journal, State

WORKERS = 8
COUNT = 900
KILLS = 3

TENANTS = """
[tillpost]
state = "state"

[pipelines.dead]
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage" }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{dead}", api_key = {{ env = "DEAD_KEY" }}, rate = 1000, timeout = "120s" }}

[pipelines.well]
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage" }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{well}", api_key = {{ env = "WELL_KEY" }}, rate = 1000 }}
"""


@pytest.mark.timeout(290)
def test_kills_in_mid_run_lose_nothing_and_repeat_no_more_than_was_in_flight(
    tmp_path: Path, measured: Callable[[str], None]
) -> None:
    """What was made ready and not sent, or sent and not settled, is asked for; each repeat is under its own id."""
    with Shop(tmp_path, own=f"workers = {WORKERS}", rate=10000) as shop:
        given = [receipt_of(number, externalId=f"c{number % 50}") for number in range(COUNT)]
        (tmp_path / "given.jsonl").write_bytes(document(given))
        assert shop.tillpost("accept", str(tmp_path / "given.jsonl")).returncode == 0
        left: list[int] = []
        for kill in range(KILLS):
            process = shop.start()
            wanted = (kill + 1) * COUNT // (KILLS + 1)
            until(lambda wanted=wanted: _arrived(shop) >= wanted, process=process)  # type: ignore[misc]
            process.kill()
            process.wait()
            left.append(_being_sent(tmp_path / "state" / "shop"))
        assert shop.tillpost("run", "--until-idle", timeout=200).returncode == 0
        stats = shop.sandbox("stats")
        there = saved(shop)
        stand = shop.status()
    assert there.keys() == {each.id for each in given}, "lost or invented"
    assert set(there.values()) == {1}
    assert stand["counts"]["delivered"] == COUNT
    assert stats["ignored_duplicates"] <= WORKERS * KILLS
    measured(
        f"killed {KILLS} times with {WORKERS} workers: lost 0, repeated {stats['ignored_duplicates']}, "
        f"being sent at the kills {left}"
    )


def _arrived(shop: Shop) -> int:
    stats = shop.sandbox("stats")
    return int(stats["receipts"] + stats["queued"])


def _being_sent(state: Path) -> int:
    """How many receipts the journal says were being sent."""
    journal = Journal(state)
    try:
        return sum(entry.sending is not None for entry in journal.receipts.find({"state": State.RESOLVED}))
    finally:
        journal.close()


def test_a_tenant_that_accepts_and_never_answers_stalls_no_other(tmp_path: Path) -> None:
    """One process, two tenants: the one is delivered to the last receipt while the other waits for its first answer."""
    count = 300
    with RunningSink() as dead, RunningSink() as well:
        dead.set(fault="silent")
        (tmp_path / "tillpost.toml").write_text(TENANTS.format(dead=dead.url, well=well.url))
        (tmp_path / "given.jsonl").write_bytes(document([receipt_of(n, externalId=f"c{n % 20}") for n in range(count)]))
        command = [sys.executable, "-m", "tillpost", "--config", str(tmp_path / "tillpost.toml")]
        environment = os.environ | {"DEAD_KEY": "dead", "WELL_KEY": "well"}
        for name in ("dead", "well"):
            words = ["accept", str(tmp_path / "given.jsonl"), "--pipeline", name]
            subprocess.run([*command, *words], env=environment, check=True, capture_output=True)
        process = subprocess.Popen(
            [*command, "run", "--grace", "0.5"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            until(lambda: well.counts()["receipts"] == count and dead.counts()["unanswered"], process=process)
            assert dead.counts()["receipts"] == 0, "its contacts were asked about, and that is still so"
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 1, "calls in flight did not end within the grace period"
        assert set(well.ids().values()) == {1}
