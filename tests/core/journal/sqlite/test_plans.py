"""What is asked all the time reads no more than it must: after an outage of days, a scan each time would never end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.engine import store_of
from tests.support.query_cost import Ask, add_file, plans
from tillpost.journal import OPEN_FILES, FileState, Journal, Postponed, State
from tillpost.journal.database import Transaction
from tillpost.journal.tables.files import _seqs
from tillpost.model import Contact, Identifier

OFTEN: dict[str, tuple[Ask, bool]] = {
    "due": (lambda journal: journal.receipts.due(1.0, 4), False),
    "just accepted": (lambda journal: journal.receipts.just_accepted(0.0, 1.0, 4), False),
    "next due": (lambda journal: journal.receipts.next_due(), False),
    "open after": (lambda journal: journal.receipts.open_after(0, 0, 10), False),
    "refresh": (lambda journal: journal.receipts.refresh([1, 2]), False),
    "of a file": (lambda journal: journal.receipts.find({"file": "f", "state": State.TRANSFERRED}), False),
    "in states": (lambda journal: journal.file_states.in_states(*OPEN_FILES), True),
    "to confirm": (lambda journal: journal.file_states.to_confirm(1.0), True),
    "unreviewed": (lambda journal: journal.file_states.unreviewed(), False),
    "unconfirmed contacts": (lambda journal: journal.file_states.unconfirmed_contacts(), True),
    "to upload": (lambda journal: journal.file_states.to_upload(7, False), False),
    "names an unknown contact": (lambda journal: journal.files.names_unknown_contact("f.xml"), False),
    "voided in a file": (lambda journal: journal.files.voided_unsent("f.xml"), False),
    "contacts to confirm": (lambda journal: journal.contact_lookups.to_confirm("f.xml", 1.0, 2.0, 9), True),
    "open states": (lambda journal: journal.file_states.open_states(), False),
    "a file": (lambda journal: journal.files.get("f.xml"), False),
    "latest": (lambda journal: journal.search.latest("held", 10), False),
    "by number": (lambda journal: journal.receipts.find({"number": "1", "store": "12"}, 10), False),
    "files of a state": (lambda journal: journal.search.files(FileState.WRITTEN, 10), False),
}
"""What is asked → how, and whether what is found has to be sorted."""


@pytest.mark.parametrize("ask", OFTEN)
def test_a_frequent_query_uses_an_index(ask: str, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    add_file(journal, "f.xml")
    asked, sorts = OFTEN[ask]
    found = plans(journal, asked, monkeypatch)
    rows = [
        plan for plan in found if " receipts" in plan or " files" in plan or plan.split()[1:2] in (["r"], ["f"], ["c"])
    ]
    assert rows
    # A scan is allowed of the receipts that are open, which their own index holds, and of nothing else.
    assert all(plan.startswith("SEARCH") or "INDEX receipts_due" in plan for plan in rows), found
    assert sorts == any("TEMP B-TREE" in plan for plan in found), found


def test_the_receipts_of_a_file_are_looked_up(journal: Journal) -> None:
    asked: list[str] = []

    class Explained:
        def execute(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
            asked.extend(str(row[3]) for row in store_of(journal).read(f"EXPLAIN QUERY PLAN {sql}", values))
            return []

    connection: Any = Explained()
    assert _seqs(connection, "f.xml") == []
    assert asked == ["SEARCH receipts USING INDEX receipts_file (file=?)"]


def test_the_states_of_files_are_read_in_order_without_their_content(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sequence, name in enumerate(("b.xml", "a.xml", "c.xml"), start=1):
        add_file(journal, name, sequence)
    assert [each.name for each in journal.file_states.in_states(*OPEN_FILES)] == ["b.xml", "a.xml", "c.xml"]
    assert journal.file_states.open_states() == {FileState.WRITTEN}
    journal.files.move(journal.files.get("a.xml"), FileState.UPLOADED, 5.0, due=7.0)
    assert [(each.name, each.due) for each in journal.file_states.in_states(FileState.UPLOADED)] == [("a.xml", 7.0)]
    assert [each.name for each in journal.file_states.in_states(FileState.WRITTEN)] == ["b.xml", "c.xml"]
    assert journal.file_states.open_states() == {FileState.WRITTEN, FileState.UPLOADED}
    for name in ("a.xml", "b.xml", "c.xml"):
        journal.files.move(journal.files.get(name), FileState.CONFIRMED, 9.0)
    assert (journal.file_states.open_states(), journal.file_states.in_states(*OPEN_FILES)) == (frozenset(), [])
    found = plans(journal, lambda journal: journal.file_states.in_states(*OPEN_FILES), monkeypatch)
    assert found[0] == "SEARCH files USING COVERING INDEX files_standing (state=?)"


def test_files_are_put_off_together(journal: Journal) -> None:
    for sequence, name in enumerate(("a.xml", "b.xml"), start=1):
        add_file(journal, name, sequence)
    before = store_of(journal).read("PRAGMA data_version")
    journal.files.postpone([])
    assert store_of(journal).read("PRAGMA data_version") == before
    journal.files.postpone([Postponed(entry=entry, due=9.0, reason="not read yet") for entry in journal.files.all()])
    assert [(each.due, each.attempts, each.reason) for each in journal.files.all()] == [(9.0, 1, "not read yet")] * 2


def test_a_single_job_of_a_commit_raises_its_own_error_and_changes_nothing(journal: Journal) -> None:
    def work(transaction: Transaction) -> None:
        transaction.execute("UPDATE destination SET reason = 'half done'")
        raise KeyError("its own")

    with pytest.raises(KeyError, match="its own"):
        store_of(journal).write(work)
    assert journal.destination.get().reason == ""
    assert journal.destination.next_sequence() == 1


def test_contacts_and_their_keys_are_looked_up(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    add_file(journal, "f.xml")
    found = plans(journal, lambda journal: journal.search.open_contacts(10), monkeypatch)
    assert any("INDEX contacts_open" in plan for plan in found), found
    assert not any("TEMP B-TREE" in plan for plan in found), found
    monkeypatch.undo()
    found = plans(journal, lambda journal: journal.contact_lookups.conflicts_due(1.0, 2.0, 10), monkeypatch)
    assert any("INDEX contacts_open" in plan for plan in found), found
    monkeypatch.undo()
    found = plans(journal, lambda journal: journal.search.contacts_known_by("a@b.c"), monkeypatch)
    assert all(plan.startswith("SEARCH identifiers USING PRIMARY KEY") for plan in found), found


def test_contacts_beside_each_other_are_looked_up(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for each contact whose id is learnt, whose attributes are sent, or that is written to a file."""
    add_file(journal, "f.xml")
    who = Contact(key="c1", contact_id="g", identifiers=(Identifier("externalId", "A"), Identifier("email", "a@b.se")))
    asks: tuple[Ask, ...] = (
        lambda journal: journal.contacts.others_with_id("c1", "g"),
        lambda journal: journal.contacts.newer_elsewhere(who),
        lambda journal: journal.contacts.contested(who),
        lambda journal: journal.contacts.lookups("c1"),
        lambda journal: journal.contact_lookups.state("c1"),
    )
    for ask in asks:
        found = plans(journal, ask, monkeypatch)
        monkeypatch.undo()
        assert found
        assert all(plan.startswith("SEARCH") for plan in found), found
