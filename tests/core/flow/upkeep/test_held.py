"""The ways out of what is held: each in one call, and none sends a sale twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.engine import store_of
from tests.support.lines import line_on
from tests.support.receipts import receipt
from tillpost.errors import InvalidValue, JournalError, UsageError
from tillpost.flow.delivery.deliver import claim, deliver
from tillpost.flow.intake.accept import accept
from tillpost.flow.line import Line
from tillpost.flow.upkeep import held
from tillpost.journal import Move, State
from tillpost.journal.moves import apply_moves
from tillpost.journal.sqlite import doctor
from tillpost.journal.states import VERIFICATIONS
from tillpost.journal.tables.taken_ids import ANSWERED, CORRECTED_BY_HAND
from tillpost.model import (
    Broken,
    Delivered,
    Document,
    Found,
    NoReceipt,
    Outcome,
    Parsed,
    Payload,
    Receipt,
    Refused,
    receipt_id,
)
from tillpost.model.receipt_json import dumps, loads

X = receipt().id
RECIPE = partial(receipt_id)


class Sink:
    """A destination in memory that keeps the first receipt of an id."""

    def __init__(self) -> None:
        self.answer: Outcome = Delivered(status=202)
        self.there: dict[str, Receipt] = {}

    def map(self, receipt: Receipt, match: Any) -> Payload:
        return Payload(receipt_id=receipt.id, match=match, fields={"receipt": dumps(receipt).decode()})

    def deliver(self, payload: Payload) -> Outcome:
        if isinstance(self.answer, Delivered):
            self.there.setdefault(payload.receipt_id, loads(payload.fields["receipt"].encode()))
        return self.answer

    def total(self) -> Decimal:
        return sum((each.total for each in self.there.values()), Decimal(0))


class Shop:
    """A line over a journal, a sink, and documents given as records."""

    def __init__(self, line: Line, sink: Sink, documents: dict[str, list[Parsed]]) -> None:
        self.line, self.sink, self._documents = line, sink, documents

    def take(self, name: str, *records: Parsed) -> None:
        document = Document.from_bytes(name, name.encode())
        named = [
            attrs.evolve(
                one,
                receipt=attrs.evolve(
                    one.receipt, raw=attrs.evolve(one.receipt.raw, document=name, sha256=document.sha256)
                ),
            )
            if isinstance(one, Found)
            else one
            for one in records
        ]
        self._documents[document.sha256] = list(named)
        accept(self.line, document)

    def send(self) -> None:
        for entry in claim(self.line, 100):
            deliver(self.line, entry)
            self.line.claims.release([entry.seq])

    def states(self) -> dict[str, str]:
        return {entry.id: str(entry.state) for entry in self.line.journal.receipts.find({})}

    def conflict(self) -> str:
        (entry,) = [one for one in self.line.journal.receipts.find({"state": State.HELD}) if "#" in one.id]
        return entry.id


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    documents: dict[str, list[Parsed]] = {}
    sink = Sink()
    with line_on(
        tmp_path, sink.deliver, map_receipt=sink.map, parse_receipts=lambda document: documents[document.sha256]
    ) as line:
        yield Shop(line, sink, documents)


def sale(price: str = "10.00", number: str = "1", customer: str | None = "4711") -> Found:
    one = receipt(number=number, price=price, customer=customer)
    return Found(receipt=one, raw=dumps(one))


def void() -> NoReceipt:
    return NoReceipt(reason="voided", place="line 5", retail=True, number="9", voids=X, final=True)


def test_b14_a_refused_sale_is_sent_with_the_correction_of_its_till(shop: Shop) -> None:
    shop.sink.answer = Refused(reason="400: currency")
    shop.take("day.jsonl", sale())
    shop.send()
    assert shop.states() == {X: "held"}
    shop.sink.answer = Delivered(status=202)
    shop.take("corrected.jsonl", sale("12.00"))
    shop.send()
    assert shop.states()[X] == "delivered"
    assert shop.sink.total() == Decimal("12.00")


def test_b14_a_value_is_corrected_and_the_receipt_sent_under_its_id(shop: Shop) -> None:
    shop.sink.answer = Refused(reason="400: no such contact")
    shop.take("day.jsonl", sale())
    shop.send()
    shop.sink.answer = Delivered(status=202)
    journal = shop.line.journal
    result = held.correct(
        journal, X, {"customer.email": "Eva@Example.com", "lines[0].sku": "b"}, None, RECIPE, None, 5.0
    )
    assert result == f"corrected, and queued as {X}"
    shop.send()
    sent = shop.sink.there[X]
    assert sent.customer is not None
    assert ("email", "eva@example.com") in {(one.kind, one.value) for one in sent.customer.identifiers}
    assert sent.lines[0].sku == "b"
    (told,) = [event for event in journal.events.of_receipt(1) if event["what"] == "corrected"]
    assert json.loads(told["detail"]) == {"fields": "customer.email, lines[0].sku"}
    shop.take("day.jsonl", sale())
    shop.take("again.jsonl", sale())
    assert shop.states() == {X: "delivered"}, "what a person has corrected is not held when its document comes again"


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"total": "11.00"}, "lines sum to 10.00"),
        ({"currency": "kr"}, "currency"),
        ({"id": "other"}, "cannot be set"),
        ({"raw.place": "x"}, "cannot be set"),
        ({"lines[7].sku": "b"}, "is not there"),
        ({"nothing": "b"}, "is not there"),
        ({"lines": "b"}, "is not one value"),
        ({"lines[0]": "b"}, "names an item"),
        ({"customer.mobilePhone": "070"}, ""),
        ({"[]": "b"}, "is no path"),
    ],
)
def test_b14_a_correction_is_a_receipt_or_is_refused(shop: Shop, values: dict[str, str], fault: str) -> None:
    shop.take("day.jsonl", sale())
    shop.line.journal.receipts.settle([(1, Move(state=State.HELD, reason="refused"))], 5.0, "deliver")
    if not fault:
        held.correct(shop.line.journal, X, values, None, RECIPE, None, 6.0)
        return
    with pytest.raises(InvalidValue, match=fault):
        held.correct(shop.line.journal, X, values, None, RECIPE, None, 6.0)
    assert shop.states() == {X: "held"}


def test_b14_a_record_that_cannot_be_read_is_given_as_a_whole(shop: Shop) -> None:
    shop.take("day.jsonl", Broken(reason="line 3: total is missing", place="line 3", raw=b"{bad", number="1"))
    (broken,) = shop.states()
    with pytest.raises(UsageError, match="--from FILE"):
        held.correct(shop.line.journal, broken, {"total": "1"}, None, RECIPE, None, 6.0)
    form = json.loads(dumps(receipt()))
    del form["id"], form["raw"]
    result = held.correct(shop.line.journal, broken, {}, json.dumps(form).encode(), RECIPE, None, 6.0)
    assert result == f"corrected, and accepted as {X}"
    shop.send()
    assert shop.states() == {broken: "skipped", X: "delivered"}


def test_b14_the_tills_correction_takes_the_place_of_what_has_not_left(shop: Shop) -> None:
    shop.take("day.jsonl", sale())
    shop.take("corrected.jsonl", sale("12.00"))
    conflict = shop.conflict()
    assert held.correct(shop.line.journal, conflict, {}, None, RECIPE, None, 6.0) == f"corrected, and queued as {X}"
    shop.send()
    assert shop.sink.total() == Decimal("12.00")
    assert sorted(shop.states().values()) == ["delivered", "skipped"]
    assert shop.line.journal.receipts.skipped() == {CORRECTED_BY_HAND: 1}
    shop.take("day.jsonl", sale())
    shop.take("corrected.jsonl", sale("12.00"))
    assert sorted(shop.states().values()) == ["delivered", "skipped"]


def test_b14_a_correction_of_what_has_left_is_answered_by_a_return_and_a_sale(shop: Shop) -> None:
    shop.take("day.jsonl", sale())
    shop.send()
    shop.take("corrected.jsonl", sale("12.00"))
    conflict = shop.conflict()
    with pytest.raises(JournalError, match="is delivered, and the destination keeps"):
        held.correct(shop.line.journal, conflict, {}, None, RECIPE, None, 6.0)
    with pytest.raises(UsageError, match="its id belongs to other content"):
        held.retry(shop.line, conflict)
    ids = held.send_return(shop.line.journal, conflict, "rung up wrongly", None, 1e9)
    assert ids == [f"{X}_return", f"{X}_corrected"]
    shop.send()
    assert shop.sink.total() == Decimal("12.00"), "10.00, its return, and 12.00"
    assert shop.states() == {X: "delivered", conflict: "skipped", ids[0]: "delivered", ids[1]: "delivered"}
    assert shop.line.journal.receipts.skipped() == {ANSWERED: 1}
    shop.take("third.jsonl", sale("13.00"))
    again = held.send_return(shop.line.journal, shop.conflict(), "again", None, 1e9)
    assert again == [f"{X}_corrected_return", f"{X}_corrected_corrected"]
    shop.send()
    assert shop.sink.total() == Decimal("13.00")


def test_b14_two_sales_with_one_id_are_both_sent_when_a_person_says_so(shop: Shop) -> None:
    shop.take("day.jsonl", sale())
    shop.send()
    shop.take("other.jsonl", sale("7.00"))
    assert held.send_apart(shop.line.journal, shop.conflict(), "two tills", None, 1e9) == f"{X}_2"
    shop.send()
    assert shop.sink.total() == Decimal("17.00")
    shop.take("other.jsonl", sale("7.00"))
    shop.send()
    assert shop.sink.total() == Decimal("17.00")


def test_b28_a_void_of_what_was_delivered_is_answered_by_a_return(shop: Shop) -> None:
    shop.take("day.jsonl", sale())
    shop.send()
    shop.take("void.jsonl", void())
    conflict = shop.conflict()
    assert conflict == f"{X}#voided"
    with pytest.raises(UsageError, match="takes back what was sent"):
        held.retry(shop.line, conflict)
    with pytest.raises(UsageError, match="is a void"):
        held.correct(shop.line.journal, conflict, {"total": "1"}, None, RECIPE, None, 6.0)
    assert held.send_return(shop.line.journal, conflict, "brought back", None, 1e9) == [f"{X}_return"]
    shop.send()
    assert shop.sink.total() == 0
    with pytest.raises(UsageError, match="is not held"):
        held.send_return(shop.line.journal, conflict, "twice", None, 1e9)
    shop.take("void.jsonl", void())
    shop.send()
    assert shop.sink.total() == 0


def test_b28_nothing_is_returned_before_it_is_delivered(shop: Shop) -> None:
    shop.take("day.jsonl", sale())
    shop.line.journal.receipts.settle([(1, Move(state=State.UNCERTAIN, due=1e12))], 5.0, "deliver")
    shop.take("void.jsonl", void())
    with pytest.raises(JournalError, match="is uncertain, so there is nothing to return yet"):
        held.send_return(shop.line.journal, f"{X}#voided", "brought back", None, 1e9)
    held.discard(shop.line.journal, f"{X}#voided", "a return was rung up", 7.0)
    assert shop.states() == {X: "uncertain", f"{X}#voided": "skipped"}


def test_what_was_queued_meanwhile_is_not_discarded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second person retries it between the look and the decision: it may be on its way, and be called discarded."""
    shop.take("day.jsonl", sale(customer=None))
    shop.take("broken.jsonl", Broken(reason="total is missing", place="line 1", raw=b"{bad", number="2"))
    (entry,) = shop.line.journal.receipts.find({"state": State.HELD})
    monkeypatch.setattr(shop.line.journal.receipts, "get", lambda receipt_id: entry)
    held.discard(shop.line.journal, entry.id, "a test sale", 7.0)
    with pytest.raises(JournalError, match="is not held"):
        held.discard(shop.line.journal, entry.id, "a test sale", 8.0)
    for now in (State.ACCEPTED, State.RESOLVED):
        shop.take(f"{now}.jsonl", sale(number=f"{now}"))
        (queued,) = shop.line.journal.receipts.find({"document": f"{now}.jsonl"})
        if now is State.RESOLVED:
            shop.line.journal.receipts.settle([(queued.seq, Move(state=now))], 8.0, "deliver")
        seen = attrs.evolve(queued, state=State.HELD)
        monkeypatch.setattr(shop.line.journal.receipts, "get", lambda receipt_id, seen=seen: seen)
        with pytest.raises(JournalError, match="is not held"):
            held.discard(shop.line.journal, queued.id, "a test sale", 9.0)
        assert shop.states()[queued.id] == str(now)


