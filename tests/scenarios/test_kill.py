"""kill -9 of `tillpost run` at random moments, before, during and after an outage: nothing lost, nothing twice."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support import completejourney
from tests.support.exports import export
from tests.support.shop import Shop

KILLS = 20
DOCUMENTS = 40


@pytest.mark.timeout(290)
def test_twenty_kills_during_two_thousand_baskets_lose_and_double_nothing(
    tmp_path: Path, measured: Callable[[str], None]
) -> None:
    """Seven kills on line, seven while the API is away and files are written, six while they go up."""
    given = list(completejourney.receipts(export("completejourney", "receipts-small.jsonl.gz")))
    lines = [line.encode() + b"\n" for line in given]
    households = {json.loads(line)["customer"]["identifiers"][0]["value"] for line in given}
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
                shop.fault(http="ok")
            process = shop.start()
            # Some in the middle of the first files, some after them.
            time.sleep(chance.uniform(1.0, 6.0) if 7 <= kill < 14 else chance.uniform(0.3, 2.0))
            assert process.poll() is None, (tmp_path / "run.log").read_text()
            process.kill()
            process.wait()
        end = shop.tillpost("run", "--until-idle", timeout=200)
        assert end.returncode == 0, f"{end.stderr} {shop.status()} {shop.answers('held', 'list')[:3]}"
        stand = shop.status()
        receipts = shop.answers("receipts")
        answer = shop.sandbox("receipts")
        there = answer["receipts"] if isinstance(answer, dict) else answer
        stats = shop.sandbox("stats")
    saved = Counter(row["uniqueReceiptId"] for row in there)
    assert len(receipts) == 2000
    assert {row["id"] for row in receipts} == set(saved), "lost or invented"
    assert max(saved.values()) == 1, "doubled"
    assert stats["duplicated"] == 0
    assert (stats["contacts"], stats["create_duplicates"]) == (len(households), 0), "a household is one contact"
    assert stand["counts"]["delivered"] == 2000
    assert stand["delivered"]["file"] > 0
    assert stand["delivered"]["api"] > 0
    total = sum((Decimal(row["total"]) for row in receipts), Decimal(0))
    assert total == sum((Decimal(row["totalGrossPrice"]) for row in there), Decimal(0))
    measured(
        f"killed {KILLS} times: lost 0, duplicated 0, by api {stand['delivered']['api']}, by file "
        f"{stand['delivered']['file']}, repeats that Engage ignored {stats['ignored_duplicates']}"
    )
