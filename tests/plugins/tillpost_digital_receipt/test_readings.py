"""Receipts whose own numbers decide how they are meant: deposits told twice, and which Total is the receipt's."""

from __future__ import annotations

from decimal import Decimal as D
from pathlib import Path

import pytest

import tillpost_digital_receipt
from tests.support.adapter import records
from tillpost.model import Broken, Found, LineKind, NoReceipt, Parsed, Receipt

READINGS = Path(__file__).parent / "readings"


def read(source: Path | str) -> Parsed:
    content = source if isinstance(source, Path) else source.encode()
    [parsed] = records(tillpost_digital_receipt.plugin, content, loyalty="memberNumber")
    return parsed


def receipt(source: Path | str) -> Receipt:
    parsed = read(source)
    assert isinstance(parsed, Found), parsed
    return parsed.receipt


def reason(source: Path | str) -> str:
    parsed = read(source)
    assert isinstance(parsed, Broken), parsed
    return parsed.reason


def document(*lines: str, totals: str, tender: str = "", space: str = "") -> str:
    """A receipt of these line items; `tender` is paid by card."""
    paid = f"<LineItem><Tender TenderType='CreditDebit'><Amount>{tender}</Amount></Tender></LineItem>" if tender else ""
    return (
        f"<DigitalReceipt xmlns='http://www.nrf-arts.org/IXRetail/namespace/'{space}><Transaction><BusinessUnit>"
        "<UnitID>7</UnitID></BusinessUnit><WorkstationID>2</WorkstationID><SequenceNumber>9</SequenceNumber>"
        "<CurrencyCode>SEK</CurrencyCode><ReceiptDateTime>2026-05-29T13:53:12</ReceiptDateTime><RetailTransaction>"
        f"{''.join(lines)}{paid}{totals}</RetailTransaction></Transaction></DigitalReceipt>"
    )


def item(
    number: int,
    amount: str,
    *,
    kind: str = "Stock",
    parts: str = "",
    link: str = "",
    name: str = "Sale",
    quantity: str = "1",
) -> str:
    linked = f"<ItemLink>{link}</ItemLink>" if link else ""
    return (
        f"<LineItem><{name} ItemType='{kind}'><ItemID>A{number}</ItemID><ExtendedAmount>{amount}</ExtendedAmount>"
        f"<Quantity>{quantity}</Quantity>{parts}{linked}</{name}><SequenceNumber>{number}</SequenceNumber></LineItem>"
    )


def total(value: str, kind: str = "TransactionGrandAmount") -> str:
    return f"<Total TotalType='{kind}'>{value}</Total>"


TAX = "<Tax><Amount>{}</Amount><Percent>12</Percent></Tax>"
DEPOSIT = "<RecyclingAmount>{}</RecyclingAmount>"


def figures(found: Receipt) -> list[tuple[LineKind, D]]:
    return [(line.kind, line.paid) for line in found.lines]


def test_case_02_a_deposit_told_again_in_its_parent() -> None:
    found = receipt(READINGS / "se-pant.xml")
    assert (found.total, found.flags) == (D("17.90"), ("deposit-in-parent",))
    goods, deposit = found.lines
    assert (goods.kind, goods.paid, deposit.kind, deposit.paid) == (
        LineKind.PURCHASE, D("15.90"), LineKind.ADJUSTMENT, D("2.00")
    )  # fmt: skip
    assert (goods.tax_amount, deposit.tax_amount, deposit.tax_percent) == (D("1.71"), D("0.21"), D(12))
    assert [(tax.amount, tax.including_tax) for tax in found.taxes] == [(D("1.92"), D("17.90"))]
    assert [(tender.type, tender.amount) for tender in found.tenders] == [("card", D("17.90"))]


def test_case_02_several_bottles_and_goods_without_a_deposit() -> None:
    """Deposits of six cans in their line; bread has none; the link stands in the line item."""
    cans = item(1, "65.40", parts=TAX.format("7.01") + DEPOSIT.format("6.00"), quantity="6")
    bread = item(2, "30.00", parts=TAX.format("3.21"))
    deposit = item(3, "6.00", kind="Deposit", quantity="6").replace("</Sale>", "</Sale><ItemLink>1</ItemLink>")
    found = receipt(document(cans, bread, deposit, totals=total("95.40"), tender="95.40"))
    assert figures(found) == [
        (LineKind.PURCHASE, D("59.40")), (LineKind.PURCHASE, D("30.00")), (LineKind.ADJUSTMENT, D("6.00"))
    ]  # fmt: skip
    assert found.flags == ("deposit-in-parent",)
    assert sum((line.tax_amount for line in found.lines), D(0)) == D("10.22")


