"""The JSON form: canonical, strict, described by the schema that ships."""

import json
from collections.abc import Callable
from decimal import Decimal
from importlib.resources import files
from typing import Any

import attrs
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tillpost import InvalidValue
from tillpost.kit import parse_json
from tillpost.model import Customer, Identifier, RawRef, Receipt, receipt_id
from tillpost.model.receipt_json import content_digest, difference, dumps, from_json, loads, to_json

SCHEMA = json.loads(files("tillpost.model").joinpath("receipt.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
Change = Callable[[dict[str, Any]], object]


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_reads_back_to_the_same_and_satisfies_the_schema(
    any_receipt: st.SearchStrategy[Receipt], data: st.DataObject
) -> None:
    receipt = data.draw(any_receipt)
    written = dumps(receipt)
    assert loads(written) == receipt
    assert dumps(loads(written)) == written
    VALIDATOR.validate(json.loads(written))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_bytes_do_not_depend_on_how_a_decimal_was_written(simple_receipt: Receipt) -> None:
    other = attrs.evolve(simple_receipt, total=Decimal("1.45E+1"))
    assert dumps(other) == dumps(simple_receipt)
    assert to_json(simple_receipt)["total"] == "14.50"
    assert to_json(simple_receipt)["lines"][1] | {"extra": {}} == {
        "kind": "return",
        "sku": "B",
        "quantity": "-1",
        "paid": "-5.50",
        "tax_amount": "0.00",
        "tax_percent": "0",
        "article_number": "",
        "article_name": "",
        "article_group": "",
        "discounts": [],
        "extra": {},
    }


WRONG: list[tuple[Change, str]] = [
    (lambda form: form.update(totl="1"), r"unknown key 'totl'; did you mean 'total'\?"),
    (lambda form: form.pop("store"), "key 'store' is missing"),
    (lambda form: form.update(total=None), "here.total: must be a decimal"),
    (lambda form: form.update(total=True), "here.total: must be a decimal"),
    (lambda form: form.update(total="NaN"), "here.total: out of bounds"),
    (lambda form: form.update(total="1e999999"), "here.total: out of bounds"),
    (lambda form: form["lines"][0].update(quantity="1e-999999999"), r"here.lines\[0\].quantity: .*digits behind"),
    (lambda form: form.update(total="14.49"), r"lines sum to 14.50, the receipt's total is 14.49 \(difference 0.01\)"),
    (lambda form: form["tenders"][0].update(amount="21"), "tenders sum to 15.50"),
    (lambda form: form["lines"][0].update(kind="gift"), r"here.lines\[0\].kind: must be one of purchase"),
    (lambda form: form["lines"][1].update(paid="5.50"), r"here.lines\[1\], line B: a return of"),
    (lambda form: form.update(lines={}), "here.lines: must be a list"),
    (lambda form: form.update(created="2026-01-31T12:00:00"), "here.created: the time has no offset"),
    (lambda form: form.update(created="noon"), "here.created: not an ISO 8601 time"),
    (lambda form: form.update(business_date="31/1"), "here.business_date: not a date"),
    (lambda form: form.update(store=7), "here.store: must be text"),
    (lambda form: form.update(store="\ud800"), "here.store: text has a lone surrogate"),
    (lambda form: form.update(currency="kr"), "ISO 4217"),
    (lambda form: form["customer"]["identifiers"][0].update(kind="phone"), "unknown identifier kind 'phone'"),
    (lambda form: form.update(raw=[]), "here.raw: must be an object"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_is_wrong_is_named_with_its_path(simple_receipt: Receipt, change: Change, message: str) -> None:
    form = to_json(simple_receipt)
    change(form)
    with pytest.raises(InvalidValue, match=message) as raised:
        from_json(form, place="here")
    assert "secret.person" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "a": 2}', "key 'a' occurs twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1.5e400}', "out of bounds"),
        (b"[" * 100_000, "nested too deep"),
        (b"1" * 5000, "too many digits"),
        (b'{"a": "\xe5"}', "byte 8"),
        (b'{"a"', "at character 5"),
    ],
)
def test_json_is_read_strictly(text: bytes, message: str) -> None:
    """What json.loads alone takes: duplicate keys, NaN, 1e400; and its RecursionError on depth."""
    with pytest.raises(InvalidValue, match=message):
        parse_json(text, place="line 3")


def test_id_and_raw_may_be_left_out_when_somebody_gives_them(simple_receipt: Receipt) -> None:
    form = to_json(simple_receipt)
    del form["id"], form["raw"]
    made = from_json(form, place="line 1", make_id=receipt_id, raw=RawRef(sha256="f", document="d"))
    assert made.id == "1_2_2026-01-31_7"
    assert made.raw.sha256 == "f"
    with pytest.raises(InvalidValue, match="is missing"):
        from_json(form, place="line 1")


def test_text_that_is_no_unicode_is_not_written(simple_receipt: Receipt) -> None:
    """A lone surrogate: Python text may hold half a pair, documents and the journal may not."""
    with pytest.raises(InvalidValue, match="surrogate"):
        dumps(attrs.evolve(simple_receipt, till="\udc00"))


def test_the_digest_is_of_the_sale_and_not_of_the_file(simple_receipt: Receipt) -> None:
    elsewhere = attrs.evolve(simple_receipt, raw=RawRef(sha256="1" * 64, document="other"))
    assert content_digest(elsewhere) == content_digest(simple_receipt)
    assert content_digest(attrs.evolve(simple_receipt, flags=("clock-off",))) == content_digest(simple_receipt)
    assert content_digest(attrs.evolve(simple_receipt, till="3")) != content_digest(simple_receipt)


def test_a_difference_names_paths_and_values_and_masks_the_customer(simple_receipt: Receipt) -> None:
    line, back = simple_receipt.lines
    other = attrs.evolve(
        simple_receipt,
        total=Decimal("20.00"),
        lines=(attrs.evolve(line, article_name="Mug"),),
        tenders=(attrs.evolve(simple_receipt.tenders[0], amount=Decimal(20)),),
        customer=Customer(identifiers=(Identifier("email", "another@example.com"),)),
        raw=RawRef(sha256="2", document="other"),
    )
    found = difference(dumps(simple_receipt), dumps(other))
    assert "total: 14.50 → 20.00" in found
    assert "lines[0].article_name:  → Mug" in found
    assert any(path.startswith("lines[1]: {") and path.endswith("→ absent") for path in found)
    assert "customer: differs (customer values are not shown)" in found
    assert not any("example.com" in path or path.startswith("raw") for path in found)
    assert back.paid < 0
    assert difference(dumps(simple_receipt), dumps(simple_receipt)) == []
