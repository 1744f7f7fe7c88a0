"""The generated day: the same for the same seed, lawful, and with everything a day has."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tillpost.model import LineKind
from tillpost.model.receipt_json import loads
from tillpost_demo.generator import documents, make_day


def test_the_same_seed_gives_the_same_documents_and_another_seed_others() -> None:
    once, again, other = (documents(make_day(seed, 120).receipts) for seed in (5, 5, 6))
    assert once == again
    assert once != other


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), receipts=st.integers(1, 200))
def test_every_receipt_keeps_the_laws_of_the_model_and_has_an_id_of_its_own(seed: int, receipts: int) -> None:
    day = make_day(seed, receipts)  # a broken law raises when the receipt is made
    assert len({receipt.id for receipt in day.receipts}) == receipts
    assert [receipt.created for receipt in day.receipts] == sorted(receipt.created for receipt in day.receipts)


def test_the_documents_hold_every_receipt_once_and_read_back_equal() -> None:
    day = make_day(1, 120)
    files = documents(day.receipts)
    assert len({name for name, _ in files}) == len(files)
    read = [loads(line) for _, content in files for line in content.splitlines()]
    assert sorted(read, key=lambda receipt: receipt.id) == sorted(day.receipts, key=lambda receipt: receipt.id)


def test_a_day_has_what_days_have() -> None:
    receipts = make_day(1, 120).receipts
    lines = [line for receipt in receipts for line in receipt.lines]
    assert {line.kind for line in lines} == set(LineKind)
    assert any(line.quantity % 1 for line in lines), "weighed goods"
    assert any(receipt.total < 0 for receipt in receipts), "a return"
    assert {discount.type for line in lines for discount in line.discounts} == {"campaign", "receipt"}
    assert any(len({tender.type for tender in receipt.tenders}) > 1 for receipt in receipts), "mixed tenders"
    assert any(tender.amount < 0 < receipt.total for receipt in receipts for tender in receipt.tenders), "change"
    assert len({receipt.store for receipt in receipts}) == 3
    assert any(receipt.promotions for receipt in receipts)


def test_there_are_known_new_and_no_customers() -> None:
    day = make_day(1, 120)
    known = {key for person in day.known for key in person.keys}
    buyers = [receipt.customer for receipt in day.receipts]
    assert any(buyer is None for buyer in buyers)
    assert any(buyer is not None and set(buyer.identifiers) <= known for buyer in buyers)
    assert any(buyer is not None and not set(buyer.identifiers) & known for buyer in buyers)


def test_no_two_customers_share_a_key_and_every_till_sees_the_first_one() -> None:
    day = make_day(3, 200)
    keys = [key for person in day.known for key in person.keys]
    assert len(keys) == len(set(keys))
    first = {key: person.keys[0] for person in day.known for key in person.keys}
    for receipt in day.receipts:
        seen = receipt.customer.identifiers if receipt.customer else ()
        if seen and seen[0] in first:
            assert first[seen[0]] == seen[0]


def test_a_day_of_no_receipts_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        make_day(1, 0)
