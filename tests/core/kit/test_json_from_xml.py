"""JSON that was made of XML: texts for everything, one object for a list of one, "" for nothing."""

from typing import Any

import pytest

from tillpost import InvalidValue
from tillpost.kit import XmlJsonObject


def read(**members: Any) -> XmlJsonObject:
    return XmlJsonObject(members, "line 1")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("True", True), ("1", True), (True, True), ("false", False), ("", False), (None, False)],
)
def test_g6_a_boolean_may_be_a_text(value: Any, expected: bool) -> None:
    assert read(voided=value).boolean("voided") is expected


@pytest.mark.parametrize("value", ["yes", 1, [], {}])
def test_what_is_no_truth_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValue, match=r"line 1\.voided: must be true or false"):
        read(voided=value).boolean("voided")


@pytest.mark.parametrize(
    ("value", "count"), [({"a": "1"}, 1), ([{"a": "1"}], 1), ([{"a": "1"}, {}], 2), ("", 0), (" ", 0), (None, 0)]
)
def test_g6_a_list_of_one_may_stand_without_its_list(value: Any, count: int) -> None:
    found = read(Lines={"Line": value}).within("Lines", "Line")
    assert len(found) == count
    assert all(type(item) is XmlJsonObject for item in found)


@pytest.mark.parametrize("wrapper", ["", None, {}])
def test_an_empty_element_holds_no_list(wrapper: Any) -> None:
    assert read(Lines=wrapper).within("Lines", "Line") == []
    assert read().within("Lines", "Line") == []


def test_an_empty_element_is_no_object_and_a_text_is_a_fault() -> None:
    assert read(Customer="").object("Customer") is None
    assert read(Customer="").object_or_empty("Customer").values == {}
    for read_it in ("object", "objects"):
        with pytest.raises(InvalidValue, match=r"line 1\.Customer: must be an object or a list, and is text"):
            getattr(read(Customer="x"), read_it)("Customer")
    for value in (0, False, 7):
        with pytest.raises(InvalidValue, match=r"line 1\.Customer: must be an object"):
            read(Customer=value).object("Customer")


def test_what_is_inside_is_read_alike() -> None:
    inner = read(Customer={"Contact": {"Emails": "", "archived": "false"}}).object_or_empty("Customer")
    contact = inner.object_or_empty("Contact")
    assert contact.within("Emails", "ContactEmail") == []
    assert contact.boolean("archived") is False
