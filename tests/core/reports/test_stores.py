"""Stores and tills: last seen, today, what waits and what is held; asked without a look at what is delivered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.support.backlog import NOW, build
from tests.support.query_cost import plans, steps
from tests.support.sales import NOON, ON, sale, settle, take
from tillpost.journal import Journal, State
from tillpost.model import Broken
from tillpost.reports.stores import TillView, by_store, stores


def test_each_till_has_its_row(journal: Journal) -> None:
    take(journal, sale("1", "10"), sale("2", "10"), sale("1", "10", till="2"), sale("1", "10", store="9"), now=NOON)
    take(journal, sale("3", "10"), sale("1", "10", on=ON - timedelta(days=1)), now=NOON + 60)
    take(journal, Broken(reason="not JSON", place="line 3", raw=b"{", store="12"), now=NOON + 60)
    for number in ("2", "3"):
        settle(journal, State.DELIVERED, number, route="api")
    found = stores(journal, NOON + 100, ON)
    assert found == [
        TillView(
            store="9", till="1", last_seen=NOON, last_number="1", today=1, undelivered=1, held=0, oldest_age=100.0
        ),
        TillView(
            store="12", till="1", last_seen=NOON + 60, last_number="1", today=3, undelivered=2, held=0, oldest_age=100.0
        ),
        TillView(
            store="12", till="2", last_seen=NOON, last_number="1", today=1, undelivered=1, held=0, oldest_age=100.0
        ),
        TillView(
            store="12", till="", last_seen=NOON + 60, last_number="", today=0, undelivered=0, held=1, oldest_age=None
        ),
    ]  # fmt: skip
    assert [(each.store, each.till, each.today, each.undelivered, each.held) for each in by_store(found)] == [
        ("9", "1", 1, 1, 0), ("12", "3", 4, 3, 1),
    ]  # fmt: skip


def test_a_clock_that_was_set_back_makes_no_negative_age(journal: Journal) -> None:
    take(journal, sale("1", "10"), now=NOON)
    assert stores(journal, NOON - 50, ON)[0].oldest_age == 0.0


@pytest.fixture(scope="module")
def journals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Journal, Journal]]:
    """The same 500 waiting, beside 1,000 and beside 99,500 that are delivered."""
    opened: list[Journal] = []
    for name, settled in (("few", 1_000), ("many", 99_500)):
        folder = tmp_path_factory.mktemp(name)
        build(folder, 500, settled, bodies=False)
        opened.append(Journal(folder))
    yield opened[0], opened[1]
    for each in opened:
        each.close()


def test_what_is_delivered_is_not_looked_at(journals: tuple[Journal, Journal], monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (steps(each, lambda each: each.backlogs.by_till()) for each in journals)
    assert 0 < many <= 1.2 * few + 50
    found = plans(journals[1], lambda each: stores(each, NOW, ON), monkeypatch)
    rows = [plan for plan in found if " receipts " in plan]
    assert rows == [
        "SEARCH receipts USING INDEX receipts_state (state=?)",
        "SEARCH receipts USING COVERING INDEX receipts_day (store=? AND business_date=?)",  # today's, for their number
    ], found
