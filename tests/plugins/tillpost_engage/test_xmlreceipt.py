"""The quick way to write a receipt says what the slow way says, and the schema takes all of it."""

import copy
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tests.support.engage_files import said
from tillpost.model import Identifier
from tillpost_engage import payload
from tillpost_engage.schemas import receipts_schema
from tillpost_engage.settings import MapSettings
from tillpost_engage.xmlnames import RECEIPTS_NAMESPACE, Cleaner, element
from tillpost_engage.xmlreceipt import _KEYS, _KINDS, _TRANSACTION, NotPlainError, receipt_writer

SCHEMA = receipts_schema()
TEXT = st.text(st.sampled_from("ab&<>\"'\r\n\t \x00\x0b\x7f\x85\u2028\ud800\ufffe\U0001f600\xe5]"), max_size=6)
FILLED = TEXT.filter(str.strip)
DECIMAL = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "filled": FILLED,
    "kind": st.sampled_from(_KINDS),
    "key": st.sampled_from(_KEYS),
    "decimal": DECIMAL,
    "price": DECIMAL.map(abs),
    "quantity": st.sampled_from([-3, -1, 1, 2, 999]),
    "boolean": st.booleans(),
    "time": st.datetimes().map(lambda time: f"{time.replace(microsecond=0).isoformat()}+01:00"),
    "currency": st.sampled_from(["SEK", "EUR"]),
    "extra": st.lists(st.fixed_dictionaries({"name": FILLED, "value": TEXT}), min_size=1, max_size=2),
}
ODD_VALUES: list[Any] = [
    None, True, 0, 7, 10**30, 1.5, float("nan"), [], {}, {"a": "b"}, [{}], [{"name": "a"}],
    [{"name": " ", "value": ""}],
    "", " ", "\x0b", "\x85", "\xa0", "a\x0b&", "sek", "SEK ", "PURCHASE ", "1", Decimal("1E+30"), Decimal("-0.00"),
    Decimal("0E-9"), Decimal("-1"), Decimal(f"0.{'1' * 30}"), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"),
    "2026-02-30T10:00:00+01:00", "2026-03-01T10:00:00", "2026-03-01T10:00:00+23:00", "2026-03-01T24:00:00Z",
    "2026-03-01T10:00:00.1234567Z", "0000-01-01T00:00:00Z", "\uff12026-03-01T10:00:00Z", "2026-03-01T10:00:00Z\n",
]  # fmt: skip


@st.composite
def fields(draw: st.DrawFn, form: Mapping[str, Any] = _TRANSACTION) -> dict[str, Any]:
    """What the table allows."""
    drawn: dict[str, Any] = {}
    for name, below in form.items():
        if name.endswith("?") and draw(st.booleans()):
            continue
        if isinstance(below, str):
            drawn[name.removesuffix("?")] = draw(GOOD[below])
        elif isinstance(below, tuple):
            drawn[name.removesuffix("?")] = draw(st.lists(fields(below[1]), min_size=1, max_size=2))
        else:
            drawn[name.removesuffix("?")] = draw(fields(below))
    if not drawn:  # promotions and taxes need nothing, yet empty they are not plain
        name, below = next(iter(form.items()))
        drawn[name.removesuffix("?")] = draw(GOOD[below])
    return drawn


def places(value: Any) -> list[tuple[dict[str, Any], str]]:
    """Every field below a value, each with the mapping it is in."""
    if isinstance(value, list):
        return [place for item in value for place in places(item)]
    if not isinstance(value, dict):
        return []
    return [(value, name) for name in value] + [place for item in value.values() for place in places(item)]


@st.composite
def odd_fields(draw: st.DrawFn) -> dict[str, Any]:
    """The same with one place as it may have to be left to the schema."""
    drawn = draw(fields())
    within, name = draw(st.sampled_from(places(drawn)))
    match draw(st.integers(0, 9)):
        case 0:
            del within[name]
        case 1:
            within[draw(st.sampled_from(["colour", "a b", "value", "sku"]))] = draw(GOOD["text"])
        case 2:
            turned = dict(reversed(within.items()))
            within.clear()
            within.update(turned)
        case _:
            within[name] = draw(st.sampled_from(ODD_VALUES))
    return drawn


