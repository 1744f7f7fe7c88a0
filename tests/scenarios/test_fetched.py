"""Sources that fetch (files by SFTP, pages by HTTP), killed around each commit, and with an older journal put back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.feed import Feed, serving_feed, zettle
from tests.support.program import needed
from tests.support.receipts import receipt
from tests.support.sshd import Sshd, sshd
from tests.support.strace import Steps, around_commits
from tillpost.cli.pipelines import opened_lines
from tillpost.compose.config import load
from tillpost.flow.intake.accept import accept
from tillpost.flow.intake.collected_source import CollectedSource
from tillpost.journal import Journal
from tillpost.model.receipt_json import dumps

CONFIG = """
[tillpost]
state = "state"

[pipelines.shop]
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["externalId"] }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "http://127.0.0.1:9", api_key = "k", rate = 100 }}

[pipelines.shop.source]
use = "sftp"
host = "127.0.0.1"
port = {port}
user = "{user}"
key = "{key}"
host_key = "{host_key}"
path = "{path}"
settle = "0s"
poll = "20ms"
"""

FEED = """
[tillpost]
state = "state"

[pipelines.shop]
adapter   = {{ use = "zettle", timezone = "Europe/Stockholm" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["externalId"] }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "http://127.0.0.1:9", api_key = "k", rate = 100 }}
anonymous = "externalId:walk-in"

