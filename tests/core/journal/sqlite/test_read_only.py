"""Reading beside the line: what it sees, that it cannot write, and that it is broken off."""

from __future__ import annotations

import pytest

from tests.support.engine import store_of
from tests.support.receipts import accept, found
from tillpost.errors import JournalError
from tillpost.journal import Journal, Move, State
from tillpost.journal.sqlite.read_only import Reading


def test_it_sees_each_commit_and_writes_nothing(journal: Journal) -> None:
    reading = Journal.read_only(journal.folder)
    for number in range(3):
        accept(journal, found(number=str(number)))
        assert reading.receipts.counts()["accepted"] == number + 1
    with pytest.raises(JournalError, match="reading only"):
        reading.receipts.settle([(1, Move(state=State.HELD, reason="no"))], 1.0, "test")
    with pytest.raises(JournalError):
        store_of(reading).read("DELETE FROM receipts")
    assert journal.receipts.counts()["accepted"] == 3
    reading.close()


def test_a_query_that_takes_long_is_broken_off_and_the_next_is_answered(journal: Journal) -> None:
    reading = Reading(journal.folder / "journal.db", within=0.1)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(JournalError, match="broken off after"):
        reading.read(endless)
    assert reading.read("SELECT 1") == [(1,)]
    reading.close()


def test_the_line_writes_while_a_long_query_runs(journal: Journal) -> None:
    """The reading stands still inside a query: the line's own reads and writes do not wait for it."""
    reading = Reading(journal.folder / "journal.db", within=20)
    accept(journal, found(number="0"))
    seen: list[int] = []
    reading._until = float("inf")
    for _ in reading._connection.execute("SELECT 1 UNION ALL SELECT count(*) FROM receipts"):
        accept(journal, found(number=str(len(seen) + 1)))
        seen.append(journal.receipts.counts()["accepted"])
    assert seen == [2, 3]
    reading.close()


def test_what_a_page_asks_of_contacts(journal: Journal) -> None:
    accept(journal, found(number="1", customer="4711"), found(number="2", customer="4712"))
    assert journal.search.open_contacts(10) == []
    (key,) = journal.search.contacts_known_by("4711")
    assert journal.search.contacts_known_by("externalId: 4711 ") == [key]
    assert journal.search.contacts_known_by("email:4711") == []
    assert journal.search.has_contact(key)
    assert not journal.search.has_contact("c0")
    store_of(journal).write(lambda c: c.execute("UPDATE contacts SET file = 'f' WHERE key = ?", (key,)) and None)
    (row,) = journal.search.open_contacts(10)
    assert (row["key"], row["state"], row["file"]) == (key, "pending", "f")
    assert "4711" not in str(row["identifiers"])


def test_the_oldest_and_the_latest_of_a_state(journal: Journal) -> None:
    assert journal.backlogs.oldest(State.ACCEPTED) == {}
    for number in range(5):
        accept(journal, found(number=str(number)), now=100.0 + number)
    assert journal.backlogs.oldest(State.ACCEPTED) == {"accepted": 100.0}
    assert [entry.number for entry in journal.search.latest("accepted", 2)] == ["4", "3"]
