"""Laws of the model: spreading, ids, receipts, and what is never shown."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillpost import InvalidValue
from tillpost.kit import minor_digits, round_lines, round_money, spread
from tillpost.model import (
    IDENTIFIER_KINDS,
    Customer,
    Identifier,
    Line,
    LineKind,
    Receipt,
    Tax,
    check_recipe,
    receipt_id,
)

CURRENCIES = st.sampled_from(["SEK", "JPY", "KWD"])
WEIGHTS = st.lists(st.decimals("0", "100000", places=2), min_size=1, max_size=30)
FIELD = st.text(max_size=6)


@given(cents=st.integers(-(10**9), 10**9), weights=WEIGHTS, currency=CURRENCIES)
def test_a_spread_adds_up_and_each_share_is_within_a_unit_of_its_part(
    cents: int, weights: list[Decimal], currency: str
) -> None:
    unit = Decimal(1).scaleb(-minor_digits(currency))
    total, whole = cents * unit, sum(weights)
    shares = spread(total, weights, currency)
    assert sum(shares) == total
    assert all(share * total >= 0 for share in shares)
    assert all(share % unit == 0 for share in shares)
    if whole:
        assert all(abs(share - total * weight / whole) < unit for share, weight in zip(shares, weights, strict=True))


def test_t3_lines_of_mixed_signs_are_rounded_each_with_its_own() -> None:
    """`spread` takes weights as sizes, and says so; a till's lines with returns among them are for `round_lines`."""
    bought_and_returned = [Decimal("-100.004"), Decimal("130.004")]
    assert round_lines(Decimal("30.00"), bought_and_returned, "SEK") == (Decimal("-100.00"), Decimal("130.00"))
    assert round_lines(Decimal("-3"), [Decimal("-5.4"), Decimal("2.4")], "JPY") == (Decimal(-5), Decimal(2))
    with pytest.raises(InvalidValue, match=r"sum to 31.00, the total is 30.00 \(difference 1.00\)"):
        round_lines(Decimal(30), [Decimal(-100), Decimal(131)], "SEK")
    assert "use `round_lines`" in (spread.__doc__ or "")


def test_a_spread_over_nothing_is_refused() -> None:
    assert spread(Decimal(0), [], "SEK") == ()
    with pytest.raises(InvalidValue, match="no line to spread 1 over"):
        spread(Decimal(1), [], "SEK")
    with pytest.raises(InvalidValue, match="whole units of SEK"):
        spread(Decimal("0.001"), [Decimal(1)], "SEK")


@given(amounts=st.lists(st.decimals("-100000", "100000", places=4), min_size=1, max_size=30), currency=CURRENCIES)
def test_rounded_lines_sum_to_the_rounded_total_each_within_a_unit_and_with_its_sign(
    amounts: list[Decimal], currency: str
) -> None:
    total = round_money(sum(amounts, Decimal(0)), currency)
    shares = round_lines(total, amounts, currency)
    unit = Decimal(1).scaleb(-minor_digits(currency))
    assert sum(shares) == total
    assert all(abs(share - amount) < unit for share, amount in zip(shares, amounts, strict=True))
    assert all(share * amount >= 0 for share, amount in zip(shares, amounts, strict=True))


def test_lines_bought_and_returned_keep_their_amounts_and_a_total_of_another_sum_is_refused() -> None:
    assert round_lines(Decimal("30.00"), [Decimal(-100), Decimal(130)], "SEK") == (Decimal(-100), Decimal(130))
    with pytest.raises(InvalidValue, match=r"sum to 30\.00, the total is 30\.01 \(difference -0\.01\)"):
        round_lines(Decimal("30.01"), [Decimal(-100), Decimal(130)], "SEK")
    with pytest.raises(InvalidValue, match="the total is 1"):
        round_lines(Decimal(1), [], "SEK")


@given(one=st.tuples(FIELD, FIELD, st.dates(), FIELD), two=st.tuples(FIELD, FIELD, st.dates(), FIELD))
def test_two_receipts_never_share_an_id(one: tuple[Any, ...], two: tuple[Any, ...]) -> None:
    def make(parts: tuple[str, str, date, str]) -> str:
        store, till, day, number = parts
        return receipt_id(store=store, till=till, business_date=day, number=number + "x")

    try:
        assert (make(one) == make(two)) == (one == two)
    except UnicodeEncodeError:
        pytest.fail("an id is made of any text")


