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
from tests.support.waiting import until

DOCUMENTS = 40


@pytest.mark.timeout(290)
@pytest.mark.parametrize(
    ("baskets", "online", "outage", "after"), [(400, 2, 2, 2), pytest.param(2000, 7, 7, 6, marks=pytest.mark.slow)]
)
def test_kills_at_random_moments_of_a_day_with_an_outage_lose_and_double_nothing(
    tmp_path: Path, baskets: int, online: int, outage: int, after: int, measured: Callable[[str], None]
) -> None:
    """kill -9 so often online, so often while the API is away and files are written, so often while they go up."""
    given = list(completejourney.receipts(export("completejourney", "receipts-small.jsonl.gz")))[:baskets]
    lines = [line.encode() + b"\n" for line in given]
    households = {json.loads(line)["customer"]["identifiers"][0]["value"] for line in given}
    assert len(lines) == baskets
    chance = random.Random(20)
    back = online + outage
    with Shop(tmp_path) as shop:
        size = len(lines) // DOCUMENTS
        for number in range(DOCUMENTS):
            shop.put(f"{number:03}.jsonl", b"".join(lines[number * size : (number + 1) * size]))
        for kill in range(back + after):
            if kill == online:
                shop.fault(http="refuse")
            if kill == back:
                shop.fault(http="ok")
            before, told = _sent(shop), _told(shop)
            process = shop.start()
            # Counted from the first line it says, as a busy machine starts it late. Every second kill on line comes
            # with receipts on their way, the last one of the outage with files written.
            until(lambda told=told: _told(shop) > told, process=process, why=(shop.folder / "run.log").read_text)  # type: ignore[misc]
            if kill < online and kill % 2:
                some = before + chance.randint(1, 60)
                until(lambda some=some: _sent(shop) >= some, process=process, why=(shop.folder / "run.log").read_text)  # type: ignore[misc]
            elif kill == back - 1:
                shop.wait_for(lambda stand: stand["files"]["written"] > 0)
            else:
                time.sleep(chance.uniform(1.0, 6.0) if online <= kill < back else chance.uniform(0.0, 1.5))
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
    assert len(receipts) == baskets
    assert {row["id"] for row in receipts} == set(saved), "lost or invented"
    assert max(saved.values()) == 1, "doubled"
    assert stats["duplicated"] == 0
    assert (stats["contacts"], stats["create_duplicates"]) == (len(households), 0), "a household is one contact"
    assert stand["counts"]["delivered"] == baskets
    assert stand["delivered"]["file"] > 0
    assert stand["delivered"]["api"] > 0
    total = sum((Decimal(row["total"]) for row in receipts), Decimal(0))
    assert total == sum((Decimal(row["totalGrossPrice"]) for row in there), Decimal(0))
    measured(
        f"killed {back + after} times: lost 0, duplicated 0, by api {stand['delivered']['api']}, by file "
        f"{stand['delivered']['file']}, repeats that Engage ignored {stats['ignored_duplicates']}"
    )


def _sent(shop: Shop) -> int:
    stats = shop.sandbox("stats")
    return int(stats["receipts"] + stats["queued"])


def _told(shop: Shop) -> int:
    """How much the processes have said so far."""
    log = shop.folder / "run.log"
    return log.stat().st_size if log.exists() else 0