def test_case_02_a_deposit_in_a_parent_that_does_not_name_it() -> None:
    goods, deposit = item(1, "12.00"), item(2, "1.00", kind="Deposit", link="1")
    found = receipt(document(goods, deposit, totals=total("12.00"), tender="12.00"))
    assert figures(found) == [(LineKind.PURCHASE, D("11.00")), (LineKind.ADJUSTMENT, D("1.00"))]
    assert found.flags == ("deposit-in-parent",)


def test_case_02_only_the_parent_that_names_its_deposit_has_it() -> None:
    named = item(1, "12.00", parts=DEPOSIT.format("1.00"))
    other = item(2, "20.00")
    deposits = item(3, "1.00", kind="Deposit", link="1") + item(4, "2.00", kind="Deposit", link="2")
    found = receipt(document(named, other, deposits, totals=total("34.00"), tender="34.00"))
    assert [line.paid for line in found.lines] == [D("11.00"), D("20.00"), D("1.00"), D("2.00")]


def test_case_02_a_deposit_that_is_no_line_of_its_own() -> None:
    found = receipt(document(item(1, "15.90", parts=DEPOSIT.format("2.00")), totals=total("17.90"), tender="17.90"))
    assert figures(found) == [(LineKind.PURCHASE, D("15.90")), (LineKind.ADJUSTMENT, D("2.00"))]
    assert found.flags == ("deposit-on-top",)


def test_case_02_a_return_with_its_deposit() -> None:
    goods = item(1, "17.90", parts=DEPOSIT.format("2.00"), name="Return")
    deposit = item(2, "2.00", kind="DepositRefund", link="1")
    found = receipt(document(goods, deposit, totals=total("17.90"), tender="17.90"))
    assert found.total == D("-17.90")
    assert figures(found) == [(LineKind.RETURN, D("-15.90")), (LineKind.ADJUSTMENT, D("-2.00"))]


def test_case_02_a_deposit_of_its_own_stays_and_is_not_flagged() -> None:
    goods, deposit = item(1, "15.90", parts=DEPOSIT.format("2.00")), item(2, "2.00", kind="Deposit", link="1")
    found = receipt(document(goods, deposit, totals=total("17.90"), tender="17.90"))
    assert figures(found) == [(LineKind.PURCHASE, D("15.90")), (LineKind.ADJUSTMENT, D("2.00"))]
    assert found.flags == ()


def test_case_02_where_no_reading_adds_up_each_is_told_with_its_difference() -> None:
    goods, deposit = item(1, "17.90", parts=DEPOSIT.format("2.00")), item(2, "2.00", kind="Deposit", link="1")
    told = reason(document(goods, deposit, totals=total("50.00"), tender="50.00"))
    assert "deposits as they are told: RetailTransaction: lines sum to 19.90" in told
    assert "(difference -30.10)" in told
    assert "deposits in their lines: RetailTransaction: lines sum to 17.90" in told


def test_case_03_the_net_amount_where_no_grand_amount_is_told() -> None:
    found = receipt(READINGS / "se-nogrand.xml")
    assert (found.total, found.flags) == (D("17.90"), ())
    assert [(tender.type, tender.amount) for tender in found.tenders] == [("card", D("17.90"))]


@pytest.mark.parametrize("kind", ["TransactionGrossAmount", "se:TransactionTotal", "X:PurchaseAmount"])
def test_case_03_another_spelling_of_the_total(kind: str) -> None:
    found = receipt(
        document(item(1, "10.00"), totals=total("2.00", "TransactionTaxAmount") + total("10.00", kind), tender="10.00")
    )
    assert (found.total, found.flags) == (D(10), ())


def test_case_03_a_total_without_a_type() -> None:
    untyped = "<Total>10.00</Total>"
    assert receipt(document(item(1, "10.00"), totals=untyped, tender="10.00")).total == D(10)


def test_case_03_a_total_that_lines_and_tenders_contradict_is_put_aside_and_flagged() -> None:
    both = total("8.00") + total("10.00", "TransactionNetAmount")
    found = receipt(document(item(1, "10.00"), totals=both, tender="10.00"))
    assert (found.total, found.flags) == (D(10), ("total-by-tenders",))


def test_case_03_without_a_total_the_ones_that_are_there_are_listed() -> None:
    told = reason(document(item(1, "10.00"), totals=total("2.00", "TransactionTaxAmount"), tender="10.00"))
    assert "a Total is missing, such as one of type TransactionGrandAmount; there are TransactionTaxAmount" in told


