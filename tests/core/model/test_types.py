"""A value of the model with a field of the wrong type: taken where it has one meaning, else refused with the remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import attrs
import pytest
from lxml import etree

from tillpost import model
from tillpost.errors import InvalidValue
from tillpost.kit import read_record
from tillpost.model import LineKind
from tillpost.model.receipt_json import dumps, loads
from tillpost.model.typed import Typed

# As a plugin without a type checker sees them.
Broken: Any = model.Broken
Contact: Any = model.Contact
Customer: Any = model.Customer
Discount: Any = model.Discount
Document: Any = model.Document
FallbackFile: Any = model.FallbackFile
Found: Any = model.Found
History: Any = model.History
Identified: Any = model.Identified
Identifier: Any = model.Identifier
Line: Any = model.Line
NoReceipt: Any = model.NoReceipt
NotSent: Any = model.NotSent
Payload: Any = model.Payload
Promotion: Any = model.Promotion
RawRef: Any = model.RawRef
Receipt: Any = model.Receipt
Tax: Any = model.Tax
Tender: Any = model.Tender

MIDNIGHT = datetime(2026, 1, 31, tzinfo=UTC)
RAW = RawRef(sha256="0" * 64, document="day.json")
LINE: dict[str, Any] = {"kind": LineKind.PURCHASE, "sku": "A-1", "quantity": Decimal(1), "paid": Decimal("50.00")}
TENDER: dict[str, Any] = {"type": "card", "amount": Decimal("50.00")}
RECEIPT: dict[str, Any] = {
    "id": "12_1_2026-01-31_7",
    "number": "7",
    "created": MIDNIGHT,
    "business_date": date(2026, 1, 31),
    "store": "12",
    "till": "1",
    "currency": "SEK",
    "total": Decimal("50.00"),
    "lines": (Line(**LINE),),
    "tenders": (Tender(**TENDER),),
    "raw": RAW,
}
GIVEN: dict[type, dict[str, Any]] = {
    Line: LINE,
    Tender: TENDER,
    Receipt: RECEIPT,
    Discount: {"type": "campaign", "value": Decimal(-5)},
    Tax: {
        "description": "VAT",
        "percent": Decimal(25),
        "amount": Decimal(10),
        "including_tax": Decimal(50),
        "excluding_tax": Decimal(40),
    },
    Identifier: {"kind": "email", "value": "a@example.com"},
    Document: {"name": "day.json", "sha256": "0" * 64, "content": b"{}"},
    FallbackFile: {
        "name": "a.xml",
        "kind": "contacts",
        "sha256": "0" * 64,
        "size": 1,
        "keys": ("a",),
        "path": Path("a.xml"),
    },
}
"""What is needed to create one of each kind that has laws."""
FREE: dict[str, Any] = {
    "str": "a", "bytes": b"a", "bool": False, "int": 1, "datetime": MIDNIGHT, "Path": Path("a"),
    "Receipt": Receipt(**RECEIPT),
    "Identifier": Identifier("email", "a@example.com"), "frozenset[str]": frozenset(), "Mapping[str, str]": {},
    "Mapping[str, Any]": {}, "str | None": None,
}  # fmt: skip
KINDS: list[Any] = [
    kind for kind in map(model.__dict__.get, model.__all__) if isinstance(kind, type) and issubclass(kind, Typed)
]


def given(kind: Any) -> dict[str, Any]:
    """Arguments with which one can be created."""
    return GIVEN.get(kind) or {
        field.name: () if str(field.type).startswith("tuple") else FREE[str(field.type)]
        for field in attrs.fields(kind)
        if field.init and field.default is attrs.NOTHING
    }


def refused(create: Callable[[], object]) -> str:
    """What the refusal says."""
    with pytest.raises(InvalidValue) as caught:
        create()
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_of_every_value_refuses_what_is_of_no_type_by_its_name(kind: Any) -> None:
    assert kind(**given(kind)) is not None
    for field in attrs.fields(kind):
        if field.init:
            arguments = {**given(kind), field.name: object()}
            said = refused(partial(kind, **arguments))
            assert f"{field.name} is an object; " in said


def test_every_value_of_the_model_is_checked() -> None:
    unchecked = {name for name in model.__all__ if attrs.has(getattr(model, name))} - {kind.__name__ for kind in KINDS}
    assert unchecked == {"IdentifierRules"}, "which the core makes of settings"


# --- amounts -------------------------------------------------------------------------------------------------------


def test_m2_a_float_names_its_remedy() -> None:
    said = refused(lambda: Line(**LINE | {"paid": 49.9}))
    assert said == (
        "line A-1: paid is a float; money is Decimal: parse_decimal of tillpost.kit reads the till's text, parse_json"
        " numbers of JSON as Decimal"
    )
    assert "49" not in said


@pytest.mark.parametrize(
    ("create", "said"),
    [
        (lambda: Line(**LINE | {"paid": "49.90"}), "line A-1: paid is a str; money is Decimal: parse_decimal"),
        (
            lambda: Line(**LINE | {"paid": 4990}),
            "line A-1: paid is an int; money is Decimal: Decimal(5) is 5.00; minor",
        ),
        (lambda: Line(**LINE | {"paid": True}), "line A-1: paid is a bool; money is Decimal"),
        (lambda: Line(**LINE | {"paid": None}), "line A-1: paid is None; money is Decimal: Decimal(0) where there is"),
        (lambda: Line(**LINE | {"quantity": 1.0}), "line A-1: quantity is a float; a quantity is Decimal"),
        (lambda: Line(**LINE | {"tax_percent": "25"}), "line A-1: tax_percent is a str; a percentage is Decimal"),
        (lambda: Tender(**TENDER | {"amount": 50.0}), "tender card: amount is a float; money is Decimal"),
        (lambda: Receipt(**RECEIPT | {"total": 50.0}), "receipt 7 of store 12: total is a float; money is Decimal"),
        (lambda: Discount(type="bulk", value=-5.0), "discount bulk: value is a float; money is Decimal"),
        (lambda: Tax(**GIVEN[Tax] | {"amount": 10.0}), "tax VAT: amount is a float; money is Decimal"),
    ],
)
def test_m2_any_amount_that_is_no_decimal_is_refused(create: Callable[[], object], said: str) -> None:
    assert said in refused(create)


def test_a_whole_number_is_taken_where_it_can_mean_one_thing_only() -> None:
    line = Line(**LINE | {"quantity": 1, "tax_percent": 25, "tax_amount": 0})
    assert line == Line(**LINE | {"tax_percent": Decimal(25)})
    assert all(type(each) is Decimal for each in (line.quantity, line.tax_percent, line.tax_amount))
    nothing = Receipt(**RECEIPT | {"lines": (), "tenders": (), "total": sum(())})
    assert nothing.total == Decimal(0)
    assert loads(dumps(nothing)) == nothing


# --- names ---------------------------------------------------------------------------------------------------------


def test_m3_a_misspelt_field_names_the_nearest() -> None:
    document = Document.from_bytes("day.json", b"{}")

    def read(source: Any) -> Any:
        return Receipt(**RECEIPT | {"raw": source, "bussiness_date": date(2026, 1, 31)})

    record = read_record(read, document, "line 3", b"{}")
    assert isinstance(record, Broken)
    place = f"{__file__}:{read.__code__.co_firstlineno + 1}"
    assert record.reason == f"line 3: Receipt: no field 'bussiness_date'; did you mean 'business_date'? ({place})"


@pytest.mark.parametrize(
    ("create", "said"),
    [
        (lambda: Line(**LINE | {"articel": "x"}), "Line: no field 'articel'; did you mean 'article_name'?"),
        (
            lambda: Tender(**TENDER | {"zzz": 1}),
            "Tender: no field 'zzz'; its fields are type, amount, description, extra",
        ),
        (lambda: attrs.evolve(Line(**LINE), payed=Decimal(1)), "Line: no field 'payed'; did you mean 'paid'?"),
        (lambda: Tender(type="card"), "Tender: a field is missing, or was given without its name; needed are type, am"),
        (lambda: Tender("card", Decimal(1)), "Tender: a field is missing, or was given without its name"),
    ],
)
def test_m3_wrong_arguments_of_any_value_break_the_record_alone(create: Callable[[], Any], said: str) -> None:
    record = read_record(lambda source: create(), Document.from_bytes("day.json", b"{}"), "line 3", b"{}")
    assert isinstance(record, Broken)
    assert said in record.reason


def test_a_type_error_of_the_plugin_itself_stays_one() -> None:
    with pytest.raises(TypeError, match="has no len"):
        read_record(lambda source: len(7), Document.from_bytes("day.json", b"{}"), "line 3", b"{}")  # type: ignore[arg-type, return-value]


# --- times ---------------------------------------------------------------------------------------------------------


def test_m9_a_datetime_is_no_business_date() -> None:
    assert refused(lambda: Receipt(**RECEIPT | {"business_date": MIDNIGHT})) == (
        "receipt 7 of store 12: business_date is a datetime; it must be a date without a time: the till's trading day,"
        " else the .date() of `created`"
    )


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("business_date", "2026-01-31", "business_date is a str; it must be a date without a time: parse_date of"),
        ("created", "2026-01-31T12:00:00+01:00", "created is a str; it must be a datetime with its offset: parse_time"),
        ("created", date(2026, 1, 31), "created is a date; it must be a datetime with its offset"),
        ("created", 1769857200, "created is an int; it must be a datetime with its offset: local_time"),
        ("created", 1769857200.5, "created is a float; it must be a datetime with its offset: local_time"),
    ],
)
def test_m9_a_time_of_another_type_names_what_reads_it(field: str, value: object, said: str) -> None:
    assert said in refused(lambda: Receipt(**RECEIPT | {field: value}))


# --- kinds and texts -----------------------------------------------------------------------------------------------


def test_m10_the_text_of_a_kind_is_taken() -> None:
    assert Line(**LINE | {"kind": "purchase"}).kind is LineKind.PURCHASE


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("purchas", "kind is 'purchas'; did you mean 'purchase'?"),
        ("RETURN", "kind is 'RETURN'; did you mean 'return'?"),
        ("x" * 100, f"kind is '{'x' * 40}'; known are purchase, return, adjustment"),
        (1, "kind is an int; it must be one of purchase, return, adjustment"),
        (None, "kind is None; it must be one of purchase, return, adjustment"),
    ],
)
def test_m10_another_text_names_the_nearest_kind(kind: object, said: str) -> None:
    assert said in refused(lambda: Line(**LINE | {"kind": kind}))


@pytest.mark.parametrize(
    ("create", "said"),
    [
        (lambda: Receipt(**RECEIPT | {"number": 7}), "number is an int; it must be text: read it as text"),
        (lambda: Receipt(**RECEIPT | {"store": 12.0}), "store is a float; it must be text"),
        (
            lambda: Line(**LINE | {"article_name": None}),
            'article_name is None; it must be text: "" where there is none',
        ),
        (lambda: Line(**LINE | {"sku": b"A-1"}), "sku is a bytes; it must be text: decode it"),
        (lambda: Identifier("memberNumber", 1234567890), "value is an int; it must be text"),
        (lambda: Contact(key="a", contact_id=None), "contact_id is None; it must be text"),
        (lambda: NoReceipt(reason=None, place="line 1", retail=True), "reason is None; it must be text"),
        (lambda: NoReceipt(reason="void", place="1", retail=1), "retail is an int; it must be True or False"),
        (lambda: FallbackFile(**GIVEN[FallbackFile] | {"name": 5}), "name is an int; it must be text"),
    ],
)
def test_a_text_of_another_type_is_refused(create: Callable[[], object], said: str) -> None:
    found = refused(create)
    assert said in found
    assert "1234567890" not in found


def test_a_text_of_lxml_or_of_a_kind_becomes_a_plain_one() -> None:
    smart = etree.fromstring("<a><b>A-1</b></a>").xpath("b/text()")[0]
    assert type(smart) is not str
    assert type(Line(**LINE | {"sku": smart}).sku) is str

    class Pay(StrEnum):
        CARD = "card"

    assert type(Tender(**TENDER | {"type": Pay.CARD}).type) is str
    assert Customer(attributes={Pay.CARD: smart}).attributes == {"card": "A-1"}


def test_a_time_of_a_library_keeps_its_value() -> None:
    class Moment(datetime):
        pass

    at = Moment(2026, 1, 31, 12, 0, tzinfo=timezone(timedelta(hours=1)))
    made = Receipt(**RECEIPT | {"created": at})
    assert made.created == at
    assert loads(dumps(made)) == made


# --- lists and mappings --------------------------------------------------------------------------------------------


GIVEN_DISCOUNT = Discount(type="campaign", value=Decimal(-5))


def test_m14_lists_are_taken_for_tuples() -> None:
    made = Receipt(**{key: list(value) if isinstance(value, tuple) else value for key, value in RECEIPT.items()})
    assert made == Receipt(**RECEIPT)
    assert isinstance(hash(made), int)
    assert Line(**LINE | {"discounts": [GIVEN_DISCOUNT]}).discounts == (GIVEN_DISCOUNT,)
    one = Customer(identifiers=[Identifier("email", "a@example.com")])
    assert isinstance(one.identifiers, tuple)
    assert Found(receipt=made, raw=b"", former_ids=["a"]).former_ids == ("a",)
    assert History(shown={"a"}, unread=["b"]).unread == frozenset("b")


@pytest.mark.parametrize(
    ("create", "said"),
    [
        (
            lambda: Receipt(**RECEIPT | {"vouchers": "ABC"}),
            "vouchers is a str; it must be a tuple: one text is (text,)",
        ),
        (lambda: Receipt(**RECEIPT | {"flags": {"a"}}), "flags is a set; it must be a tuple: a set has no order"),
        (lambda: Receipt(**RECEIPT | {"lines": None}), "lines is None; it must be a tuple: () where there is none"),
        (lambda: Receipt(**RECEIPT | {"lines": iter(())}), "lines is a tuple_iterator; it must be a tuple"),
        (lambda: Receipt(**RECEIPT | {"lines": [Line(**LINE), LINE]}), "lines[1] is a dict; it must be a Line"),
        (lambda: Receipt(**RECEIPT | {"tenders": (None,)}), "tenders[0] is None; it must be a Tender"),
        (lambda: Receipt(**RECEIPT | {"promotions": ["A"]}), "promotions[0] is a str; it must be a Promotion"),
        (lambda: Receipt(**RECEIPT | {"vouchers": [7]}), "vouchers[0] is an int; it must be text"),
        (lambda: Receipt(**RECEIPT | {"customer": {}}), "customer is a dict; it must be a Customer"),
        (lambda: Receipt(**RECEIPT | {"raw": "day.json"}), "raw is a str; it must be a RawRef"),
        (lambda: Customer(identifiers=("a",)), "identifiers[0] is a str; it must be an Identifier"),
        (lambda: Promotion(promotion_id=5), "promotion_id is an int; it must be text"),
    ],
)
def test_m14_what_is_no_list_of_the_right_values_is_refused(create: Callable[[], object], said: str) -> None:
    assert said in refused(create)


def test_m13_extra_is_text_to_text() -> None:
    assert refused(lambda: Receipt(**RECEIPT | {"extra": {"a": 1}})) == (
        "receipt 7 of store 12: extra['a'] is an int; values are text: str() of it, or the text the till wrote"
    )


@pytest.mark.parametrize(
    ("create", "said"),
    [
        (lambda: Line(**LINE | {"extra": {1: "a"}}), "extra has a key that is an int; keys are text"),
        (lambda: Line(**LINE | {"extra": {"note": None}}), "extra['note'] is None; values are text: no entry"),
        (lambda: Line(**LINE | {"extra": [("a", "b")]}), "extra is a list; it must be a mapping of names to texts"),
        (lambda: Tender(**TENDER | {"extra": None}), "extra is None; it must be a mapping of names to texts: {} where"),
        (lambda: Customer(attributes={"points": 0}), "attributes['points'] is an int; values are text"),
        (lambda: Customer(attributes=["a"]), "attributes is a list; it must be a mapping"),
        (lambda: Contact(key="a", attributes={"points": 5}), "attributes['points'] is an int"),
        (lambda: Identified(contact_id="a", holds={"a": 1}), "Identified: holds['a'] is an int"),
        (lambda: Payload(receipt_id="a", match=FREE["Identifier"], fields=[]), "Payload: fields is a list"),
    ],
)
def test_m13_a_mapping_of_other_values_is_refused(create: Callable[[], object], said: str) -> None:
    assert said in refused(create)


def test_an_attribute_without_a_value_is_none() -> None:
    assert Customer(attributes={"firstName": None, "city": ""}).attributes == {}


# --- documents, records and outcomes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("create", "said"),
    [
        (lambda: Found(receipt=FREE["Receipt"], raw="{}"), "Found: raw is a str; it must be bytes: encode it"),
        (lambda: Broken(reason="a", place="line 1", raw="{}"), "Broken: raw is a str; it must be bytes: encode it"),
        (lambda: Found(receipt={}, raw=b""), "Found: receipt is a dict; it must be a Receipt"),
        (
            lambda: Document.from_bytes("day.json", "{}"),
            "document day.json: content is a str; it must be bytes: encode it",
        ),
        (lambda: Document(name="day.json", sha256="0" * 64), "document day.json: exactly one of path and content"),
        (lambda: Document(name=Path("a"), sha256="", content=b""), "name is a PosixPath; it must be text"),
        (
            lambda: NotSent(reason="busy", retry_after=timedelta(minutes=1)),
            "NotSent: retry_after is a timedelta; it mus",
        ),
        (lambda: NotSent(reason="busy", retry_after="60"), "retry_after is a str; it must be a number of seconds"),
        (lambda: NotSent(reason=OSError("no"), status=503), "reason is an OSError; it must be text"),
        (lambda: NotSent(reason="busy", status="503"), "status is a str; it must be an int"),
    ],
)
def test_m13_what_is_handed_over_is_refused_where_it_is_made(create: Callable[[], object], said: str) -> None:
    assert said in refused(create)


def test_numbers_and_bytes_of_other_libraries_are_taken() -> None:
    answer = NotSent(reason="busy", status=HTTPStatus.SERVICE_UNAVAILABLE, retry_after=60)
    assert (type(answer.status), type(answer.retry_after)) == (int, float)
    assert Broken(reason="a", place="line 1", raw=bytearray(b"a")).raw == b"a"
    assert Found(receipt=FREE["Receipt"], raw=memoryview(b"a")).raw == b"a"


def test_a_path_may_be_text(tmp_path: Path) -> None:
    file = tmp_path / "day.json"
    file.write_bytes(b"{}")
    assert Document.from_path(str(file)).path == file


def test_a_value_is_in_no_message(simple_receipt: Any) -> None:
    """A wrong type may hold a person: its value is not shown."""
    for field in attrs.fields(Receipt):
        if field.init:
            for value in ({"firstName": "Astrid"}, ["Astrid"], b"Astrid", {"Astrid"}):
                try:
                    attrs.evolve(simple_receipt, **{field.name: value})
                except InvalidValue as error:
                    assert "Astrid" not in str(error)  # noqa: PT017 - a mapping of texts is taken in one field


def test_what_the_codec_reads_has_its_types_already(simple_receipt: Any) -> None:
    again: Any = loads(dumps(simple_receipt))
    for value in (again, *again.lines, *again.tenders, *again.taxes, again.raw, again.customer):
        for field in attrs.fields(type(value)):
            assert type(getattr(value, field.name)) is type(getattr(attrs.evolve(value), field.name))
    assert json.loads(dumps(again)) == json.loads(dumps(simple_receipt))
