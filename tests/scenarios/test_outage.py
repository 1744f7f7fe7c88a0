"""The line through trouble, with the real launcher, the real sandbox and real files: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, saved, settled, stop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path) as opened:
        yield opened


def test_an_outage_is_bridged_by_files_and_the_id_is_learnt_once(shop: Shop) -> None:
    """Before: by API. During: by file, contacts first. After: by API again. The life of one tells all of it."""
    process = shop.start()
    shop.put("1.jsonl", document([receipt_of(number, externalId="known") for number in range(3)]))
    shop.wait_for(lambda stand: stand["delivered"]["api"] == 3)
    shop.fault(http="refuse")
    shop.put("2.jsonl", document([receipt_of(number, externalId="fresh") for number in range(3, 8)]))
    shop.wait_for(lambda stand: stand["counts"]["written"] == 5)
    shop.fault(http="ok")
    shop.wait_for(settled(8))
    shop.put("3.jsonl", document([receipt_of(8, externalId="fresh")]))
    stand = shop.wait_for(settled(9))
    stop(process)
    assert stand["delivered"] == {"api": 4, "file": 5}
    counts = {"known": 2, "pending": 0, "created": 1, "reconciled": 1, "conflicts": 0, "unsaved": 0}
    assert stand["contacts"] == counts
    assert set(saved(shop).values()) == {1}
    (by_file, *_) = [row for row in shop.answers("receipts") if row["route"] == "file"]
    (life,) = shop.answers("receipt", by_file["id"])
    told = [event["what"] for event in life["events"]]
    for first, second in zip(
        ["accepted", "written", "file uploaded", "id learnt", "transferred"],
        ["written", "file uploaded", "id learnt", "transferred", "delivered"],
        strict=True,
    ):
        assert told.index(first) < told.index(second), told
    assert told.count("id learnt") == 1
    assert shop.tillpost("receipt", by_file["id"]).stdout.count("id learnt") == 1
    assert [entry["state"] for entry in stand["history"]] == [
        "degraded", "fallback", "catching up", "confirming", "online",
    ]  # fmt: skip


def test_a_wrong_key_pauses_the_pipeline_and_costs_no_receipt_an_attempt(shop: Shop) -> None:
    """Peers condemn data on a 401; here the pipeline waits, keeps the order, and goes on by itself."""
    shop.fault(http="401")
    process = shop.start()
    shop.put("1.jsonl", document([receipt_of(number, externalId="a") for number in range(5)]))
    stand = shop.wait_for(lambda stand: stand["state"] == "paused" and sum(stand["counts"].values()) == 5)
    assert stand["counts"]["held"] == 0
    assert {row["attempts"] for row in shop.answers("receipts")} == {0}
    shop.fault(http="ok")
    shop.wait_for(settled(5))
    stop(process)
    assert set(saved(shop).values()) == {1}


def test_many_tills_and_one_new_customer_make_one_contact(shop: Shop) -> None:
    process = shop.start()
    for till in range(12):
        shop.put(f"till-{till}.jsonl", document([receipt_of(till, email="Eva+a&b@Example.se")]))
    shop.wait_for(settled(12))
    stop(process)
    stats = shop.sandbox("stats")
    assert (stats["contacts"], stats["create_duplicates"]) == (1, 0)


def test_a_lost_answer_is_asked_for_and_never_becomes_a_second_sale(shop: Shop) -> None:
    """reset-after-body: Engage took it and the answer was lost; the history proves it."""
    process = shop.start()
    shop.put("0.jsonl", document([receipt_of(0, externalId="a")]))
    shop.wait_for(settled(1))
    shop.fault(http="reset-after-body")
    shop.put("1.jsonl", document([receipt_of(1, externalId="a")]))
    shop.wait_for(lambda stand: stand["counts"]["uncertain"] + stand["counts"]["written"] == 1)
    shop.fault(http="ok")
    shop.wait_for(settled(2))
    stop(process)
    assert set(saved(shop).values()) == {1}


def test_one_refused_receipt_is_held_and_its_neighbours_go_on(shop: Shop) -> None:
    """An e-mail that Engage takes for none: this one waits for a person."""
    process = shop.start()
    shop.put(
        "1.jsonl",
        document([receipt_of(1, externalId="a"), receipt_of(2, email="no-address"), receipt_of(3, externalId="b")]),
    )
    shop.wait_for(lambda stand: stand["counts"]["delivered"] == 2 and stand["counts"]["held"] == 1)
    stop(process)
    assert shop.tillpost("status").returncode == 1
    (held,) = shop.answers("held", "list")
    assert "no-address" not in str(held)


def test_a_second_run_on_the_same_state_is_refused_with_a_clear_message(shop: Shop) -> None:
    process = shop.start()
    shop.wait_for(lambda stand: True)
    while "online" not in (shop.folder / "run.log").read_text():
        assert process.poll() is None
    second = shop.tillpost("run")
    stop(process)
    assert second.returncode == 1
    assert "another `tillpost run`" in second.stderr


@pytest.mark.parametrize(("own", "state"), [("", "held"), ('unknown_contact = "skip"', "skipped")])
def test_a_member_number_nobody_knows_is_held_or_skipped_as_configured(tmp_path: Path, own: str, state: str) -> None:
    """Engage creates no contact by a memberNumber alone: it is looked up as customKey, and then a person decides."""
    with Shop(tmp_path, own=f'{own}\nunknown_after = "0s"') as shop:
        shop.put("1.jsonl", document([receipt_of(1, memberNumber="9001"), receipt_of(2, externalId="a")]))
        done = shop.tillpost("run", "--until-idle")
        assert done.returncode == (1 if state == "held" else 0), done.stderr
        assert shop.status()["counts"][state] == 1
        (row,) = [row for row in shop.answers("receipts") if row["state"] == state]
        assert "unknown" in row["reason"]
        assert sum(saved(shop).values()) == 1