def test_case_03_totals_none_of_which_adds_up() -> None:
    both = total("8.00") + total("9.00", "TransactionNetAmount")
    told = reason(document(item(1, "10.00"), totals=both, tender="10.00"))
    assert (
        "by the Total TransactionGrandAmount: RetailTransaction: lines sum to 10.00, the receipt's total is 8.00"
        in told
    )
    assert (
        "by the Total TransactionNetAmount: RetailTransaction: lines sum to 10.00, the receipt's total is 9.00" in told
    )


@pytest.mark.parametrize("inside", ["Sales", "RetailSale"])
def test_case_01_lines_outside_a_retail_transaction_are_held(inside: str) -> None:
    content = document(item(1, "10.00"), totals=total("10.00"), tender="10.00")
    told = reason(content.replace("RetailTransaction>", f"{inside}>"))
    assert "has lines, tenders or a total and no RetailTransaction in it; there are BusinessUnit, WorkstationID" in told
    assert inside in told


def test_a_transaction_without_lines_that_has_a_total_is_held_and_one_of_zero_is_skipped() -> None:
    assert "lines sum to 0.00, the receipt's total is 10.00" in reason(document(totals=total("10.00")))
    nothing = read(document(totals=total("0.00")))
    assert isinstance(nothing, NoReceipt)
    assert nothing.reason == "no line items"


def tender(amount: str, kind: str = "Cash", parts: str = "") -> str:
    return f"<LineItem><Tender TenderType='{kind}'><Amount>{amount}</Amount>{parts}</Tender></LineItem>"


@pytest.mark.parametrize("kind", ["X:Rounding", "PennyRounding", "Rounding", "se:Öresavrundning"])
@pytest.mark.parametrize(
    ("goods", "stated", "cash", "rounding"),
    [("69.60", "69.60", "70.00", "0.40"), ("69.60", "70.00", "70.00", "0.40"), ("69.60", "70.00", "70.00", "-0.40"),
     ("70.40", "70.00", "70.00", "0.40")],
)  # fmt: skip
def test_case_05_a_rounding_as_a_tender(kind: str, goods: str, stated: str, cash: str, rounding: str) -> None:
    found = receipt(document(item(1, goods), tender(cash), tender(rounding, kind), totals=total(stated)))
    assert (found.total, found.flags) == (D(70), ("rounding-as-tender",))
    assert [(line.sku, line.paid) for line in found.lines[1:]] == [("rounding", D(70) - D(goods))]
    assert [(paid.type, paid.amount) for paid in found.tenders] == [("cash", D(70))]


def test_case_05_a_rounding_beside_a_total_without_it_stays_a_tender_and_is_flagged() -> None:
    """Both add up: the receipt is as the till wrote it."""
    found = receipt(document(item(1, "70.40"), tender("70.00"), tender("0.40", "X:Rounding"), totals=total("70.40")))
    assert [(paid.type, paid.amount) for paid in found.tenders] == [("cash", D(70)), ("rounding", D("0.40"))]
    assert found.flags == ("rounding-as-tender",)


@pytest.mark.parametrize(
    "change",
    [
        tender("0", parts="<TenderChange TenderType='Cash'><Amount>30.00</Amount></TenderChange>"),
        tender("-30.00"),
        "<LineItem><TenderChange TenderType='Cash'><Amount>30.00</Amount></TenderChange></LineItem>",
    ],
)
def test_case_04_change_in_a_tender_of_its_own(change: str) -> None:
    found = receipt(document(item(1, "70.00"), tender("100.00"), change, totals=total("70.00")))
    assert [(paid.type, paid.amount) for paid in found.tenders] == [("cash", D(100)), ("cash", D(-30))]


def test_case_06_a_voided_line_takes_out_the_line_it_points_at() -> None:
    void = item(3, "30.00", link="2").replace("<LineItem>", "<LineItem VoidFlag='true'>")
    lines = (item(1, "100.00"), item(2, "30.00"), void)
    found = receipt(document(*lines, totals=total("100.00"), tender="100.00"))
    assert ([line.sku for line in found.lines], found.flags) == (["A1"], ("void-by-link",))
    both = (item(1, "100.00"), item(2, "30.00").replace("<LineItem>", "<LineItem CancelFlag='true'>"), void)
    assert receipt(document(*both, totals=total("100.00"), tender="100.00")).flags == ()


def test_case_06_when_every_line_is_voided_there_is_no_receipt() -> None:
    void = item(2, "49.00", link="1").replace("<LineItem>", "<LineItem VoidFlag='true'>")
    nothing = read(document(item(1, "49.00"), void, totals=total("0.00")))
    assert isinstance(nothing, NoReceipt)
    assert (nothing.reason, nothing.retail) == ("all lines are voided", True)
