"""The rounding of cash: one form, however a till writes it."""

from __future__ import annotations

from decimal import Decimal as D

import attrs
import pytest

from tests.support.matrix import adapters, suite
from tests.support.receipts import receipt
from tillpost.kit import ROUNDING_AS_TENDER, is_rounding, with_rounding_as_line
from tillpost.model import LineKind, Receipt, Tender


@pytest.mark.parametrize(
    "name",
    ["Rounding", "X:Rounding", "PennyRounding", "Cash rounding", "Öresavrundning", "ÖRESAVRUNDNING", "Avrunding",
     "Afrunding", "Rundung", "Rundungsdifferenz", "Afronding", "Pyöristys", "Redondeo", "Arredondamento",
     "Arrotondamento", "Zaokrouhlení", "Zaokrąglenie", "Kerekítés", "Ümardus", "CASH_ROUNDING"],
)  # fmt: skip
def test_the_name_of_a_rounding_is_known_in_the_languages_of_europe(name: str) -> None:
    assert is_rounding(name)


@pytest.mark.parametrize("name", ["", "Cash", "Round trip", "Background", "Playground card", "Rundstykke", "Grundkort"])
def test_other_names_are_none(name: str) -> None:
    assert not is_rounding(name)


def paid_with(receipt: Receipt, *tenders: tuple[str, str]) -> Receipt:
    return attrs.evolve(receipt, tenders=tuple(Tender(type=kind, amount=D(amount)) for kind, amount in tenders))


def test_a_receipt_without_a_rounding_is_itself() -> None:
    plain = receipt()
    assert with_rounding_as_line(plain) is plain


@pytest.mark.parametrize("rounded", ["-0.40", "0.40"])
def test_a_tender_that_is_a_rounding_becomes_a_line(rounded: str) -> None:
    plain = receipt()
    cash = plain.total - D(rounded)
    found = with_rounding_as_line(paid_with(plain, ("cash", str(cash)), ("rounding", rounded)))
    assert found.total == cash
    assert found.tenders == (Tender(type="cash", amount=cash),)
    assert found.lines[:-1] == plain.lines
    line = found.lines[-1]
    assert (line.kind, line.sku, line.quantity, line.paid) == (LineKind.ADJUSTMENT, "rounding", D(1), -D(rounded))
    assert found.flags == (*plain.flags, ROUNDING_AS_TENDER)
    assert with_rounding_as_line(found) is found


def test_roundings_that_cancel_leave_no_line() -> None:
    plain = receipt()
    total = str(plain.total)
    both = paid_with(plain, ("cash", total), ("rounding", "0.40"), ("rounding", "-0.40"))
    found = with_rounding_as_line(both)
    assert (found.lines, found.total) == (plain.lines, plain.total)
    assert [tender.type for tender in found.tenders] == ["cash"]


@pytest.mark.parametrize("name", [name for name in adapters() if "rounding" not in suite(name).waivers])
def test_every_adapter_gives_the_same_receipt_for_rounded_cash(name: str) -> None:
    own = suite(name)()
    found = own._single_receipt("rounding")
    assert found.total == D("100.00")
    assert [(line.kind, line.sku, line.paid) for line in found.lines[1:]] == [
        (LineKind.ADJUSTMENT, "rounding", D("0.40"))
    ]
    assert [tender.amount for tender in found.tenders] == [D("100.00")]