@pytest.mark.parametrize("pair", [("a_b", "c", "a", "b_c"), ("1%5F", "2", "1_", "2"), ("a", "_b", "a_", "b")])
def test_separators_in_values_do_not_let_ids_meet(pair: tuple[str, str, str, str]) -> None:
    day = date(2026, 1, 31)
    one = receipt_id(store=pair[0], till=pair[1], business_date=day, number="1")
    two = receipt_id(store=pair[2], till=pair[3], business_date=day, number="1")
    assert one != two


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("{store}", "{number} is missing"),
        ("{shop}_{number}", "unknown field 'shop'"),
        ("{store}{number}", "no separator"),
    ],
)
def test_a_recipe_that_could_clash_is_refused(recipe: str, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        check_recipe(recipe)


@given(kind=st.sampled_from(IDENTIFIER_KINDS), value=st.text("qzxj", min_size=5))
def test_an_identifier_never_shows_its_value(kind: str, value: str) -> None:
    identifier = Identifier(kind, value)
    customer = Customer(identifiers=(identifier,), attributes={"firstName": value})
    for shown in (repr(identifier), str(identifier), repr(customer), str(customer)):
        assert value not in shown
    assert kind in repr(identifier)


def test_an_e_mail_is_the_same_in_any_case_and_other_keys_are_not() -> None:
    assert Identifier("email", " A@B.se ") == Identifier("email", "a@b.se")
    assert Identifier("externalId", "A") != Identifier("externalId", "a")


@given(data=st.data(), cents=st.integers(1, 10**6), sign=st.sampled_from([1, -1]))
def test_a_receipt_that_does_not_add_up_says_by_how_much(
    any_receipt: st.SearchStrategy[Receipt], data: st.DataObject, cents: int, sign: int
) -> None:
    receipt = data.draw(any_receipt)
    off = sign * cents * Decimal(1).scaleb(-minor_digits(receipt.currency))
    with pytest.raises(InvalidValue, match="lines sum to") as raised:
        attrs.evolve(receipt, total=receipt.total + off)
    assert raised.value.fault.endswith(f"(difference {-off})")


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ({"created": datetime(2026, 1, 31, 12)}, "the time has no offset"),  # noqa: DTZ001
        ({"currency": "sek"}, "ISO 4217"),
        ({"store": ""}, "store is empty"),
        ({"id": ""}, "id is empty"),
        ({"tenders": ()}, "tenders sum to 0.00, the receipt's total is 14.50"),
        ({"currency": "JPY"}, "has more digits behind the point than JPY"),
    ],
)
def test_a_receipt_keeps_its_laws(simple_receipt: Receipt, change: dict[str, Any], law: str) -> None:
    with pytest.raises(InvalidValue, match=law):
        attrs.evolve(simple_receipt, **change)


@pytest.mark.parametrize(
    ("kind", "quantity", "paid", "tax", "law"),
    [
        ("purchase", "-1", "1", "0", "neither may be negative"),
        ("purchase", "1", "-1", "0", "neither may be negative"),
        ("return", "1", "-1", "0", "quantity must be below zero, price not above"),
        ("return", "0", "-1", "0", "quantity must be below zero, price not above"),
        ("purchase", "1", "1", "-0.1", "have different signs"),
        ("purchase", "1", "1", "1.1", "larger than the price"),
        ("purchase", "1", "1e15", "0", "paid is out of bounds: .* below 1e15"),
        ("purchase", "1e-31", "1", "0", "quantity is out of bounds: .* at most 30 digits behind the point"),
        ("purchase", "1", "0e-31", "0", "paid is out of bounds"),
        ("purchase", "1", "NaN", "0", "paid is out of bounds: a number is finite"),
    ],
)
def test_a_line_keeps_its_laws(kind: str, quantity: str, paid: str, tax: str, law: str) -> None:
    with pytest.raises(InvalidValue, match=law):
        Line(
            kind=LineKind(kind),
            sku="A",
            quantity=Decimal(quantity),
            paid=Decimal(paid),
            tax_amount=Decimal(tax),
        )


def test_a_tax_adds_up() -> None:
    with pytest.raises(InvalidValue, match="difference -1"):
        Tax(
            description="VAT",
            percent=Decimal(25),
            amount=Decimal(25),
            including_tax=Decimal(126),
            excluding_tax=Decimal(100),
        )
