"""The receipt in Engage's shape."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tillpost import InvalidValue
from tillpost.model import Discount, Identifier, Line, LineKind, Promotion, Receipt, Tax, Tender
from tillpost_engage import wire
from tillpost_engage.payload import Mapping
from tillpost_engage.settings import MapSettings
from tillpost_sandbox.receipts import format_errors, sum_difference

EMAIL = Identifier("email", "a@b.se")
_cents = st.integers(0, 10**9).map(lambda cents: Decimal(cents).scaleb(-2))
_quantities = st.one_of(
    st.integers(0, 5000).map(Decimal), st.integers(0, 10**6).map(lambda grams: Decimal(grams).scaleb(-3))
)


@st.composite
def _lines(draw: st.DrawFn) -> Line:
    kind = draw(st.sampled_from(list(LineKind)))
    paid, quantity = draw(_cents), draw(_quantities)
    sign = -1 if kind is LineKind.RETURN or (kind is LineKind.ADJUSTMENT and draw(st.booleans())) else 1
    if kind is LineKind.RETURN and not quantity:
        quantity = Decimal(1)
    turned = -1 if kind is LineKind.ADJUSTMENT and draw(st.booleans()) else 1
    tax = (paid * draw(st.integers(0, 100)) / 100).quantize(Decimal("0.01"))
    return Line(
        kind=kind,
        sku="s",
        quantity=quantity * sign * turned,
        paid=paid * sign,
        tax_amount=min(tax, paid) * sign,
        tax_percent=Decimal(25),
        discounts=(Discount(type="x", value=-draw(_cents)),),
    )


@pytest.mark.parametrize("basis", ["line", "unit"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(lines=st.lists(_lines(), min_size=1, max_size=6))
def test_lines_add_up_to_the_total_and_the_sandbox_agrees(
    lines: list[Line], basis: str, receipt_of: Callable[..., Receipt]
) -> None:
    receipt = receipt_of(*lines)
    payload = Mapping(MapSettings(price_basis=basis)).map_receipt(receipt, EMAIL)  # type: ignore[arg-type]
    body = wire.loads(wire.dumps(payload.fields))
    assert format_errors(body) == []
    assert sum_difference(body, basis) == 0
    for item in body["items"]:
        assert isinstance(item["quantity"], int)
        assert item["grossPaidPrice"] >= 0


def test_a_full_receipt_has_every_field_of_the_contract_in_its_order(
    receipt_of: Callable[..., Receipt], line_of: Callable[..., Line]
) -> None:
    receipt = receipt_of(
        line_of("100.00", "2", article_number="a", article_name="Scarf", article_group="g", extra={"x": "y"}),
        line_of("75.50", "0.755", tax_amount=Decimal("8.09"), tax_percent=Decimal("12.0")),
        taxes=(
            Tax(
                description="VAT",
                percent=Decimal(12),
                amount=Decimal("8.09"),
                including_tax=Decimal("75.50"),
                excluding_tax=Decimal("67.41"),
            ),
        ),
        tenders=(
            Tender(type="cash", amount=Decimal(200)),
            Tender(type="cash", amount=Decimal("-24.50"), extra={"a": "b"}),
        ),
        vouchers=("v1",),
        promotions=(Promotion(promotion_id="p"),),
        extra={"till": "1"},
    )
    mapping = Mapping(MapSettings(exchange_rates={"SEK": Decimal("0.087")}))
    fields = mapping.map_receipt(receipt, EMAIL).fields
    assert list(fields) == [
        "contact",
        "uniqueReceiptId",
        "receiptNumber",
        "createdDate",
        "storeExternalId",
        "currency",
        "exchangeRateToGroupCurrency",
        "totalGrossPrice",
        "taxDetails",
        "paymentMethods",
        "items",
        "usedBonusChecks",
        "usedPromotions",
        "extraData",
    ]
    assert fields["contact"] == {"matchKey": "a@b.se", "matchKeyType": "email", "contactType": "Member"}
    assert fields["createdDate"] == "2026-03-01T12:30:00+01:00"
    assert fields["usedPromotions"] == [{"promotionId": "p"}]
    weighed = fields["items"][1]
    assert (weighed["quantity"], weighed["packQuantity"]) == (1, Decimal("0.755"))
    assert (weighed["articleNumber"], weighed["articleName"]) == ("sku-1", "sku-1")
    assert "packQuantity" not in fields["items"][0]


def test_a_contact_id_needs_no_contact_type(receipt_of: Callable[..., Receipt], line_of: Callable[..., Line]) -> None:
    payload = Mapping(MapSettings()).map_receipt(receipt_of(line_of()), Identifier("contactId", "g"))
    assert payload.fields["contact"] == {"matchKey": "g", "matchKeyType": "contactId"}


def test_three_for_ten_by_unit_goes_as_one_pack(
    receipt_of: Callable[..., Receipt], line_of: Callable[..., Line]
) -> None:
    mapping = Mapping(MapSettings(price_basis="unit"))
    (three,) = mapping.map_receipt(receipt_of(line_of("10.00", "3")), EMAIL).fields["items"]
    assert (three["quantity"], three["packQuantity"], three["grossPaidPrice"]) == (1, 3, Decimal("10.00"))
    (two,) = mapping.map_receipt(receipt_of(line_of("10.00", "2")), EMAIL).fields["items"]
    assert (two["quantity"], two["grossPaidPrice"]) == (2, Decimal("5.00"))


def test_an_even_exchange_without_tender_still_names_a_payment(
    receipt_of: Callable[..., Receipt], line_of: Callable[..., Line]
) -> None:
    exchange = receipt_of(line_of("5.00"), line_of("-5.00", "-1", LineKind.RETURN), tenders=())
    fields = Mapping(MapSettings()).map_receipt(exchange, EMAIL).fields
    assert fields["paymentMethods"] == [{"type": "none", "value": 0}]


@pytest.mark.parametrize("where", ["receipt", "line"])
def test_more_than_ten_extra_texts_are_refused_with_their_place(
    where: str, receipt_of: Callable[..., Receipt], line_of: Callable[..., Line]
) -> None:
    eleven = {f"n{i}": "v" for i in range(11)}
    receipt = receipt_of(line_of(), extra=eleven) if where == "receipt" else receipt_of(line_of(extra=eleven))
    with pytest.raises(InvalidValue, match=rf"^{where}.*: has 11 extra texts; Engage accepts 10"):
        Mapping(MapSettings()).map_receipt(receipt, EMAIL)


def test_a_receipt_without_lines_is_refused(receipt_of: Callable[..., Receipt]) -> None:
    with pytest.raises(InvalidValue, match="has no lines; Engage accepts no receipt without"):
        Mapping(MapSettings()).map_receipt(receipt_of(), EMAIL)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15))
def test_decimals_reach_the_wire_digit_by_digit(value: Decimal) -> None:
    raw = wire.dumps({"v": value})
    assert b"e" not in raw.lower()
    assert json.loads(raw, parse_float=Decimal, parse_int=Decimal)["v"] == value


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_any_text_becomes_json_that_utf8_can_carry(text: str) -> None:
    back = json.loads(wire.dumps([text]))[0]
    back.encode("utf-8")
    assert len(back) == len(text) or "\ufffd" in back


@pytest.mark.parametrize("wrong", [1.5, object(), {"a": 0.1}])
def test_binary_floats_never_reach_the_wire(wrong: object) -> None:
    with pytest.raises(TypeError):
        wire.dumps([wrong])


def test_what_was_divided_for_is_sent_with_six_decimals(
    receipt_of: Callable[..., Receipt], line_of: Callable[..., Line]
) -> None:
    third = Decimal(1) / 3
    line = line_of("10.00", str(third), tax_amount=third, tax_percent=third)
    payload = Mapping(MapSettings()).map_receipt(receipt_of(line), EMAIL)
    (item,) = payload.fields["items"]
    assert [item[name] for name in ("packQuantity", "taxAmount", "taxPercent")] == [Decimal("0.333333")] * 3
    tiny = Mapping(MapSettings()).map_receipt(receipt_of(line_of("10.00", "1e-30")), EMAIL)
    assert len(wire.dumps(tiny.fields)) < 1000
    assert format_errors(wire.loads(wire.dumps(payload.fields))) == []
