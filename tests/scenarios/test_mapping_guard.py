"""A change of the mapping with `guard = "hold"`: nothing is sent until a person releases it.

The real launcher, adapters, sandbox and files; the process is killed while receipts are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.shop import Shop

TABLE = (
    'use = "table", timezone = "Europe/Stockholm", date = "%Y-%m-%d %H:%M", columns = { number = "no", store = "store",'
    ' till = "till", created = "at", sku = "sku", quantity = "qty", paid = "paid" }, constants = { currency = "SEK" },'
    ' customer = { externalId = "who" }'
)
HEADER = "no,store,till,at,sku,ean,qty,paid,who\n"


def rows(*numbers: int) -> bytes:
    lines = [f"{each},12,1,2026-11-24 10:{each:02},a-{each},735{each},2,50.00,4711\n" for each in numbers]
    return (HEADER + "".join(lines)).encode()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path, adapter=TABLE, own='guard = "hold"\nguard_first = 3') as opened:
        opened.put("0.csv", rows(1, 2))
        assert opened.tillpost("run", "--until-idle").returncode == 0, "the first mapping is released by itself"
        yield opened


def change(shop: Shop, old: str, new: str) -> None:
    text = shop.config.read_text()
    assert old in text
    shop.config.write_text(text.replace(old, new))


def sent(shop: Shop) -> dict[str, str]:
    """Number of each receipt the destination has → the offset of its time, by which the adapter's zone shows."""
    there = shop.sandbox("receipts")
    numbers = [row["receiptNumber"] for row in there]
    assert len(set(numbers)) == len(numbers)
    return {row["receiptNumber"]: row["createdDate"][-6:] for row in there}


def held(stand: dict[str, Any]) -> bool:
    return bool(stand["counts"]["held"] == 3)


def delivered(count: int) -> Any:
    return lambda stand: stand["counts"]["delivered"] == count


@pytest.mark.timeout(280)
def test_nothing_is_sent_before_the_release_and_nothing_is_lost(shop: Shop) -> None:
    """Killed twice while it holds, with the API there and away; then released while it runs."""
    change(shop, "Europe/Stockholm", "Europe/Helsinki")
    shop.put("1.csv", rows(*range(3, 13)))
    process = shop.start()
    shop.wait_for(lambda stand: held(stand) and sum(stand["counts"].values()) == 12)
    process.kill()
    process.wait()
    process = shop.start()
    shop.put("2.csv", rows(13, 14))
    shop.wait_for(lambda stand: held(stand) and sum(stand["counts"].values()) == 14)
    shop.fault(http="refuse")
    process.kill()
    process.wait()
    process = shop.start()
    shop.put("3.csv", rows(15))
    stand = shop.wait_for(lambda stand: sum(stand["counts"].values()) == 15)
    assert (stand["counts"]["held"], stand["counts"]["delivered"], stand["files"]) == (3, 2, stand["files"])
    assert not any(stand["files"].values()), "no file is written with a mapping nobody released"
    assert sent(shop) == {"1": "+01:00", "2": "+01:00"}
    first = shop.answers("held", "list")[0]
    assert "tillpost mapping release" in first["reason"]
    shown = shop.tillpost("mapping", "show")
    assert shown.returncode == 1
    assert "WAITS FOR ITS RELEASE, 3 receipts held" in shown.stdout
    assert "timezone: Europe/Stockholm -> Europe/Helsinki" in shown.stdout
    shop.fault(http="ok")
    (answer,) = shop.answers("mapping", "release")
    assert answer["receipts"] == 3
    shop.wait_for(delivered(15))
    process.terminate()
    assert process.wait(60) == 0
    assert sent(shop) == {str(number): "+01:00" if number < 3 else "+02:00" for number in range(1, 16)}
    assert shop.tillpost("mapping", "show").returncode == 0


@pytest.mark.timeout(200)
def test_by_file_as_well(shop: Shop) -> None:
    """The API is away when the mapping changes: what is released then goes by file, not before."""
    shop.fault(http="refuse")
    change(shop, 'map       = { use = "engage" }', 'map       = { use = "engage", price_basis = "unit" }')
    shop.put("1.csv", rows(*range(3, 9)))
    process = shop.start()
    shop.wait_for(lambda stand: held(stand) and sum(stand["counts"].values()) == 8)
    shop.wait_for(lambda stand: stand["state"] != "online" or held(stand))
    assert not any(shop.status()["files"].values())
    shop.answers("mapping", "release")
    shop.wait_for(lambda stand: stand["counts"]["written"] + stand["counts"]["transferred"] > 0)
    shop.fault(http="ok")
    shop.wait_for(delivered(8), 120)
    process.terminate()
    assert process.wait(60) == 0
    assert len(sent(shop)) == 8


@pytest.mark.timeout(200)
def test_the_configuration_put_back_sends_what_was_held_as_before(shop: Shop) -> None:
    change(shop, "Europe/Stockholm", "Europe/Helsinki")
    shop.put("1.csv", rows(*range(3, 8)))
    assert shop.tillpost("run", "--until-idle").returncode == 1, "it ends, and says that a person is needed"
    assert shop.status()["counts"]["held"] == 3
    change(shop, 'map       = { use = "engage" }', 'map       = { use = "engage", price_basis = "unit" }')
    assert shop.tillpost("run", "--until-idle").returncode == 1, "another new one"
    assert shop.status()["counts"]["held"] == 3
    change(shop, 'map       = { use = "engage", price_basis = "unit" }', 'map       = { use = "engage" }')
    change(shop, "Europe/Helsinki", "Europe/Stockholm")
    assert shop.tillpost("run", "--until-idle").returncode == 0
    assert sent(shop) == dict.fromkeys("1234567", "+01:00"), "read again by the adapter as it was"


@pytest.mark.timeout(200)
def test_a_mapping_that_fails_is_told_by_the_first_receipts_and_harms_no_other(shop: Shop) -> None:
    change(shop, 'map       = { use = "engage" }', 'map       = { use = "engage" }\namend = { use = "nobody" }')
    assert shop.tillpost("run", "--until-idle").returncode == 78
    assert shop.tillpost("mapping", "show").returncode == 0, "a configuration that cannot start is no mapping"