[pipelines.shop.source]
use = "http-feed"
url = "{url}/purchases/v2"
query = {{ limit = "2" }}
token_url = "{url}/token"
client_id = "our-client"
assertion = "a.zettle.key"
items = "purchases"
paging = "cursor"
next_at = "lastPurchaseHash"
next_to = "lastPurchaseHash"
since_at = "timestamp"
since_to = "startDate"
since_as = "%Y-%m-%dT%H:%M"
"""


@attrs.frozen
class Shop:
    """A configuration, and the folder of the server it fetches from."""

    config: Path
    remote: Path
    """Of a feed: nothing."""

    def put(self, name: str, *numbers: int) -> None:
        path = self.remote / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(dumps(receipt(str(number))) + b"\n" for number in numbers))

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.remote)) for path in self.remote.rglob("*") if path.is_file())

    def numbers(self) -> list[int]:
        journal = Journal(self.config.parent / "state" / "shop")
        try:
            return sorted(int(each.number) for each in journal.receipts.find({}))
        finally:
            journal.close()

    def round(self) -> None:
        """The first round of the source after a start."""
        config = load(self.config)
        with opened_lines(config, list(config.pipelines)) as (line,):
            CollectedSource(line, lambda document: accept(line, document).as_dict(), threading.Event(), 1.0).run_round()

    def tillpost(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tillpost", "--config", str(self.config), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with ExitStack() as stack:
        yield stack.enter_context(sshd(tmp_path / "sshd"))


@pytest.fixture
def shop(tmp_path: Path, server: Sshd) -> Callable[..., Shop]:
    def make(name: str, state: Path | None = None) -> Shop:
        folder, remote = tmp_path / name, server.home / name
        folder.mkdir()
        remote.mkdir()
        if state is not None:
            shutil.copytree(state / "state", folder / "state")
        config = folder / "tillpost.toml"
        config.write_text(
            CONFIG.format(
                port=server.port, user=server.user, key=server.key, host_key=server.host_key, path=str(remote)
            )
        )
        return Shop(config, remote)

    return make


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_kill_at_every_commit_and_move_loses_and_doubles_nothing(
    shop: Callable[..., Shop], measured: Callable[[str], None]
) -> None:
    needed("strace", "strace")
    hit = Counter[str]()
    with Steps(os.environ) as steps:

        def whole(each: Shop) -> None:
            assert steps.walk("accept", each.config).code == 0

        made = shop("made")
        whole(made)
        counted = shop("counted", made.config.parent)
        counted.put("1.jsonl", 1, 2)
        counted.put("2.jsonl", 3)
        calls, ended = steps.count("accept", counted.config, "")
        assert ended.code == 0
        assert counted.numbers() == [1, 2, 3]
        for call, number in around_commits(calls):
            tried = shop(f"{call}-{number}", made.config.parent)
            tried.put("1.jsonl", 1, 2)
            tried.put("2.jsonl", 3)
            killed = steps.kill("accept", tried.config, "", call, number)
            hit[call] += killed.killed
            taken = {name for name in tried.files() if name.startswith("done/")}
            there = tried.numbers()
            assert "done/1.jsonl" not in taken or {1, 2} <= set(there), "moved before it was committed"
            assert "done/2.jsonl" not in taken or 3 in there, "moved before it was committed"
            whole(tried)
            assert tried.numbers() == [1, 2, 3]
            assert tried.files() == ["done/1.jsonl", "done/2.jsonl"]
            assert not (tried.config.parent / "state" / "shop" / "sftp-document").exists()
    measured(f"the source sftp was killed at {hit.total()} points ({dict(hit)})")
    assert hit["fdatasync"] == calls.count("fdatasync") >= 2, "at the sync of each commit"
    assert hit["pwrite64"] > hit["fdatasync"], "before and after each"


def test_files_that_a_restored_journal_does_not_know_are_told_and_can_be_put_back(shop: Callable[..., Shop]) -> None:
    nightly = shop("nightly")
    with Steps(os.environ) as steps:

        def night(name: str, *numbers: int) -> None:
            nightly.put(name, *numbers)
            assert steps.walk("accept", nightly.config).code == 0

        night("monday.jsonl", 1)
        saved = nightly.config.parent / "saved.db"
        assert nightly.tillpost("journal", "backup", str(saved)).returncode == 0
        night("tuesday.jsonl", 2)
        assert nightly.tillpost("journal", "restore", str(saved), "--replace").returncode == 0
        assert nightly.numbers() == [1]
        nightly.round()
        losses = nightly.tillpost("journal", "losses")
        assert losses.returncode == 1
        assert "not in this journal, which is an older one: tuesday.jsonl" in losses.stdout
        (nightly.remote / "done" / "tuesday.jsonl").rename(nightly.remote / "tuesday.jsonl")
        assert steps.walk("accept", nightly.config).code == 0
        assert nightly.numbers() == [1, 2]


def purchase(number: int) -> dict[str, Any]:
    """One of Zettle; each has its own hour."""
    sample = Path(__file__).parents[2] / "plugins" / "tillpost_zettle" / "samples" / "history.json"
    first: dict[str, Any] = json.loads(sample.read_text())["purchases"][0]
    time = f"2026-10-25T{number:02}:30:00.000+0000"
    return first | {"purchaseUUID": f"uuid-{number}", "purchaseNumber": number, "timestamp": time}


def fed(folder: Path, feed: Feed, state: Path | None = None) -> Shop:
    """A configuration that asks this feed."""
    folder.mkdir()
    if state is not None:
        shutil.copytree(state / "state", folder / "state")
    (folder / "tillpost.toml").write_text(FEED.format(url=feed.url))
    return Shop(folder / "tillpost.toml", folder)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_feed_is_killed_at_every_commit_and_its_place_stays_with_the_receipts(
    tmp_path: Path, measured: Callable[[str], None]
) -> None:
    needed("strace", "strace")
    hit = Counter[str]()
    purchases: list[dict[str, Any]] = []
    with serving_feed(zettle(purchases)) as feed, Steps(os.environ) as steps:

        def whole(each: Shop) -> None:
            assert steps.walk("accept", each.config).code == 0

        made = fed(tmp_path / "made", feed)
        whole(made)
        purchases += [purchase(number) for number in range(1, 6)]
        counted = fed(tmp_path / "counted", feed, made.config.parent)
        calls, ended = steps.count("accept", counted.config, "")
        assert ended.code == 0
        assert counted.numbers() == [1, 2, 3, 4, 5]
        for call, number in around_commits(calls):
            tried = fed(tmp_path / f"{call}-{number}", feed, made.config.parent)
            killed = steps.kill("accept", tried.config, "", call, number)
            hit[call] += killed.killed
            there = tried.numbers()
            assert there == list(range(1, len(there) + 1)), "no page is missing before a later one"
            asked = len(feed.asked)
            whole(tried)
            assert tried.numbers() == [1, 2, 3, 4, 5]
            positions = [each.query.get("lastPurchaseHash") for each in feed.asked[asked:] if each.method == "GET"]
            if 2 <= len(there) < 5:
                assert positions[0] == f"hash-uuid-{len(there)}", "it goes on after the last page that is committed"
    measured(f"the source http-feed was killed at {hit.total()} points ({dict(hit)})")
    assert hit["fdatasync"] == calls.count("fdatasync") >= 2, "at the sync of each commit"
    assert hit["pwrite64"] > hit["fdatasync"], "before and after each"


def test_a_feed_is_read_again_from_the_place_of_a_journal_that_was_put_back(tmp_path: Path) -> None:
    purchases = [purchase(1), purchase(2)]
    with serving_feed(zettle(purchases)) as feed, Steps(os.environ) as steps:
        shop = fed(tmp_path / "shop", feed)

        def round_of(*numbers: int) -> None:
            assert steps.walk("accept", shop.config).code == 0
            assert shop.numbers() == list(numbers)

        round_of(1, 2)
        saved = shop.config.parent / "saved.db"
        assert shop.tillpost("journal", "backup", str(saved)).returncode == 0
        purchases += [purchase(3), purchase(4), purchase(5)]
        round_of(1, 2, 3, 4, 5)
        assert shop.tillpost("journal", "restore", str(saved), "--replace").returncode == 0
        assert shop.numbers() == [1, 2]
        round_of(1, 2, 3, 4, 5)
