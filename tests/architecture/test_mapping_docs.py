"""docs/integrators/mapping.md has every field of the model, every name of the body, and every bundled adapter."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.matrix import adapters
from tillpost.compose.plugins import load_plugin
from tillpost.compose.standalone import standalone_hooks
from tillpost.model import (
    Discount,
    Identifier,
    Line,
    LineKind,
    Promotion,
    RawRef,
    Receipt,
    Tax,
    Tender,
)

PAGE = (Path(__file__).parents[2] / "docs" / "integrators" / "mapping.md").read_text(encoding="utf-8")
FIELDS = {
    each.__name__: [field.name for field in attrs.fields(each) if field.init] for each in (Receipt, Line, Tender, Tax)
}


def rows(heading: str) -> list[tuple[str, str]]:
    """First two columns of the table whose head begins so."""
    found = re.search(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.M)
    assert found is not None, heading
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]
    return [(row[0].strip("`"), row[1]) for row in cells]


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_of_the_model_stands_with_what_becomes_of_it(name: str) -> None:
    assert sorted(field for field, _ in rows(name)) == sorted(FIELDS[name])


def full() -> dict[str, Any]:
    """The body of a receipt in which everything is said."""
    ten, two = Decimal("10.00"), Decimal("2.00")
    line = Line(
        kind=LineKind.PURCHASE, sku="s", quantity=Decimal("0.5"), paid=ten, tax_amount=two, tax_percent=Decimal(25),
        article_number="n", article_name="N", article_group="g", extra={"a": "b"},
        discounts=(Discount(type="t", value=Decimal(-1), description="d"),),
    )  # fmt: skip
    receipt = Receipt(
        id="r", number="1", created=datetime(2026, 3, 14, tzinfo=UTC), business_date=date(2026, 3, 14), store="12",
        till="3", currency="SEK", total=ten, lines=(line,), vouchers=("v",), promotions=(Promotion(coupon_id="c"),),
        tenders=(Tender(type="card", amount=ten, description="d", extra={"a": "b"}),), extra={"a": "b"},
        taxes=(Tax(description="v", percent=Decimal(25), amount=two, including_tax=ten, excluding_tax=ten - two),),
        raw=RawRef(sha256="0" * 64, document="d", place="1"),
    )  # fmt: skip
    table = {"map": {"exchange_rates": {"SEK": Decimal(1)}}}
    hooks = standalone_hooks("engage", load_plugin("engage"), table, folder=Path.cwd())
    return dict(hooks.map_receipt(receipt, Identifier("email", "a@example.com")).fields)


def test_every_name_of_the_body_stands_in_the_tables_and_no_other() -> None:
    body = full()
    told = set(re.findall(r"`(\w+)`", "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))))
    parts = [body, *body["items"], *body["paymentMethods"], *body["taxDetails"]]
    assert {name for part in parts for name in part} <= told
    written = {cell.strip("`") for name in FIELDS for _, cell in rows(name) if cell != "none"}
    assert written <= {name for part in parts for name in part}


@pytest.mark.parametrize("name", adapters())
def test_every_bundled_adapter_has_its_table_of_fields_that_are_there(name: str) -> None:
    section = re.search(rf"^## `{name}` → Receipt$(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert section is not None, f"docs/integrators/mapping.md has no heading: ## `{name}` → Receipt"
    named = re.findall(r"^\| `([\w.]+)` \|", section[1], re.M)
    known = set(FIELDS["Receipt"])
    known |= {f"{name.lower()}s.{field}" for name in ("Line", "Tender") for field in FIELDS[name]}
    assert named
    assert set(named) <= known | {f"taxes.{field}" for field in FIELDS["Tax"]}