def by_name(content: Mapping[str, Any], cleaner: Cleaner) -> str:
    written = element("transaction", RECEIPTS_NAMESPACE, content, cleaner)
    return written.replace(f' xmlns="{RECEIPTS_NAMESPACE}"', "", 1)


def parsed(written: str) -> Any:
    return etree.fromstring(f'<transactions xmlns="{RECEIPTS_NAMESPACE}">{written}</transactions>'.encode())


@given(fields(), fields())
def test_what_the_contract_says_is_written_quickly_and_the_schema_takes_it(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    quick, slow = Cleaner(), Cleaner()
    write = receipt_writer(quick)
    for content in (first, second, first):
        written = write(content)
        assert written == by_name(content, slow)
        SCHEMA.assertValid(parsed(written))
        names = parsed(written).findall(".//{*}articleName")
        assert [name.text for name in names] == [said(item["articleName"]) for item in content["items"]]
    assert quick.replaced == slow.replaced


@given(odd_fields())
def test_what_is_written_quickly_is_written_so_by_names_and_the_schema_takes_it(content: dict[str, Any]) -> None:
    """Whatever the table is not sure of it leaves to the schema; nothing it takes would the schema refuse."""
    quick, slow = Cleaner(), Cleaner()
    before = copy.deepcopy(content)
    try:
        written = receipt_writer(quick)(content)
    except NotPlainError:
        assert quick.replaced == 0
        return
    assert repr(content) == repr(before)
    assert written == by_name(content, slow)
    assert quick.replaced == slow.replaced
    SCHEMA.assertValid(parsed(written))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("currency", "sek"), ("currency", "SEK "), ("createdDate", "2026-03-01T10:00:00"), ("createdDate", ""),
        ("createdDate", "2026-02-30T10:00:00+01:00"), ("uniqueReceiptId", " "), ("storeExternalId", ""), ("items", []),
        ("totalGrossPrice", "1"), ("totalGrossPrice", 1.5), ("totalGrossPrice", Decimal("NaN")), ("contact", {}),
        ("extraData", []), ("extraData", [{"name": "", "value": "x"}]), ("extraData", "x"), ("items", {"sku": "x"}),
        ("receiptNumber", 7), ("colour", "x"),
    ],
)  # fmt: skip
def test_what_the_table_does_not_say_is_left_to_the_schema(
    receipt_of: Callable[..., Any], line_of: Callable[..., Any], name: str, value: Any
) -> None:
    mapped = payload.Mapping(MapSettings()).map_receipt(receipt_of(line_of()), Identifier("email", "a@b.se"))
    write = receipt_writer(Cleaner())
    assert write(mapped.fields).startswith("<transaction><contact>")
    with pytest.raises(NotPlainError):
        write({**mapped.fields, name: value})


def test_what_xml_forbids_is_counted_each_time_it_comes() -> None:
    cleaner = Cleaner()
    write = receipt_writer(cleaner)
    with pytest.raises(NotPlainError):
        write({"contact": {"matchKey": "a\x0b", "matchKeyType": "email"}, "uniqueReceiptId": " "})
    assert cleaner.replaced == 0
    mapped: Any = {
        "contact": {"matchKey": "a\x0b", "matchKeyType": "email"},
        "uniqueReceiptId": "r",
        "createdDate": "2026-03-01T10:00:00+01:00",
        "storeExternalId": "1",
        "currency": "SEK",
        "totalGrossPrice": Decimal(0),
        "paymentMethods": [{"type": "none", "value": Decimal(0)}],
        "items": [
            {
                "type": "PURCHASE", "sku": "\ud800", "quantity": 1, "grossPaidPrice": Decimal(0),
                "taxAmount": Decimal(0), "taxPercent": Decimal(0), "articleNumber": "\ud800", "articleName": "\ufffe",
            }
        ],
    }  # fmt: skip
    for times in (1, 2, 3):
        write(mapped)
        assert cleaner.replaced == 4 * times