def test_what_is_held_for_another_reason_by_now_is_not_decided_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was retried and held again between the look and the decision: nobody has seen why."""
    shop.take("day.jsonl", sale())
    shop.sink.answer = Refused(status=400, reason="unknown currency")
    shop.send()
    seen = shop.line.journal.receipts.get(X)
    assert seen is not None
    held.retry(shop.line, X)
    shop.sink.answer = Refused(status=400, reason="no such store")
    shop.send()
    monkeypatch.setattr(shop.line.journal.receipts, "get", lambda receipt_id: seen)
    for decide in (
        lambda: held.discard(shop.line.journal, X, "a test sale", 7.0),
        lambda: held.retry(shop.line, X),
        lambda: held.correct(shop.line.journal, X, {"number": "1"}, None, RECIPE, None, 7.0),
    ):
        with pytest.raises(JournalError, match=r"for another reason by now.*no such store"):
            decide()
    assert shop.states() == {X: "held"}


def test_nothing_is_returned_that_is_no_longer_delivered_when_it_is_decided(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its history turned out not to show it a moment ago: a return would be of nothing."""
    shop.take("day.jsonl", sale())
    shop.send()
    shop.take("void.jsonl", void())
    get, before = shop.line.journal.receipts.get, shop.line.journal.receipts.get(X)
    assert before is not None
    gone = Move(state=State.HELD, reason="Engage does not show it (store 12): …")
    store_of(shop.line.journal).write(
        lambda transaction: apply_moves(transaction, [before.seq], gone, 8.0, "verify", VERIFICATIONS)
    )
    monkeypatch.setattr(shop.line.journal.receipts, "get", lambda each: before if each == X else get(each))
    with pytest.raises(JournalError, match=f"{X} is held by now; {X}#voided stays held"):
        held.send_return(shop.line.journal, f"{X}#voided", "brought back", None, 1e9)
    assert shop.states() == {X: "held", f"{X}#voided": "held"}


