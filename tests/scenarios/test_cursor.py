"""A source that reads pages, killed around every commit: its place is never ahead of the receipts, and none is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.installed import installed
from tests.support.paging_plugin import SOURCE
from tests.support.program import needed
from tests.support.receipts import receipt
from tests.support.strace import Steps, around_commits
from tillpost.journal import Journal
from tillpost.model.receipt_json import dumps

PAGES, EACH = 3, 2
CONFIG = """
[tillpost]
state = "state"

[pipelines.shop]
source    = { use = "pages", path = "pages", poll = "20ms" }
adapter   = { use = "receipts" }
resolve   = [ { use = "known" }, { use = "engage", keys = ["externalId"] } ]
map       = { use = "engage" }
transport = { use = "engage", url = "http://127.0.0.1:9", api_key = "k", rate = 100 }
"""


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    return installed(tmp_path / "vendor", os.environ, pages=SOURCE)


def prepared(folder: Path, pages: int = PAGES, state: Path | None = None) -> Path:
    """A configuration with so many pages; with the state of another one."""
    (folder / "pages").mkdir(parents=True)
    if state is not None:
        shutil.copytree(state / "state", folder / "state")
    for page in range(1, pages + 1):
        add(folder, page)
    config = folder / "tillpost.toml"
    config.write_text(CONFIG)
    return config


def add(folder: Path, page: int) -> None:
    rows = [dumps(receipt(str(number))) + b"\n" for number in numbers(page)]
    (folder / "pages" / f"{page}.jsonl").write_bytes(b"".join(rows))


def numbers(page: int) -> range:
    return range(page * EACH, (page + 1) * EACH)


def seen(folder: Path) -> tuple[int, list[int]]:
    """The place in the journal, and the numbers of its receipts."""
    if not (folder / "state" / "shop" / "journal.db").exists():
        return 0, []
    journal = Journal(folder / "state" / "shop")
    try:
        return int(journal.sources.cursor("pages") or 0), sorted(int(each.number) for each in journal.receipts.find({}))
    finally:
        journal.close()


def whole(pages: int) -> list[int]:
    return [number for page in range(1, pages + 1) for number in numbers(page)]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_b1_a_kill_at_every_commit_leaves_the_place_with_the_receipts(
    tmp_path: Path, environment: Mapping[str, str], measured: Callable[[str], None]
) -> None:
    needed("strace", "strace")
    hit = Counter[str]()
    with Steps(environment) as steps:
        made = prepared(tmp_path / "made", 0)  # a journal is made once: its own kills are in test_sweep
        assert steps.walk("accept", made).code == 0
        calls, ended = steps.count("accept", prepared(tmp_path / "counted", state=made.parent), "")
        assert ended.code == 0
        assert seen(tmp_path / "counted") == (PAGES, whole(PAGES))
        for call, number in around_commits(calls):
            folder = tmp_path / f"{call}-{number}"
            config = prepared(folder, state=made.parent)
            killed = steps.kill("accept", config, "", call, number)
            hit[call] += killed.killed
            place, there = seen(folder)
            acknowledged = [int(said.split()[1].partition(".")[0]) for said in killed.said]
            assert place >= max(acknowledged, default=0), f"{folder.name}: behind what was acknowledged"
            assert there == whole(place), f"{folder.name}: the receipts are those up to the place, and no others"
            assert steps.walk("accept", config).code == 0
            assert seen(folder) == (PAGES, whole(PAGES)), folder.name
    measured(f"a paging source was killed at {hit.total()} points ({dict(hit)})")
    assert hit["fdatasync"] == calls.count("fdatasync") > PAGES, "at the sync of each commit, each with its place"
    assert hit["pwrite64"] > hit["fdatasync"], "before and after each"


@pytest.mark.parametrize("before", [2, 0], ids=["from its place", "older than its first place"])
def test_b1_a_journal_that_is_restored_reads_the_pages_since_then_again(
    tmp_path: Path, environment: Mapping[str, str], before: int
) -> None:
    config = prepared(tmp_path / "shop", before)

    def tillpost(*words: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "tillpost", "--config", str(config), *words]
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def accept_all(pages: int) -> None:
        with Steps(environment) as steps:
            assert steps.walk("accept", config).code == 0
        assert seen(config.parent) == (pages, whole(pages))

    accept_all(before)
    tillpost("journal", "backup", str(tmp_path / "night.db"))
    for page in range(before + 1, 4):
        add(config.parent, page)
    accept_all(3)
    said = tillpost("journal", "restore", str(tmp_path / "night.db"), "--replace")
    assert "is read again by it: it goes on from its place of then, or its start" in said
    assert "missing" not in said
    tillpost("journal", "losses")  # has none
    assert seen(config.parent) == (before, whole(before))
    accept_all(3)
    by_hand = tmp_path / "by-hand.jsonl"
    by_hand.write_bytes(dumps(receipt("99")) + b"\n")
    tillpost("accept", str(by_hand))
    said = tillpost("journal", "restore", str(tmp_path / "night.db"), "--replace")
    assert "is missing (1 receipt, which " in said, "the source does not read again what was accepted by hand"
    assert "is read again by it" in said
    assert "is missing (1 receipt, which " in tillpost("journal", "losses", code=1)
