"""A journal backed up while receipts flow, lost with its disk, restored elsewhere: nothing of the backup is lost."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from tests.benchmarks import receipts
from tests.benchmarks.running_sink import RunningSink
from tests.support.sink_shop import SinkShop, stop
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@pytest.mark.timeout(500)
def test_backup_under_load_restore_and_go_on(tmp_path: Path, measured: Callable[[str], None]) -> None:
    """What was delivered after the backup is seen in the history, and not sent again. Then the rest is read again."""
    count, each = 6000, 200
    with RunningSink(delay=0.02) as sink:
        shop = SinkShop(tmp_path, sink)
        shop.configure(shop.pipeline(workers=8).replace('confirm_after = "1h"', 'confirm_after = "1s"'))

        def feed() -> None:
            for number in range(count // each):
                shop.put(f"{number:04}.jsonl", number * each, each)

        process = shop.start()
        try:
            feeder = threading.Thread(target=feed)
            feeder.start()
            until(lambda: shop.delivered() > 200)
            backup = tmp_path / "backup.db"
            done = subprocess.run(
                shop.command("journal", "backup", str(backup), "--json"), capture_output=True, text=True, check=True
            )
            copied = json.loads(done.stdout)["receipts"]
            feeder.join()
            before = int(sink.counts()["posts"])
            until(lambda: int(sink.counts()["posts"]) > before + 50)  # some were sent since that the backup has open
            busy = subprocess.run(
                shop.command("journal", "restore", str(backup), "--replace"),
                capture_output=True,
                text=True,
                check=False,
            )
            assert (busy.returncode, "another `tillpost run`" in busy.stderr) == (1, True)
        finally:
            shop.end()
        shop.folder.joinpath("state").rename(tmp_path / "lost-disk")
        told = json.loads(
            subprocess.run(
                shop.command("journal", "restore", str(backup), "--json"), capture_output=True, text=True, check=True
            ).stdout
        )
        assert told["receipts"] == copied
        rows = apsw.Connection(str(backup)).execute("SELECT id FROM receipts").fetchall()
        held = {str(identity) for (identity,) in rows}
        last = apsw.Connection(str(backup)).execute("SELECT max(seq) FROM receipts").get
        left = f"SELECT count(*) FROM receipts WHERE state <> 'delivered' AND seq <= {last}"
        process = shop.start()
        try:
            until(lambda: shop.ask(left) == 0)
            at_far = sink.ids()
            assert held <= set(at_far), "all of the backup is there"
            repeated = sum(at_far[identity] - 1 for identity in held)
            assert repeated <= told["unknown"], "only what cannot be asked for is sent again"
            receipts.write(shop.folder / "all.jsonl", count)
            (shop.folder / "all.jsonl").rename(shop.folder / "shop-inbox" / "all.jsonl")
            until(lambda: shop.delivered() == count, 300)
            stop(process)
        finally:
            shop.end()
        assert set(sink.ids()) == {receipts.receipt_id(number) for number in range(count)}
    measured(
        f"backup under load: {copied} of {count} receipts in it, {told['asked']} asked for, {told['unknown']} without"
        f" an id, {repeated} sent again before the rest was read again"
    )