def test_two_sales_never_share_the_id_that_was_free_for_both(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.take("day.jsonl", sale(), sale("12.00"), sale("14.00"))
    first, second = (identity for identity in shop.states() if "#" in identity)
    get = shop.line.journal.receipts.get
    assert held.send_apart(shop.line.journal, first, "two tills", None, 1e9) == f"{X}_2"
    monkeypatch.setattr(shop.line.journal.receipts, "get", lambda each: None if each == f"{X}_2" else get(each))
    with pytest.raises(JournalError, match=f"{X}_2 is accepted by now"):
        held.send_apart(shop.line.journal, second, "three tills", None, 1e9)
    monkeypatch.undo()
    assert held.send_apart(shop.line.journal, second, "three tills", None, 1e9) == f"{X}_3"


def test_b28_a_void_before_delivery_takes_the_sale_out(shop: Shop) -> None:
    shop.take("day.jsonl", sale())
    shop.take("void.jsonl", void())
    shop.send()
    assert shop.sink.there == {}
    assert shop.states() == {X: "skipped"}


def test_b32_retrying_says_why_it_was_held_and_never_repeats_the_place(shop: Shop) -> None:
    alone = Broken(reason="line 1: total is missing", place="line 1", raw=b"{bad", number="1")
    shop.take("day.jsonl", attrs.evolve(alone, reason="line 3: total is missing", place="line 3"))
    (broken,) = shop.states()
    shop._documents[Document.from_bytes("", b"{bad").sha256] = [alone]
    with pytest.raises(InvalidValue) as told:
        held.retry(shop.line, broken)
    text = str(told.value)
    assert f"{broken} stays held" in text
    assert "line 3: total is missing" in text
    assert "line 1" not in text
    assert text.count("line 3") == 1


def test_b32_a_record_that_became_several_receipts_is_accepted_whole(shop: Shop) -> None:
    shop.take("day.jsonl", Broken(reason="line 3: unknown form", place="line 3", raw=b"{order", number="1"))
    (broken,) = shop.states()
    shop._documents[Document.from_bytes("", b"{order").sha256] = [sale(), sale(number="2")]
    assert held.retry(shop.line, broken) == f"read as {X}, {receipt(number='2').id}"
    assert sorted(shop.states().values()) == ["accepted", "accepted", "skipped"]


def test_b28_the_account_of_records_has_a_void_once_however_often_it_is_read(shop: Shop) -> None:
    """Each record that was read is in exactly one sum; the doctor checks it."""
    shop.take("day.jsonl", sale(), sale(number="2"))
    shop.send()
    for name in ("void.jsonl", "void.jsonl", "void again.jsonl"):
        shop.take(name, void())
    shop.take("changed.jsonl", sale("12.00"), sale(number="2", price="9.00"))
    held.send_return(shop.line.journal, f"{X}#voided", "brought back", None, 1e9)
    shop.send()
    shop.take("void.jsonl", void())
    assert [damage for damage in doctor.verify(shop.line.journal.folder).damages if not damage.note] == []


def test_b14_a_correction_that_was_held_while_its_sale_was_on_its_way_takes_effect_when_that_is_refused(
    shop: Shop,
) -> None:
    shop.take("day.jsonl", sale(), sale(number="2"))
    shop.take("corrected.jsonl", sale("12.00"))
    assert held.take_effect(shop.line) == 0
    shop.sink.answer = Refused(reason="400: currency")
    shop.send()
    shop.sink.answer = Delivered(status=202)
    shop.line.journal.held._looked_at = 0.0
    assert held.take_effect(shop.line) == 1
    shop.send()
    assert shop.states()[X] == "delivered"
    assert shop.sink.total() == Decimal("12.00")
    for name, one in (("day.jsonl", sale()), ("corrected.jsonl", sale("12.00"))):
        shop.take(name, one)
    assert sorted(shop.states().values()) == ["delivered", "held", "skipped"], "the other sale is held"
    assert [damage for damage in doctor.verify(shop.line.journal.folder).damages if not damage.note] == []


def test_b28_a_void_that_was_held_while_its_sale_was_on_its_way_takes_effect_when_that_is_refused(shop: Shop) -> None:
    shop.take("day.jsonl", sale())
    assert shop.line.journal.receipts.mark_sending(1, 5.0)
    shop.take("void.jsonl", void())
    assert shop.conflict() == f"{X}#voided"
    shop.line.journal.receipts.settle([(1, Move(state=State.HELD, reason="refused"))], 6.0, "deliver")
    assert held.take_effect(shop.line) == 1
    assert shop.states() == {X: "skipped", f"{X}#voided": "skipped"}
