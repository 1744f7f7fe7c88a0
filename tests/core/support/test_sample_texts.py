"""Samples: what is not replaced stays byte for byte, pseudonyms have shapes, and time grows with the size."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.proportion import is_in_proportion
from tillpost.support.sample.csv_text import rewrite_csv
from tillpost.support.sample.json_text import Path as Place
from tillpost.support.sample.json_text import rewrite_json
from tillpost.support.sample.make import Form, rewrite_document
from tillpost.support.sample.person_words import is_person
from tillpost.support.sample.shapes import Shapes
from tillpost.support.sample.xml_text import rewrite_xml

ADAPTERS = (
    "digital_receipt",
    "dsfinvk",
    "lightspeed",
    "poslog",
    "receipts",
    "saft_cash",
    "shopify",
    "square",
    "zettle",
)
FILES = [
    path
    for adapter in (*ADAPTERS, "table")
    for path in sorted(
        (Path(importlib.import_module(f"tillpost_{adapter}").__file__ or "").parent / "samples").rglob("*")
    )
    if path.is_file() and path.suffix != ".toml"
]
PIECES = [
    '"',
    "'",
    "<",
    ">",
    "/>",
    "</a>",
    "<a b='c'>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?x",
    "?>",
    "&amp;",
    "&#65;",
    "{",
]
PIECES += [
    "}",
    "[",
    "]",
    ":",
    ",",
    ";",
    "\n",
    "\r\n",
    "\\",
    "é",
    "\udc80",
    "1",
    "Anna",
    " ",
    "=",
    "<!DOCTYPE a [",
    "null",
]


def same(_: Place, value: str) -> str:
    return value


def as_csv(text: str, rewrite: Callable[[Place, str], str]) -> str:
    return rewrite_csv(text, rewrite, ("Anna",))


@pytest.mark.parametrize("rewrite", [rewrite_json, rewrite_xml, as_csv])
@given(text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text())
def test_any_text_stays_as_it_is_where_nothing_is_replaced(
    rewrite: Callable[[str, Callable[[Place, str], str]], str], text: str
) -> None:
    assert rewrite(text, same) == text


@pytest.mark.parametrize("rewrite", [rewrite_json, rewrite_xml, as_csv])
@given(text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text_can_be_rewritten(rewrite: Callable[[str, Callable[[Place, str], str]], str], text: str) -> None:
    rewrite(text, lambda _, value: "".join("x" if each.isalnum() else each for each in value))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.parent.name}-{path.name}")
def test_a_file_stays_as_it_is_where_nothing_is_replaced(path: Path) -> None:
    content = path.read_bytes()
    assert rewrite_document(content, same, (), Form()) == content


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("Anna Berg-Öye", r"[A-Z][a-z]{3} [A-Z][a-z]{3}-\w[a-z]{2}"),
        ("C-001042", r"[A-Z]-00[1-9]\d{3}"),
        ("+46 70 174 06 12", r"\+46 \d\d \d{3} \d\d \d\d|\+\d\d \d\d \d{3} \d\d \d\d"),
        ("0701740612", r"07\d{8}"),
        ("Anna.Berg@shop.se", r"[A-Z][a-z]{3}\.[A-Z][a-z]{3}@example\.com"),
        ("6fa459ea-ee8a-3ca4-894e-db77e160355e", r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        ("1985-03-12T10:00:00+01:00", r"19\d\d-\d\d-\d\dT10:00:00\+01:00"),
        ("Αθήνα", r"[\u0370-\u03ff]{5}"),
        ("李雷", r"[\u4e00-\u9fff]{2}"),
    ],
)
def test_a_pseudonym_has_the_shape_of_its_value(value: str, shape: str) -> None:
    shapes = Shapes()
    made = shapes.of(value)
    assert re.fullmatch(shape, made), made
    assert made != value
    assert shapes.of(f"  {value}\n") == f"  {made}\n"


@given(st.lists(st.integers(10**9, 10**12).map(str), min_size=2, max_size=50, unique=True))
def test_different_numbers_stay_different_and_begin_with_no_zero(values: list[str]) -> None:
    shapes = Shapes()
    made = [shapes.of(value) for value in values]
    assert len(set(made)) == len(values)
    assert [len(each) for each in made] == [len(value) for value in values]
    assert all(int(each) > 0 for each in made)


def test_national_ids_and_card_numbers_keep_their_check_digit() -> None:
    def is_right(digits: str) -> bool:
        doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
        return sum(value // 10 + value % 10 for value in doubled) % 10 == 0

    shapes = Shapes()
    card = "4539578763621486"
    assert is_right(card)
    assert is_right(shapes.of(card))
    assert is_right("8112189876")
    national = shapes.of("19811218-9876")
    assert re.fullmatch(r"19[5-9]\d(0[1-9]|1[0-2])[0-3]\d-\d{4}", national)
    assert is_right(national.replace("-", "")[2:])


@pytest.mark.parametrize(
    ("path", "persons"),
    [
        (("order", "customer", "id"), True),
        (("POSLog", "CustomerOrderTransaction", "LineItem", "Quantity"), False),
        (("KUNDE_PLZ",), True),
        (("Förnamn",), True),
        (("shippingAddress", "zip"), True),
        (("acs:OperatorID",), True),
        (("PhoneNumber",), True),
        (("last_4",), True),
        (("Quantity",), False),
        (("product", "name"), False),
        ((), False),
    ],
)
def test_a_place_is_a_persons_by_its_name(path: Place, persons: bool) -> None:
    assert is_person(path) == persons


@pytest.mark.parametrize(
    ("rewrite", "piece"),
    [
        (rewrite_json, '{"a": "b\\"'),
        (rewrite_json, '"'),
        (rewrite_xml, "<a b='"),
        (rewrite_xml, "<!-- a"),
        (rewrite_xml, "<!DOCTYPE a ["),
        (rewrite_xml, "<a>b<!-- -->"),
        (as_csv, '"a,'),
        (as_csv, '"'),
        (as_csv, "a,b\n"),
    ],
)
def test_time_grows_with_the_size_of_a_broken_text(
    rewrite: Callable[[str, Callable[[Place, str], str]], str], piece: str
) -> None:
    assert is_in_proportion(lambda count: rewrite(piece * count, same), 3_000)
