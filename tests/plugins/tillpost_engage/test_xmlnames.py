"""Elements written as text are what an XML library would have written, whatever is in them."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tests.support.engage_files import said
from tillpost_engage.xmlnames import Cleaner, NoPlaceError, element

ODD = st.sampled_from("&<>\"'\r\n\t\x00\x0b\x7f\x85\u2028\ud800\ufffe\U0001f600å]")
ANY = st.text(st.characters() | ODD, max_size=12)
SCALAR = ANY | st.integers() | st.booleans() | st.decimals(allow_nan=False, allow_infinity=False, places=3)


@given(ANY.filter(str.strip), ANY, SCALAR, st.lists(SCALAR, max_size=3))
def test_what_is_written_reads_back_and_is_written_so_again(name: str, text: str, plain: Any, more: list[Any]) -> None:
    fields = {
        "a": text,
        "below": {"b.c-d": plain} if more else {},
        "items": [{"sku": value} for value in more],
        "extraData": [{"name": name, "value": value} for value in more],
    }
    written = element("t", "urn:x?a=1&b", fields, Cleaner()).encode()
    root = etree.fromstring(written)
    assert etree.tostring(root, encoding="utf-8") == re.sub(rb"<([\w.-]+)([^<>]*)></\1>", rb"<\1\2/>", written)
    inner = {etree.QName(child).localname: child for child in root}
    assert inner["a"].text == (said(text) or None)
    assert [child.text for child in inner["below"]] == ([said(plain) or None] if more else [])
    assert [child[0].text for child in inner["items"]] == [said(value) or None for value in more]
    assert [(child.get("name"), child.text) for child in inner["extraData"]] == [
        (said(name), said(value) or None) for value in more
    ]


@given(st.lists(ANY, max_size=4))
def test_what_xml_forbids_is_counted_once_a_character(texts: list[str]) -> None:
    cleaner = Cleaner()
    element("t", "urn:x", {f"a{number}": text for number, text in enumerate(texts)}, cleaner)
    assert cleaner.replaced == sum(a != b for text in texts for a, b in zip(text, said(text), strict=True))


@pytest.mark.parametrize("fields", [{"a b": "x"}, {"": "x"}, {"a": 1.5}, {"a": None}, {"colours": [{"a": "x"}]}])
def test_what_a_file_cannot_hold_is_named_without_its_value(fields: dict[str, Any]) -> None:
    with pytest.raises(NoPlaceError) as caught:
        element("t", "urn:x", fields, Cleaner())
    assert "x" not in str(caught.value).replace("text", "")
