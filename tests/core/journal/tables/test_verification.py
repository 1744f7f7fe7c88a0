"""Receipts that Engage's history is yet to show: found by index however many there are, and settled once."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.support.backlog import NOW, build
from tests.support.engine import store_of
from tests.support.query_cost import Ask, plans, steps
from tests.support.receipts import accept, found
from tillpost.errors import JournalError
from tillpost.journal import Entry, HistoryState, Journal, Looked, Move, State
from tillpost.journal.sqlite.doctor import repair, verify
from tillpost.journal.sqlite.schema import VERIFYING, upgrade
from tillpost.journal.states import ACCEPTED_BY_API, ACCEPTED_BY_IMPORT, VERIFIED, confirmation

SENT = Move(state=State.DELIVERED, attempts=1, route="api", verify_after=1200.0)
ASKED: dict[str, Ask] = {
    "due": lambda journal: journal.verification.due(NOW, 50),
    "next due": lambda journal: journal.verification.next_due(),
    "of a contact": lambda journal: journal.verification.of_contact(next(iter(journal.verification.due(NOW, 1))), 1, 9),
    "oldest": lambda journal: journal.verification._oldest(),
    "nothing to give up": lambda journal: journal.verification.give_up(1.0, 100, NOW),
}


@pytest.fixture
def delivered(journal: Journal) -> Journal:
    """Four receipts of one contact, delivered at 100, whose history is read from 1300 on."""
    accept(journal, *(found(number=str(number)) for number in range(1, 5)))
    journal.receipts.settle([(seq, SENT) for seq in range(1, 5)], 100.0, "deliver")
    return journal


def rows(journal: Journal) -> tuple[Entry, Entry]:
    """The first two receipts."""
    first, second = (journal.receipts.find({"number": number})[0] for number in ("1", "2"))
    return first, second


def test_a_delivered_receipt_is_accepted_by_api_until_the_history_shows_it(delivered: Journal) -> None:
    assert delivered.verification.due(1299.0, 10) == {}
    assert delivered.verification.next_due() == 1300.0
    ((key, first),) = delivered.verification.due(1300.0, 10).items()
    waiting = delivered.verification.of_contact(key, first, 10)
    assert [(each.seq, each.looks) for each in waiting] == [(1, 0), (2, 0), (3, 0), (4, 0)]
    assert {confirmation(each.state, each.route, each.verified_at) for each in waiting} == {ACCEPTED_BY_API}

    delivered.verification.settle(Looked(shown=[1, 2], later=[(3, 2500.0, True)], looks=1, requests=2), 1400.0)
    (first_row, third) = delivered.receipts.find({"number": "1"}) + delivered.receipts.find({"number": "3"})
    assert (first_row.verified_at, first_row.verify_due) == (1400.0, None)
    assert confirmation(first_row.state, first_row.route, first_row.verified_at) == VERIFIED
    assert (third.verify_due, third.looks, third.state) == (2500.0, 1, State.DELIVERED)
    stand = delivered.verification.stand()
    assert (stand.verified, stand.waiting, stand.unverified) == ({"api": 2, "file": 0}, 2, 0)
    assert (stand.share, stand.lag, stand.oldest, stand.looks, stand.requests) == (0.5, 1300.0, 100.0, 1, 2)
    assert [event["what"] for event in delivered.events.of_receipt(1)][-1] == "verified"
    assert verify(delivered.folder).damages == []


def test_a_delivery_by_file_without_a_history_says_so() -> None:
    assert confirmation(State.DELIVERED, "file", None) == ACCEPTED_BY_IMPORT
    assert confirmation(State.WRITTEN, "", None) == ""


def test_what_is_sent_again_or_held_is_as_if_it_had_not_been_delivered(delivered: Journal) -> None:
    again = Move(state=State.ACCEPTED, due=1400.0, reason="the contact was gone")
    held = Move(state=State.HELD, reason="Engage does not show it (store 12): …")
    delivered.verification.settle(Looked(moves=[*zip(rows(delivered), (again, held), strict=True)]), 1400.0)
    first, second = delivered.receipts.find({"number": "1"}) + delivered.receipts.find({"number": "2"})
    assert (first.state, first.route, first.delivered_at, first.verify_due) == (State.ACCEPTED, "", None, None)
    assert (second.state, second.route, second.verify_due) == (State.HELD, "", None)
    assert delivered.verification.times_sent_again(1) == 1
    assert [each.seq for each in delivered.receipts.open_after(0, 0, 9)] == [1], "a fallback may write it, too"
    assert verify(delivered.folder).damages == []


def test_a_store_is_known_also_while_everything_it_sold_since_waits_for_its_files(delivered: Journal) -> None:
    """After an outage its receipts were held as if Engage did not know the store."""
    assert not delivered.verification.shows_store("12")
    delivered.verification.settle(Looked(shown=[1]), 1400.0)
    accept(delivered, *(found(number=str(number)) for number in range(10, 1010)))
    assert delivered.verification.shows_store("12")
    assert not delivered.verification.shows_store("99")


def test_only_what_still_waits_is_settled(delivered: Journal) -> None:
    again, (first, second) = Move(state=State.ACCEPTED, due=1400.0), rows(delivered)
    delivered.verification.settle(Looked(moves=[(first, again)]), 1400.0)
    moves = [(first, again), (second, Move(state=State.HELD, reason="x"))]
    late = Looked(shown=[1], later=[(1, 9999.0, True)], moves=moves)
    delivered.verification.settle(late, 1500.0)
    (row,) = delivered.receipts.find({"number": "1"})
    assert (row.state, row.verified_at, row.verify_due) == (State.ACCEPTED, None, None)
    assert delivered.verification.times_sent_again(1) == 1


def test_what_was_delivered_again_since_is_not_judged_by_the_history_before(delivered: Journal) -> None:
    """A replay has sent it while the histories of the round were read: it is not missing after a second."""
    first, _ = rows(delivered)
    delivered.verification.settle(Looked(moves=[(first, Move(state=State.ACCEPTED, due=1400.0))]), 1400.0)
    again = Move(state=State.DELIVERED, route="api", verify_after=60.0)
    delivered.receipts.settle([(first.seq, again)], 1401.0, "deliver")
    missing = Move(state=State.HELD, reason="Engage does not show it (store 12): …")
    delivered.verification.settle(Looked(moves=[(first, missing)]), 1402.0)
    (row,) = delivered.receipts.find({"number": "1"})
    assert (row.state, row.verify_due) == (State.DELIVERED, 1461.0)


def test_only_the_verification_takes_a_receipt_back_that_was_delivered(delivered: Journal) -> None:
    with pytest.raises(JournalError):
        delivered.receipts.settle([(1, Move(state=State.ACCEPTED))], 1400.0, "deliver")
    with pytest.raises(JournalError):
        delivered.verification.settle(Looked(moves=[(rows(delivered)[0], Move(state=State.WRITTEN))]), 1400.0)


def test_what_waits_for_its_history_is_not_removed(delivered: Journal) -> None:
    accept(delivered, found(number="9"))  # the newest row always stays
    delivered.verification.settle(Looked(shown=[1]), 1400.0)
    from tillpost.journal import RetentionCursor

    delivered.retention.step(RetentionCursor(), 5000.0, 5000.0)
    assert [row.seq for row in delivered.receipts.find({})] == [2, 3, 4, 5]
    assert delivered.verification.stand().verified["api"] == 0
    assert delivered.verification.give_up(5000.0, 2, 5000.0) == 2
    stand = delivered.verification.stand()
    assert (stand.waiting, stand.unverified) == (1, 2)
    assert verify(delivered.folder).damages == []


def test_whether_the_tenant_shows_histories_is_remembered(journal: Journal) -> None:
    assert journal.verification.history() == (HistoryState.UNKNOWN, "", 0.0)
    journal.verification.set_history(HistoryState.NOT_TO_BE_HAD, "answered 404", 5.0)
    journal.verification.set_history(HistoryState.NOT_TO_BE_HAD, "answered 404", 9.0)
    with closing(Journal(journal.folder)) as again:
        assert again.verification.history() == (HistoryState.NOT_TO_BE_HAD, "answered 404", 9.0)
    told = [event["what"] for event in journal.events.newest(9) if event["step"] == "verify"]
    assert told == ["history not to be had"], "once"


def test_a_damaged_row_is_recreated(delivered: Journal) -> None:
    store_of(delivered).write(lambda transaction: transaction.execute("UPDATE verification SET history = 'x'"))
    store_of(delivered).write(
        lambda transaction: transaction.execute(
            "UPDATE receipts SET verified_at = 'x', verify_due = NULL WHERE seq = 1"
        )
    )
    delivered.close()
    assert {damage.table for damage in verify(delivered.folder).damages} >= {"receipts", "verification"}
    repair(delivered.folder, 2000.0)
    with closing(Journal(delivered.folder)) as repaired:
        assert repaired.verification.history()[0] is HistoryState.UNKNOWN
        (row,) = repaired.receipts.find({"number": "1"})
        assert (row.state, row.verified_at, row.verify_due) == (State.DELIVERED, None, 2000.0), "it is read again"
    assert verify(delivered.folder).damages == []


def test_an_older_journal_is_verified_behind_today_unless_too_old(tmp_path: Path) -> None:
    with closing(apsw.Connection(str(tmp_path / "journal.db"))) as old:
        upgrade(old, to=VERIFYING - 1)
        old.execute("INSERT INTO contacts (key, attributes, sent, store, seen_at) VALUES ('c', '{}', '{}', '', 0)")
        for seq, (route, reason, age) in enumerate(
            [("api", "", 3600), ("api", "", 86400), ("api", "", 40 * 86400), ("file", "", 60), ("api", "seen", 60)], 1
        ):
            old.execute(
                "INSERT INTO receipts (seq, id, number, store, till, business_date, created, currency, total,"
                " line_count, state, due, reason, route, contact, document, place, accepted_at, changed_at,"
                " delivered_at) VALUES (?1, ?1, '', '', '', '', '', '', '', 1, 'delivered', 0, ?2, ?3, 'c', '', '',"
                " 0, 0, unixepoch() - ?4)",
                (seq, reason, route, age),
            )
        old.execute("INSERT INTO counters VALUES ('delivered', 'api', '', 4), ('delivered', 'file', '', 1)")
    with closing(Journal(tmp_path)) as journal:
        rows = journal.receipts.find({})
        assert [row.verified_at is not None for row in rows] == [False, False, False, True, True]
        today, yesterday, ancient = (row.verify_due for row in rows[:3])
        assert ancient is None
        assert today is not None
        assert yesterday is not None
        assert today < yesterday, "the newest first"
        stand = journal.verification.stand()
        assert (stand.verified, stand.waiting, stand.unverified) == ({"api": 1, "file": 1}, 2, 1)


def _waiting(folder: Path, count: int) -> Journal:
    build(folder, 1, count, bodies=False, contacts=count // 4)
    with closing(apsw.Connection(str(folder / "journal.db"))) as connection:
        connection.execute("UPDATE receipts SET verify_due = delivered_at + 1200 WHERE state = 'delivered'")
    return Journal(folder)


@pytest.mark.parametrize("most", [40_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_the_work_does_not_grow_with_what_waits(tmp_path: Path, most: int) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "many").mkdir()
    with closing(_waiting(tmp_path / "few", 2000)) as few, closing(_waiting(tmp_path / "many", most)) as many:
        assert many.verification.stand().waiting == most
        for name, ask in ASKED.items():
            cost = steps(few, ask)
            assert 0 < steps(many, ask) <= 1.5 * cost + 20, name


@pytest.mark.parametrize("ask", ASKED)
def test_an_index_finds_it(delivered: Journal, ask: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = [each for each in plans(delivered, ASKED[ask], monkeypatch) if "receipts" in each]
    assert plan
    assert all(each.startswith("SEARCH") or "INDEX receipts_unverified" in each for each in plan), plan
    assert not any("TEMP B-TREE" in each for each in plan)
