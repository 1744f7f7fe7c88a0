"""An id that is taken: what never left gives way to its till; what left, or may have, is a person's decision."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from tests.support.engine import store_of
from tests.support.receipts import accept, found, receipt
from tillpost.journal import Accepted, Journal, Move, State
from tillpost.journal.sqlite import doctor
from tillpost.journal.tables import counters
from tillpost.journal.tables.taken_ids import CORRECTED, READ_AGAIN, RECORDED, VOIDED
from tillpost.model import Document, Found, NoReceipt

X = receipt().id
NEXT_DAY = Document.from_bytes("next day.jsonl", b"the next day")


def move(journal: Journal, *states: State, reason: str = "", step: str = "deliver") -> None:
    for at, state in enumerate(states):
        if state is State.TRANSFERRED:
            journal.receipts.settle([(1, Move(state=State.WRITTEN, file="f.xml"))], 101.0 + at, "write")
        journal.receipts.settle([(1, Move(state=state, reason=reason, route="api"))], 101.0 + at, step)


def later(journal: Journal, one: Found, now: float = 200.0) -> Accepted:
    """The record in another document."""
    raw = attrs.evolve(one.receipt.raw, sha256=NEXT_DAY.sha256, document=NEXT_DAY.name)
    counts = Accepted()
    changed = attrs.evolve(one, receipt=attrs.evolve(one.receipt, raw=raw))
    journal.receipts.accept([changed], NEXT_DAY, None, now, counts)
    return counts


def states(journal: Journal) -> dict[str, tuple[str, str]]:
    return {
        entry.id.partition("#")[0] + ("#" if "#" in entry.id else ""): (str(entry.state), entry.reason)
        for entry in journal.receipts.find({})
    }


def sound(journal: Journal) -> None:
    """The counters agree with the rows, and the doctor finds nothing."""
    assert store_of(journal).write(counters.mismatches) == []
    found = doctor.verify(journal.folder).damages
    assert [damage for damage in found if not damage.note and damage.table != "files"] == [], "no file was written here"


NEVER_LEFT: dict[str, tuple[State, ...]] = {
    "refused": (State.HELD,),
    "refused after a lost connection": (State.WAITING, State.HELD),
    "waits for another attempt": (State.WAITING,),
    "written to a file that was not uploaded, then held": (State.WRITTEN, State.HELD),
    "not in the history, then refused": (State.UNCERTAIN, State.WAITING, State.HELD),
}


@pytest.mark.parametrize("how", NEVER_LEFT)
def test_b14_what_never_left_gives_way_to_the_correction_of_its_till(journal: Journal, how: str) -> None:
    accept(journal, found())
    move(journal, *NEVER_LEFT[how], reason="not in the history: sent again" if "history" in how else "refused")
    counts = later(journal, found(price="11.00"))
    assert (counts.accepted, counts.held) == (1, 0)
    assert states(journal) == {X: ("accepted", ""), f"{X}#": ("skipped", CORRECTED)}
    entry = journal.receipts.get(X)
    assert entry is not None
    assert journal.bodies.get(entry.seq).total == receipt(price="11.00").total
    assert accept(journal, found()).duplicates == 1, "the first content comes again after a crash"
    assert later(journal, found(price="11.00")).duplicates == 1
    sound(journal)


def test_b14_a_sale_without_a_customer_gives_way_also_in_its_own_document(journal: Journal) -> None:
    accept(journal, found(customer=None))
    assert accept(journal, found()).accepted == 1
    assert states(journal) == {X: ("accepted", ""), f"{X}#": ("skipped", CORRECTED)}
    sound(journal)


LEFT: dict[str, tuple[State, ...]] = {
    "delivered": (State.DELIVERED,),
    "uncertain": (State.UNCERTAIN,),
    "written": (State.WRITTEN,),
    "transferred": (State.TRANSFERRED,),
    "held after a lost answer": (State.UNCERTAIN, State.HELD),
    "held, imported and not shown": (State.TRANSFERRED, State.HELD),
}


@pytest.mark.parametrize("how", LEFT)
def test_b14_what_left_or_may_have_stays_and_the_correction_is_held(journal: Journal, how: str) -> None:
    accept(journal, found())
    move(journal, *LEFT[how])
    counts = later(journal, found(price="11.00"))
    assert (counts.accepted, counts.held) == (0, 1)
    assert counts.reasons == {"changed at the till after it was sent": 1}
    there = states(journal)
    assert there[X][0] == LEFT[how][-1]
    assert there[f"{X}#"][1].startswith(f"changed at the till after it was sent (it is {LEFT[how][-1]}): ")
    assert "10.00" in there[f"{X}#"][1]
    sound(journal)


def test_b14_what_a_sender_has_in_hand_may_have_left(journal: Journal) -> None:
    accept(journal, found())
    assert journal.receipts.mark_sending(1, 150.0)
    assert later(journal, found(price="11.00")).held == 1


def test_two_sales_with_one_number_are_no_correction(journal: Journal) -> None:
    accept(journal, found())
    move(journal, State.HELD, reason="refused")
    other = found(price="11.00")
    other = attrs.evolve(other, receipt=attrs.evolve(other.receipt, created=other.receipt.created + timedelta(hours=1)))
    assert later(journal, other).held == 1
    assert states(journal)[X] == ("held", "refused")


def test_what_a_person_has_discarded_does_not_come_back_as_a_correction(journal: Journal) -> None:
    accept(journal, found())
    move(journal, State.HELD)
    move(journal, State.SKIPPED, reason="discarded: a test sale", step="held")
    assert later(journal, found(price="11.00")).held == 1
    assert states(journal)[X] == ("skipped", "discarded: a test sale")


# --- voids ----------------------------------------------------------------------------------------------------------


def void(journal: Journal, place: str = "line 9", document: Document = NEXT_DAY, final: bool = True) -> Accepted:
    counts = Accepted()
    record = NoReceipt(
        reason="voided afterwards", place=place, retail=True, number="2", store="12", till="1", date="2026-11-24",
        voids=X, final=final,
    )  # fmt: skip
    journal.receipts.accept([record], document, None, 300.0, counts)
    return counts


@pytest.mark.parametrize("how", [(), *NEVER_LEFT.values()])
def test_b28_a_void_before_delivery_takes_the_sale_out(journal: Journal, how: tuple[State, ...]) -> None:
    accept(journal, found())
    move(journal, *how, reason="not in the history: sent again")
    assert (void(journal).skipped, void(journal).skipped) == (1, 1)
    assert states(journal) == {X: ("skipped", VOIDED)}
    assert journal.receipts.due(1e9, 10) == []
    assert accept(journal, found()).duplicates == 1
    sound(journal)


@pytest.mark.parametrize("how", LEFT)
def test_b28_a_void_after_the_sale_has_left_is_held(journal: Journal, how: str) -> None:
    accept(journal, found())
    move(journal, *LEFT[how])
    counts = void(journal)
    assert (counts.held, counts.skipped, counts.reasons) == (1, 0, {"voided at the till after it was sent": 1})
    assert journal.receipts.skipped() == {}
    there = states(journal)
    assert there[X][0] == LEFT[how][-1]
    assert there[f"{X}#"] == (
        "held", f"voided at the till after it was sent (it is {LEFT[how][-1]}): voided afterwards"
    )  # fmt: skip
    assert (void(journal).duplicates, void(journal).held) == (1, 0), "held once, however often its document comes"
    sound(journal)


def test_b28_a_void_that_comes_before_its_sale_takes_it_out(journal: Journal) -> None:
    assert void(journal).skipped == 1
    counts = accept(journal, found())
    assert (counts.accepted, counts.skipped, counts.reasons) == (0, 1, {VOIDED: 1})
    assert states(journal) == {X: ("skipped", VOIDED)}
    assert accept(journal, found()).duplicates == 1
    sound(journal)


def test_a_number_that_is_used_again_after_a_void_is_a_sale(journal: Journal) -> None:
    assert void(journal, final=False).skipped == 1
    assert accept(journal, found(), now=400.0).accepted == 1
    move(journal, State.DELIVERED)
    assert void(journal, final=False).skipped == 1, "its document again"
    assert void(journal, "line 11", final=False).skipped == 1, "in another export"
    assert states(journal) == {X: ("delivered", "")}
    assert void(journal, "line 12").held == 1, "a post-void names it"
    sound(journal)


def test_b28_a_sale_and_its_void_in_one_group(journal: Journal) -> None:
    record = NoReceipt(reason="voided", place="line 2", retail=True, number="2", voids=X)
    counts = accept(journal, found(), record, found(number="3"))
    assert (counts.accepted, counts.skipped) == (2, 1)
    assert states(journal)[X] == ("skipped", VOIDED)
    sound(journal)


def test_b28_what_is_made_ready_when_its_void_comes_is_not_sent(journal: Journal) -> None:
    accept(journal, found())
    void(journal)
    assert not journal.receipts.mark_sending(1, 301.0)
    journal.receipts.settle([(1, Move(state=State.HELD, reason="no contact"))], 302.0, "deliver")
    assert states(journal) == {X: ("skipped", VOIDED)}
    sound(journal)


# --- second ids -----------------------------------------------------------------------------------------------------


def renamed(one: Found, store: str = "12", till: str = "1") -> Found:
    changed = attrs.evolve(one.receipt, id=f"new-{one.receipt.number}", store=store, till=till)
    return attrs.evolve(one, receipt=changed)


SECOND_IDS: dict[str, Found] = {
    "another recipe": renamed(found()),
    "another store": renamed(found(), store="0012"),
    "another till": renamed(found(), till="7"),
}


@pytest.mark.parametrize("how", SECOND_IDS)
@pytest.mark.parametrize("state", [State.ACCEPTED, State.DELIVERED, State.UNCERTAIN, State.TRANSFERRED])
def test_b32_a_sale_that_is_recorded_is_not_sent_under_a_second_id(journal: Journal, how: str, state: State) -> None:
    accept(journal, found())
    if state is not State.ACCEPTED:
        move(journal, state)
    journal.receipts.ids_since = 2e9
    counts = accept(journal, SECOND_IDS[how], found(number="2"))
    assert (counts.accepted, counts.duplicates, counts.reasons) == (1, 1, {RECORDED: 1})
    assert journal.receipts.get("new-1") is None
    assert states(journal)[X][0] == state
    assert accept(journal, SECOND_IDS[how]).duplicates == 1
    assert journal.receipts.skipped() == {}
    assert [event["what"] for event in journal.events.of_receipt(1)].count(RECORDED) == 1
    sound(journal)


def test_b32_a_held_sale_that_never_left_goes_under_the_new_id(journal: Journal) -> None:
    accept(journal, found())
    move(journal, State.HELD, reason="refused")
    journal.receipts.ids_since = 2e9
    assert accept(journal, renamed(found())).accepted == 1
    assert states(journal) == {"new-1": ("accepted", ""), f"{X}#": ("skipped", READ_AGAIN)}
    journal.receipts.ids_since = 3e9  # and back to the earlier settings
    assert accept(journal, found()).reasons == {RECORDED: 1}
    sound(journal)


def test_b32_two_sales_of_one_id_part_when_the_recipe_tells_them_apart(journal: Journal) -> None:
    accept(journal, found())
    move(journal, State.DELIVERED)
    other = found(price="11.00")
    other = attrs.evolve(other, receipt=attrs.evolve(other.receipt, created=other.receipt.created + timedelta(hours=1)))
    assert later(journal, other).held == 1
    journal.receipts.ids_since = 2e9
    assert accept(journal, renamed(found())).duplicates == 1
    second = attrs.evolve(other, receipt=attrs.evolve(other.receipt, id="new-2"))
    assert later(journal, second).accepted == 1
    assert states(journal) == {
        X: ("delivered", ""), f"{X}#": ("skipped", READ_AGAIN), "new-2": ("accepted", "")
    }  # fmt: skip
    sound(journal)


def test_b32_sales_after_the_change_are_not_compared(journal: Journal) -> None:
    accept(journal, found())
    journal.receipts.ids_since = receipt().created.timestamp() - 2 * 86400
    assert accept(journal, renamed(found())).accepted == 1


def test_b32_sales_that_only_look_alike_are_two(journal: Journal) -> None:
    accept(journal, found())
    journal.receipts.ids_since = 2e9
    other = renamed(found(), store="13")
    assert accept(journal, attrs.evolve(other, raw=b"another till's record")).accepted == 1


@pytest.mark.parametrize("state", [State.ACCEPTED, State.DELIVERED, State.UNCERTAIN])
def test_a_sale_read_by_an_earlier_version_of_its_adapter_keeps_that_id(journal: Journal, state: State) -> None:
    accept(journal, found())
    if state is not State.ACCEPTED:
        move(journal, state)
    again = attrs.evolve(renamed(found(), store="another"), raw=b"written otherwise", former_ids=("never", X))
    counts = accept(journal, again, found(number="2"))
    assert (counts.accepted, counts.duplicates, counts.reasons) == (1, 1, {RECORDED: 1})
    assert journal.receipts.get("new-1") is None
    sound(journal)


def test_a_held_sale_of_an_earlier_version_goes_under_the_new_id_once(journal: Journal) -> None:
    accept(journal, found())
    move(journal, State.HELD, reason="refused")
    again = attrs.evolve(renamed(found()), former_ids=(X,))
    assert accept(journal, again).accepted == 1
    assert states(journal) == {"new-1": ("accepted", ""), f"{X}#": ("skipped", READ_AGAIN)}
    assert accept(journal, again).duplicates == 1
    sound(journal)
