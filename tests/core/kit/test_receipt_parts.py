"""What adapters share when a record becomes a receipt."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest

from tillpost import InvalidValue
from tillpost.kit import (
    JsonObject,
    adjustment,
    balanced_tenders,
    line_kind,
    negated,
    read_record,
    spread_discount,
    vat_of_lines,
)
from tillpost.model import Broken, Discount, Document, Found, Line, LineKind, NoReceipt, RawRef, Receipt, Tender

DOCUMENT = Document.from_bytes("day.txt", b"a sale")


def line(paid: str, percent: str = "0", tax: str = "0") -> Line:
    quantity = D(1 if D(paid) >= 0 else -1)
    return Line(
        kind=line_kind(quantity, D(paid)),
        sku="A",
        quantity=quantity,
        paid=D(paid),
        tax_amount=D(tax),
        tax_percent=D(percent),
    )


def receipt(source: RawRef) -> Receipt:
    return Receipt(
        id="1",
        number="1",
        created=datetime(2026, 3, 14, tzinfo=UTC),
        business_date=date(2026, 3, 14),
        store="1",
        till="1",
        currency="SEK",
        total=D(5),
        lines=(line("5.00"),),
        tenders=(Tender(type="cash", amount=D(5)),),
        flags=("tax-off",),
        raw=source,
    )


def test_a_record_that_is_read_is_found_with_its_origin_and_each_flag_once() -> None:
    found = read_record(receipt, DOCUMENT, "line 1", b"a sale", flags=("tax-off", "control-characters"))
    assert isinstance(found, Found)
    assert found.receipt.raw == RawRef(sha256=DOCUMENT.sha256, document="day.txt", place="line 1")
    assert (found.receipt.flags, found.raw) == (("tax-off", "control-characters"), b"a sale")


def test_a_record_may_be_no_receipt() -> None:
    skipped = NoReceipt(reason="training", place="line 1", retail=True)
    assert read_record(lambda _: skipped, DOCUMENT, "line 1", b"") is skipped


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidValue("is 5", place="Total"), "line 1, sale 1: Total: is 5"),
        (InvalidValue("is 5"), "line 1, sale 1: is 5"),
        (InvalidValue("is 5", place="line 1, sale 1.lines[0]"), "line 1, sale 1.lines[0]: is 5"),
        (RecursionError(), "line 1, sale 1: nested too deep"),
        (OverflowError(), "line 1, sale 1: amounts have more digits than can be calculated with"),
    ],
)
def test_a_record_that_cannot_be_read_is_broken_and_its_place_is_said_once(error: Exception, reason: str) -> None:
    def read(_: RawRef) -> Receipt:
        raise error

    broken = read_record(read, DOCUMENT, "line 1, sale 1", b"a sale", number="7", store="3")
    assert broken == Broken(reason=reason, place="line 1, sale 1", raw=b"a sale", number="7", store="3")


@pytest.mark.parametrize(
    ("quantity", "paid", "kind"),
    [
        (1, 5, LineKind.PURCHASE),
        (0, 5, LineKind.PURCHASE),
        (-1, -5, LineKind.RETURN),
        (-1, 0, LineKind.RETURN),
        (1, -5, LineKind.ADJUSTMENT),
        (-1, 5, LineKind.ADJUSTMENT),
    ],
)
def test_the_kind_of_a_line_follows_its_signs(quantity: int, paid: int, kind: LineKind) -> None:
    assert line_kind(D(quantity), D(paid)) is kind


def test_a_discount_is_spread_in_proportion_and_needs_a_line() -> None:
    shares = spread_discount(Discount(type="promotion", value=D("-10.00"), description="May"), [D(1), D(2)], "SEK", "x")
    assert [share.value for share in shares] == [D("-3.33"), D("-6.67")]
    assert {(share.type, share.description) for share in shares} == {("promotion", "May")}
    with pytest.raises(InvalidValue, match=r"x: no line can take the discount of -10"):
        spread_discount(Discount(type="promotion", value=D(-10)), [], "SEK", "x")


def test_vat_is_summed_by_percentage_over_the_lines_that_have_it() -> None:
    lines = [line("125.00", "25", "25.00"), line("-25.00", "25", "-5.00"), line("9.00"), line("0.00", "12")]
    lines.append(adjustment("tip", D("3.00"), "Tip"))
    [vat] = vat_of_lines(lines)
    assert (vat.percent, vat.amount, vat.including_tax, vat.excluding_tax) == (D(25), D(20), D(100), D(80))


def test_the_first_reading_of_tenders_that_balances_is_taken() -> None:
    paid = [Tender(type="cash", amount=D(20)), Tender(type="card", amount=D(0))]
    change = Tender(type="cash", amount=D(-5))
    assert balanced_tenders([paid, [*paid, change]], D(15)) == (paid[0], change)
    assert balanced_tenders([negated(paid)], D(-20)) == (Tender(type="cash", amount=D(-20)),)
    assert balanced_tenders([paid], D(1)) is None


def test_members_for_messages_and_nested_objects_may_be_missing() -> None:
    found = JsonObject({"id": 7, "name": ["x"], "till": {"id": "3"}, "none": None}, "line 1")
    assert [found.text_or_empty(name) for name in ("id", "name", "gone")] == ["7", "", ""]
    assert found.object_or_empty("till").text("id") == "3"
    assert found.object_or_empty("none").text("id", "") == ""
    with pytest.raises(InvalidValue, match=r"line 1\.name"):
        found.object_or_empty("name")
