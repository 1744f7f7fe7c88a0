"""Hints: a contact that the destination names as gone is asked about in time; nothing else depends on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.proving import AFTER, Proving, RemoteSandbox, proving, tenant
from tests.support.receipts import receipt_of
from tests.support.waiting import until
from tillpost.flow.contacts import hints
from tillpost.flow.contacts import tenant as upkeep
from tillpost.flow.contacts.hints import ask_if_due
from tillpost.flow.worker import Worker
from tillpost.journal.sqlite.doctor import verify as examine
from tillpost.model import Failure, NoHints, NotSent, Throttled

HOUR = 3600.0
LATER = HOUR * 1.1 + 1
"""Past the next round."""


@pytest.fixture
def engage(tmp_path: Path) -> Iterator[RemoteSandbox]:
    with tenant("sandbox", tmp_path) as made:
        assert isinstance(made, RemoteSandbox)
        yield made


@pytest.fixture
def shop(engage: RemoteSandbox, tmp_path: Path) -> Iterator[Proving]:
    with proving(tmp_path, engage) as made:
        yield begun(made)


def begun(shop: Proving) -> Proving:
    """The first round is due, which comes within the first hour."""
    ask_if_due(shop.line)
    assert shop.clock.time() < shop.line.journal.contact_hints.rounds().due <= shop.clock.time() + HOUR
    shop.later(HOUR)
    return shop


def rounds_of(engage: RemoteSandbox) -> int:
    counts = engage.control("GET", "stats")["requests"]
    return sum(sum(by.values()) for route, by in counts.items() if route.endswith("/contacts/changes"))


def doubts(shop: Proving) -> int:
    return sum(event["what"] == "id in doubt" for event in shop.line.journal.events.newest(1000))


def answering(shop: Proving, answer: object, hook: str = "contacts_gone") -> list[Any]:
    """Let the hook answer so, or raise it; what it was given."""
    asked: list[Any] = []

    def call(**given: Any) -> Any:
        asked.append(given)
        if isinstance(answer, BaseException):
            raise answer
        return [answer]

    callers = {**shop.line.hooks.callers, hook: [("engage", call)]}
    shop.line = attrs.evolve(shop.line, hooks=attrs.evolve(shop.line.hooks, callers=callers))
    return asked


@pytest.mark.parametrize("how", ["merged", "erased"])
def test_a_contact_that_is_gone_is_learnt_of_before_a_receipt_fails(shop: Proving, how: str) -> None:
    shop.sell(receipt_of(1, externalId="c1", email="c1@x.se"), receipt_of(2, externalId="c2"))
    before = shop.line.journal.contacts.all()
    first = next(row for row in before if row["contact_id"] and _has(shop, row["key"], "c1"))
    other = next(row for row in before if row["key"] != first["key"])
    if how == "merged":
        right = shop.tenant.register(externalId="kept", email="kept@x.se")
        shop.tenant.merge(first["contact_id"], right)
    else:
        shop.tenant.erase(first["contact_id"])
    assert shop.line.journal.verification.due(shop.clock.time(), 9) == {}
    ask_if_due(shop.line)
    assert shop.line.journal.contacts.confirmed_at(first["key"]) < 0, "asked about before its next use"
    assert shop.line.journal.contacts.confirmed_at(other["key"]) > 0
    assert set(shop.line.journal.verification.due(shop.clock.time(), 9)) == {first["key"]}, "its receipts are due"
    shop.verify()
    shop.deliver()
    shop.tenant.do_import()
    assert set(shop.tenant.shown()) == {receipt_of(1).id, receipt_of(2).id}, "before the import left it out"
    shop.later(2 * AFTER)
    shop.verify()
    assert set(shop.states().values()) == {"verified"}
    assert examine(shop.line.journal.folder).damages == []


def _has(shop: Proving, key: str, external: str) -> bool:
    return any(known.value == external for known in shop.line.journal.contacts.get(key).identifiers)


def test_the_next_receipt_of_a_contact_that_is_gone_goes_to_the_right_one(shop: Proving) -> None:
    shop.sell(receipt_of(1, externalId="c1"))
    shop.tenant.do_import()
    former = shop.contact_id()
    shop.tenant.erase(former)
    ask_if_due(shop.line)
    shop.sell(receipt_of(2, externalId="c1"))
    assert shop.contact_id() not in ("", former)
    shop.tenant.do_import()
    assert shop.tenant.shown()[receipt_of(2).id] == shop.contact_id()


def test_a_contact_nobody_stored_is_ignored(shop: Proving) -> None:
    shop.sell(receipt_of(1, externalId="c1"))
    shop.tenant.erase(shop.tenant.register(externalId="stranger"))
    ask_if_due(shop.line)
    assert rounds_of(shop.tenant) == 1  # type: ignore[arg-type]
    assert doubts(shop) == 0
    assert shop.line.journal.contacts.confirmed_at(shop.line.journal.contacts.all()[0]["key"]) > 0


def test_one_request_an_hour_and_a_restart_makes_none_more(engage: RemoteSandbox, tmp_path: Path) -> None:
    with proving(tmp_path, engage) as first:
        begun(first)
        assert rounds_of(engage) == 0
        for _ in range(60):
            ask_if_due(first.line)
            first.later(59)
        assert rounds_of(engage) == 1
    with proving(tmp_path, engage) as second:
        second.later(HOUR + 60 * 59)
        ask_if_due(second.line)
        assert rounds_of(engage) == 1
        second.later(LATER)
        ask_if_due(second.line)
        assert rounds_of(engage) == 2
        for _ in range(24 * 60):
            second.later(60)
            ask_if_due(second.line)
        assert 23 <= rounds_of(engage) <= 26


def test_a_round_asks_from_the_last_answer_on(shop: Proving) -> None:
    asked = answering(shop, frozenset())
    began = shop.clock.time()
    ask_if_due(shop.line)
    assert asked[0]["since"].timestamp() == pytest.approx(began - hints.BACK, abs=5)
    shop.later(LATER)
    failing = answering(shop, NotSent(reason="answered 500", status=500))
    for _ in range(3):
        ask_if_due(shop.line)
        shop.later(LATER)
    assert {round(each["since"].timestamp() - began) for each in failing} == {-round(hints.OVERLAP)}
    asked = answering(shop, frozenset())
    ask_if_due(shop.line)
    assert asked[0]["since"].timestamp() == pytest.approx(began - hints.OVERLAP, abs=5), "what was missed is asked for"
    shop.later(60 * 86400)
    ask_if_due(shop.line)
    assert asked[1]["since"].timestamp() == pytest.approx(shop.clock.time() - hints.BACK, abs=5)


@pytest.mark.parametrize("answer", [NotSent(reason="x", status=500), Throttled(reason="429"), None, 7, SystemExit("x")])
def test_no_answer_changes_nothing_and_is_asked_for_later(shop: Proving, answer: Failure | object) -> None:
    shop.sell(receipt_of(1, externalId="c1"))
    asked = answering(shop, answer)
    for _ in range(3):
        ask_if_due(shop.line)
    assert len(asked) == 1
    assert shop.line.breaker.destination.failures == 0
    assert shop.line.journal.contact_hints.rounds().until == 0
    shop.later(LATER)
    ask_if_due(shop.line)
    assert len(asked) == 2
    assert doubts(shop) == 0


@pytest.mark.parametrize("undocumented", ["403", "404", "405"])
def test_a_tenant_without_it_is_asked_once_a_day_and_it_is_said_once(
    shop: Proving, engage: RemoteSandbox, undocumented: str, caplog: pytest.LogCaptureFixture
) -> None:
    engage.control("POST", "settings", {"undocumented": undocumented})
    with caplog.at_level(logging.INFO, logger="tillpost.flow"):
        for _ in range(72):
            ask_if_due(shop.line)
            shop.later(HOUR)
    assert 2 <= rounds_of(engage) <= 3
    said = [record for record in caplog.records if "does not tell which contacts are gone" in record.message]
    assert [record.levelname for record in said] == ["INFO"]
    assert shop.line.breaker.destination.failures == 0
    engage.control("POST", "settings", {"undocumented": "ok"})
    shop.later(2 * 86400)
    ask_if_due(shop.line)
    assert shop.line.journal.contact_hints.rounds().absent == 0


def test_an_engage_that_does_not_know_it_goes_on_as_before(tmp_path: Path) -> None:
    with tenant("oracle", tmp_path) as made, proving(tmp_path, made) as shop:
        begun(shop)
        ask_if_due(shop.line)
        assert shop.line.journal.contact_hints.rounds().absent > 0
        before = made.requests()
        ask_if_due(shop.line)
        assert made.requests() == before
        shop.sell(receipt_of(1, externalId="c1"))
        made.do_import()
        shop.later(AFTER)
        shop.verify()
        assert set(shop.states().values()) == {"verified"}


def test_thousands_of_strangers_mark_nobody_and_a_contact_among_them_is_found(shop: Proving) -> None:
    shop.sell(receipt_of(1, externalId="c1"))
    texts = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(26_000)]
    answering(shop, frozenset(texts))
    ask_if_due(shop.line)
    assert doubts(shop) == 0
    shop.later(LATER)
    answering(shop, frozenset([*texts, shop.contact_id(), 7]))
    ask_if_due(shop.line)
    assert doubts(shop) == 1
    shop.later(LATER)
    ask_if_due(shop.line)
    assert doubts(shop) == 1, "it is in doubt already"


def test_a_hint_that_is_wrong_costs_one_lookup(shop: Proving) -> None:
    shop.sell(receipt_of(1, externalId="c1"))
    known = shop.contact_id()
    answering(shop, frozenset([known]))
    ask_if_due(shop.line)
    shop.sell(receipt_of(2, externalId="c1"))
    assert shop.contact_id() == known
    assert shop.line.journal.contacts.confirmed_at(shop.line.journal.contacts.all()[0]["key"]) > 0
    shop.tenant.do_import()
    shop.later(AFTER)
    shop.verify()
    assert set(shop.states().values()) == {"verified"}


def test_it_stands_behind_everything_else(shop: Proving) -> None:
    asked = answering(shop, NoHints(reason="x"))
    assert shop.line.pace is not None
    shop.line.pace.waiting = 1
    ask_if_due(shop.line)
    assert asked == []
    shop.line.pace.waiting = 0
    ask_if_due(shop.line)
    assert len(asked) == 1


def test_a_transport_without_it_changes_nothing(shop: Proving) -> None:
    callers = {name: call for name, call in shop.line.hooks.callers.items() if name != "contacts_gone"}
    shop.line = attrs.evolve(shop.line, hooks=attrs.evolve(shop.line.hooks, callers=callers))
    before = shop.tenant.requests()
    ask_if_due(shop.line)
    assert shop.tenant.requests() == before
    assert shop.line.journal.contact_hints.rounds().until == 0


def test_a_clock_that_was_set_back_does_not_end_the_rounds(shop: Proving) -> None:
    asked = answering(shop, frozenset())
    shop.later(30 * 86400)
    ask_if_due(shop.line)
    shop.later(-30 * 86400)
    ask_if_due(shop.line)
    assert len(asked) == 2
    assert asked[1]["since"].timestamp() <= shop.clock.time()


@pytest.mark.parametrize("policy", ["all", "off"])
def test_a_pipeline_at_work_asks_in_the_thread_of_the_verification(
    engage: RemoteSandbox, tmp_path: Path, policy: str
) -> None:
    with proving(tmp_path, engage, own=f'verify = "{policy}"') as shop:
        begun(shop)
        upkeep.start(shop.line)  # the journal knows its tenant
        shop.sell(receipt_of(1, externalId="c1"))
        shop.tenant.erase(shop.contact_id())
        worker = Worker(shop.line)
        worker.start()
        try:
            until(lambda: doubts(shop) == 1, 30)
        finally:
            worker.stop()
            assert worker.join(20)
        assert worker.fault is None
        assert rounds_of(engage) == 1
