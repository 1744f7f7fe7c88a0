"""docs/vendors/model.md is current, explains every field, and lists every word the bundled adapters use."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.model_page import GROUPS, PAGE, entries, fields, page
from tillpost import model
from tillpost.model import IDENTIFIER_KINDS
from tillpost.model.identifier_rules import FORMS, fault
from tillpost.model.typed import Typed
from tillpost.model.vocabulary import ATTRIBUTES, DISCOUNT_TYPES, EXTRAS, TENDER_TYPES

PLUGINS = Path(__file__).parents[2] / "plugins"
VALUES = [name for name in model.__all__ if attrs.has(getattr(model, name)) and issubclass(getattr(model, name), Typed)]


def test_the_page_of_the_model_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.support.model_page"


def test_g2_the_page_has_every_value_a_plugin_meets() -> None:
    assert sorted(name for _, names in GROUPS.values() for name in names) == sorted([*VALUES, "LineKind"])


@pytest.mark.parametrize("name", VALUES)
def test_every_field_has_a_meaning(name: str) -> None:
    assert [field for field, _, _, meaning in fields(getattr(model, name)) if not meaning] == []


def test_a_docstring_is_read_name_by_name() -> None:
    prose, found = entries("A line. Of b: no.\n\na: one. b, c: two;\nd: three", ("a", "b", "c", "d"))
    assert (prose, found) == ("A line. Of b: no.", {"a": "one.", "b": "two", "c": "two", "d": "three"})


def _trees() -> list[ast.Module]:
    return [ast.parse(file.read_text(encoding="utf-8")) for file in sorted(PLUGINS.rglob("*.py"))]


def _words(of: str) -> set[str]:
    """Texts that the bundled plugins give as `type=` of this value."""
    return {
        str(keyword.value.value)
        for tree in _trees()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == of
        for keyword in call.keywords
        if keyword.arg == "type" and isinstance(keyword.value, ast.Constant)
    }


def test_g3_every_payment_type_of_a_bundled_adapter_is_listed() -> None:
    tables: set[Any] = set()
    for tree in _trees():
        for table in ast.walk(tree):
            if isinstance(table, ast.Dict):
                values = {value.value for value in table.values if isinstance(value, ast.Constant)}
                if values & {"card", "giftcard"} and all(isinstance(value, str) for value in values):
                    tables |= values
    assert {"card", "cash", "giftcard"} <= tables
    assert (tables | _words("Tender")) - TENDER_TYPES.keys() == set()


def test_g3_every_discount_type_of_a_bundled_adapter_is_listed() -> None:
    assert _words("Discount") - DISCOUNT_TYPES.keys() == set()


def test_every_extra_text_that_adapters_share_is_listed() -> None:
    source = "\n".join(file.read_text(encoding="utf-8") for file in PLUGINS.rglob("*.py"))
    shared = {name for name in re.findall(r'"(original\w+)"', source) if f'extra={{"{name}"' in source}
    assert shared == {name for name in EXTRAS if name.startswith("original")}
    assert {"firstName", "lastName"} <= ATTRIBUTES.keys()


def test_g4_every_kind_of_identifier_has_its_form_and_the_example_in_it_is_one() -> None:
    assert tuple(FORMS) == IDENTIFIER_KINDS
    [number] = re.findall(r"\+\d+", FORMS["mobilePhone"])
    assert not fault(model.Identifier("mobilePhone", number))
