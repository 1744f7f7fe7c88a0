"""kill -9 of `tillpost run` at random moments, before, during and after an outage: nothing lost, nothing twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.completejourney import json_lines

from tests.support.exports import export
from tests.support.shop import Shop

KILLS = 20
DOCUMENTS = 40


@pytest.mark.timeout(280)
def test_twenty_kills_during_two_thousand_baskets_lose_and_double_nothing(tmp_path: Path) -> None:
    """Seven kills on line, seven while the API is away and files are written, six while they go up."""
    lines = json_lines(export("completejourney", "receipts-small.jsonl.gz"))
    assert len(lines) == 2000
    chance = random.Random(20)
    with Shop(tmp_path) as shop:
        size = len(lines) // DOCUMENTS
        for number in range(DOCUMENTS):
            shop.put(f"{number:03}.jsonl", b"".join(lines[number * size : (number + 1) * size]))
        for kill in range(KILLS):
            if kill == 7:
                shop.fault(http="refuse")
            if kill == 14:
                shop.wait_for(lambda stand: stand["files"]["written"] > 0 or stand["counts"]["spooled"] > 0)
                shop.fault(http="ok")
            process = shop.start()
            time.sleep(chance.uniform(0.3, 2.0))
            assert process.poll() is None, (tmp_path / "run.log").read_text()
            process.kill()
            process.wait()
        end = shop.tillpost("run", "--until-idle", timeout=200)
        assert end.returncode == 0, end.stderr + str(shop.status()) + str(shop.answers("held", "list")[:3])
        stand = shop.status()
        receipts = shop.answers("receipts")
        there = (
            shop.sandbox("receipts")["receipts"]
            if isinstance(shop.sandbox("receipts"), dict)
            else shop.sandbox("receipts")
        )
        stats = shop.sandbox("stats")
    saved = Counter(row["uniqueReceiptId"] for row in there)
    assert len(receipts) == 2000
    assert {row["id"] for row in receipts} == set(saved), "lost or invented"
    assert max(saved.values()) == 1, "doubled"
    assert stats["duplicated"] == 0
    assert stand["counts"]["delivered"] == 2000
    assert stand["delivered"]["file"] > 0
    assert stand["delivered"]["api"] > 0
    total = sum((Decimal(row["total"]) for row in receipts), Decimal(0))
    assert total == sum((Decimal(row["totalGrossPrice"]) for row in there), Decimal(0))
    print(f"killed {KILLS} times: lost 0, duplicated 0, by api {stand['delivered']['api']}, by file "
          f"{stand['delivered']['file']}, repeats that Engage ignored {stats['ignored_duplicates']}")  # fmt: skip
