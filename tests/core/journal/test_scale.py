"""A journal of fifty times the rows is asked with the same work: plans and steps are judged, never time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.backlog import NOW, build
from tests.support.damage import harm
from tests.support.engine import store_of
from tests.support.query_cost import plans, steps
from tests.support.receipts import accept, found
from tillpost.journal import OPEN_FILES, Journal, Move, State
from tillpost.journal.sqlite.doctor import repair, verify
from tillpost.journal.states import MOVES
from tillpost.journal.tables import counters
from tillpost.model import Broken, Identified, NoReceipt

Ask = Callable[[Journal], object]

ASKED: dict[str, Ask] = {
    "claim": lambda journal: journal.receipts.refresh([row.seq for row in journal.receipts.due(NOW, 8)]),
    "next due": lambda journal: journal.receipts.next_due(),
    "open after": lambda journal: journal.receipts.open_after(0, 0, 100),
    "unsettled": lambda journal: journal.receipts.count_unsettled(),
    "all settled": lambda journal: journal.receipts.all_settled(),
    "counts": lambda journal: journal.receipts.counts(),
    "routes": lambda journal: journal.receipts.routes(),
    "skipped": lambda journal: journal.receipts.skipped(),
    "contacts": lambda journal: journal.contacts.counts(),
    "files": lambda journal: journal.file_states.counts(),
    "alerted": lambda journal: journal.file_states.stuck(),
    "open files": lambda journal: (journal.file_states.open_states(), journal.file_states.in_states(*OPEN_FILES)),
    "history": lambda journal: journal.destination.history(),
    "removed": lambda journal: journal.retention.count_removed(),
    "untold": lambda journal: journal.events.unobserved(10),
    "by number": lambda journal: journal.receipts.find({"number": "77", "store": "12"}),
    "by id": lambda journal: journal.receipts.get("12_1_2026-11-24_77"),
    "life": lambda journal: journal.events.of_receipt(77),
    "a page of a state": lambda journal: list(journal.listings.receipts(State.WAITING, limit=50)),
    "a page": lambda journal: list(journal.listings.receipts(limit=50)),
    "a step of retention, nothing old": lambda journal: journal.retention.release_space(),
}


@pytest.fixture(scope="module")
def journals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Journal, Journal]]:
    """1,000 waiting beside 1,000 settled, and 50,000 beside 30,000."""
    folders = [tmp_path_factory.mktemp("few"), tmp_path_factory.mktemp("many")]
    build(folders[0], 1000, 1000)
    build(folders[1], 50_000, 30_000)
    opened = [Journal(folder) for folder in folders]
    yield opened[0], opened[1]
    for journal in opened:
        journal.close()


@pytest.mark.parametrize("ask", ASKED)
def test_the_work_does_not_grow_with_the_rows(journals: tuple[Journal, Journal], ask: str) -> None:
    few, many = (steps(journal, ASKED[ask]) for journal in journals)
    assert few > 0
    assert many <= 1.5 * few + 20, "a few steps more, for a tree that is a level deeper"


SMALL = ("INDEX receipts_due", "INDEX events_destination", "SCAN contact_counters")
"""Indexes and tables that hold few rows, or are read from their beginning until a row fits."""
SORTED = {"skipped", "counts", "life", "open files", "history"}
"""A handful of rows that are grouped, or sorted."""


@pytest.mark.parametrize("ask", ASKED)
def test_nothing_is_scanned_but_what_is_small(
    journals: tuple[Journal, Journal], ask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ask == "a step of retention, nothing old":
        return  # asks the file's header alone
    found = plans(journals[1], ASKED[ask], monkeypatch)
    large = ("receipts", "bodies", "events", "contacts", "r ", "e ")
    scans = [plan for plan in found if plan.startswith("SCAN") and plan.removeprefix("SCAN ").startswith(large)]
    allowed = [plan for plan in scans if any(small in plan for small in SMALL)]
    assert scans == allowed, found
    assert ask in SORTED or not any("TEMP B-TREE" in plan for plan in found), found


def test_a_listing_holds_a_page_at_a_time_and_leaves_none_out(
    journals: tuple[Journal, Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = journals[1]
    most = 0
    read = store_of(journal).read

    def watched(sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        nonlocal most
        rows = read(sql, values)
        most = max(most, len(rows))
        return rows

    monkeypatch.setattr(store_of(journal), "read", watched)
    everything = [entry.seq for entry in journal.listings.receipts()]
    parts = [[entry.seq for entry in journal.listings.receipts(state)] for state in State]
    assert everything == list(range(1, 80_001))
    assert all(part == sorted(part) for part in parts)
    assert sorted(seq for part in parts for seq in part) == everything
    assert most == 1000


def test_receipts_of_several_routes_are_listed_in_order_of_acceptance(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    accept(journal, *[found(number=str(number)) for number in range(1, 8)])
    for seq in range(1, 7):
        journal.receipts.settle([(seq, Move(state=State.DELIVERED, route=("api", "file", "")[seq % 3]))], 1.0, "x")
    assert [entry.seq for entry in journal.listings.receipts(State.DELIVERED)] == [1, 2, 3, 4, 5, 6]
    assert [entry.seq for entry in journal.listings.receipts(State.DELIVERED, store="12", limit=4)] == [1, 2, 3, 4]
    assert list(journal.listings.receipts(store="13")) == []
    journal.close()


# --- the numbers ----------------------------------------------------------------------------------------------------


def counted(journal: Journal) -> dict[str, Any]:
    return {
        "counts": journal.receipts.counts(),
        "routes": journal.receipts.routes(),
        "skipped": journal.receipts.skipped(),
        "contacts": journal.contacts.counts(),
    }


def off(journal: Journal) -> list[str]:
    return store_of(journal).write(counters.mismatches)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_numbers_are_those_of_the_rows_whatever_is_done(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """The law of the tally: acceptance, moves and contacts in any order, some in one commit, some undone."""
    journal = Journal(tmp_path_factory.mktemp("any"))
    number = 0
    for _ in range(data.draw(st.integers(1, 12))):
        match data.draw(st.sampled_from(["accept", "move", "intend", "learn", "forget", "fail"])):
            case "accept":
                records: list[Any] = []
                for kind in data.draw(st.lists(st.sampled_from(["sale", "nobody", "broken", "none"]), max_size=5)):
                    number += data.draw(st.integers(0, 1))
                    records.append(
                        found(number=str(number), customer=None if kind == "nobody" else f"c{number % 3}")
                        if kind in ("sale", "nobody")
                        else Broken(reason="no sum", place="line 1", raw=b"%d" % number, number="", store="")
                        if kind == "broken"
                        else NoReceipt(reason="sign-on", place=f"line {number}", retail=False)
                    )
                accept(journal, *records)
            case "move":
                for entry in journal.receipts.find({}, 4):
                    if ahead := sorted(MOVES[entry.state]):
                        state = data.draw(st.sampled_from(ahead))
                        route = "api" if state is State.DELIVERED else ""
                        journal.receipts.settle([(entry.seq, Move(state=state, route=route, reason="x"))], 1.0, "x")
            case "intend":
                for entry in journal.receipts.due(1e9, 2):
                    journal.receipts.mark_sending(entry.seq, 1.0)
            case "learn" | "forget" as what:
                for contact in journal.contacts.all(2):
                    if what == "learn":
                        journal.contacts.save_contact_id(contact["key"], Identified(contact_id="id"), "created", 1.0)
                    else:
                        journal.contacts.forget_id(contact["key"], "gone", 1.0)
            case "fail":
                rows = journal.receipts.find({}, 2)
                bad = [(entry.seq, Move(state=State.ACCEPTED)) for entry in rows if entry.state is not State.HELD]
                if bad:
                    with pytest.raises(Exception, match="does not go"):
                        journal.receipts.settle(bad, 1.0, "x")
    assert off(journal) == []
    numbers = counted(journal)
    assert sum(numbers["counts"].values()) == len(journal.receipts.find({}))
    assert sum(numbers["routes"].values()) == numbers["counts"][State.DELIVERED]
    journal.close()


def test_numbers_are_right_when_several_threads_accept_in_one_commit(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    start = threading.Barrier(4)

    def work(till: int) -> None:
        start.wait()
        for each in range(25):
            accept(journal, found(number=str(till * 100 + each)))

    threads = [threading.Thread(target=work, args=(till,)) for till in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.receipts.counts()[State.ACCEPTED] == 100
    assert off(journal) == []
    journal.close()


def test_wrong_counters_are_reported_and_counted_again_and_harm_nothing_else(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    accept(journal, found(number="1"), found(number="2", customer=None))
    journal.close()
    harm(tmp_path, "UPDATE counters SET count = 77 WHERE state = 'accepted'")
    harm(tmp_path, "DELETE FROM contact_counters")
    journal = Journal(tmp_path)
    assert not journal.receipts.all_settled()
    assert [entry.seq for entry in journal.receipts.due(1e9, 5)] == [1]
    assert journal.contacts.counts()["known"] == 0
    journal.close()
    (damage,) = verify(tmp_path).damages
    assert (damage.table, damage.lost) == ("counters", "nothing")
    assert "accepted: 77 counted, 1 there" in damage.reason
    assert repair(tmp_path, NOW).damages == [damage]
    assert verify(tmp_path).fine
    journal = Journal(tmp_path)
    assert journal.receipts.counts()[State.ACCEPTED] == 1
    journal.close()


def test_whether_all_is_settled_is_read_from_the_rows(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert (journal.receipts.all_settled(), journal.receipts.count_unsettled()) == (True, 0)
    accept(journal, found(number="1"))
    for state in (State.WAITING, State.WRITTEN, State.TRANSFERRED):
        journal.receipts.settle([(1, Move(state=state))], 1.0, "x")
        assert (journal.receipts.all_settled(), journal.receipts.count_unsettled()) == (False, 1)
    journal.receipts.settle([(1, Move(state=State.DELIVERED, route="file"))], 1.0, "x")
    assert (journal.receipts.all_settled(), journal.receipts.count_unsettled()) == (True, 0)
    journal.close()
