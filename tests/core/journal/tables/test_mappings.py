"""The mappings of a journal: kept through a repair, and asked without a look at all receipts."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.support.damage import harm
from tests.support.query_cost import plans
from tests.support.receipts import accept, found
from tillpost.journal import Journal, Move, State
from tillpost.journal.sqlite import doctor
from tillpost.journal.tables.mappings import reason_of
from tillpost.model import NoReceipt


def standing(journal: Journal) -> str:
    known = journal.mappings.awaiting_release()
    return known.fingerprint if known else ""


def held(journal: Journal) -> None:
    """Two receipts, one of them held for the release of mapping b."""
    journal.mappings.activate("a", {"tillpost": "1"}, True, 50.0)
    journal.mappings.activate("b", {"tillpost": "2"}, True, 90.0)
    accept(journal, found(number="1"), found(number="2"))
    move = Move(state=State.HELD, reason=reason_of("b") + "look")
    journal.mappings.hold("b", [(1, move)], 110.0)


def test_a_repair_keeps_what_waits_for_its_release(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        held(journal)
    harm(tmp_path, "UPDATE bodies SET body = x'00' WHERE seq = 2")
    assert not doctor.verify(tmp_path).fine
    doctor.repair(tmp_path, 200.0)
    with closing(Journal(tmp_path)) as journal:
        assert standing(journal) == "b"
        assert [known.what["tillpost"] for known in journal.mappings.all()] == ["1", "2"]
        assert journal.mappings.release("b", 300.0) == 1


def test_a_release_is_made_once_and_is_in_the_events(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        held(journal)
        assert journal.mappings.release("b", 200.0) == 1
        assert journal.mappings.release("b", 300.0) == 0
        assert standing(journal) == ""
        recorded = [(each["step"], each["what"]) for each in journal.events.newest(100) if each["step"] == "mapping"]
        assert recorded == [
            ("mapping", "changed"),
            ("mapping", "changed"),
            ("mapping", "held"),
            ("mapping", "released"),
            ("mapping", "accepted"),
        ]
        assert [entry.state for entry in journal.listings.newest(10)] == [State.ACCEPTED, State.ACCEPTED]


def test_back_to_a_mapping_that_waited_it_waits_again_with_new_receipts(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        held(journal)
        journal.mappings.activate("a", {"tillpost": "1"}, True, 120.0)
        assert (standing(journal), journal.mappings.held("b")) == ("", 0)
        known = journal.mappings.activate("b", {"tillpost": "2"}, True, 130.0)
        assert (known.released_at, known.held) == (None, 0)


def test_the_held_are_looked_up_by_their_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Journal(tmp_path)) as journal:
        held(journal)
        (plan,) = plans(journal, lambda journal: journal.mappings.held("b"), monkeypatch)
        assert plan.startswith("SEARCH receipts USING INDEX receipts_state (state=? AND route=?)")


def test_what_its_till_voids_while_the_mapping_is_tried_on_it_stays_skipped(journal: Journal) -> None:
    journal.mappings.activate("a", {"tillpost": "1"}, True, 50.0)
    journal.mappings.activate("b", {"tillpost": "2"}, True, 90.0)
    accept(journal, found(number="1"), found(number="2"))
    first, _ = journal.receipts.find({})
    accept(journal, NoReceipt(reason="voided", place="line 9", retail=True, voids=first.id, final=True))
    move = Move(state=State.HELD, reason=reason_of("b") + "look")
    journal.mappings.hold("b", [(1, move), (2, move)], 110.0)
    assert [entry.state for entry in journal.receipts.find({})] == [State.SKIPPED, State.HELD]
