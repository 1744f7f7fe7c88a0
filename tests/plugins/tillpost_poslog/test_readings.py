"""Transactions that went wrong in the field, as their dialects write them; each kind with others of its kind."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal as D
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest

import tillpost_poslog
from tests.plugins.tillpost_poslog.sales import (
    broken_reason,
    paid,
    poslog,
    receipt_of,
    sale,
    skip_reason,
    tender,
    total,
    transaction,
)
from tillpost import DocumentError
from tillpost.model import Document, Found, Identifier, NoReceipt, Parsed, Receipt
from tillpost_poslog.names import names_of
from tillpost_poslog.recognise import recognise
from tillpost_poslog.settings import Settings

Parse = Callable[..., list[Parsed]]
READINGS = Path(__file__).parent / "readings"


def receipts_of(records: list[Parsed]) -> list[Receipt]:
    return [record.receipt for record in records if isinstance(record, Found)]


def test_case_01_a_lookup_of_retalix_is_read(parse: Parse) -> None:
    receipt = receipt_of(parse(READINGS / "r10-th.xml", timezone=ZoneInfo("Europe/London")))
    assert (receipt.total, receipt.currency, receipt.store, receipt.till) == (D("150.97"), "THB", "2202", "003")
    assert [(line.paid, line.tax_amount) for line in receipt.lines] == [(D("129.95"), D(0)), (D("21.02"), D("1.38"))]
    assert paid(receipt) == [("cash", D(200)), ("cash", D(-49)), ("rounding", D("-0.03"))]
    assert receipt.customer is not None
    assert receipt.customer.identifiers == (Identifier("externalId", "C-900"),)
    assert receipt.flags == ("tax-base-recomputed", "rounding-as-tender", "programme-as-account")
    # The offset stands beside the time, and counts in whatever zone the tills are said to be.
    assert receipt.created.isoformat(timespec="seconds") == "2026-05-19T11:44:19+07:00"


def test_case_01_transactions_in_an_envelope_are_refused_or_a_setting(parse: Parse) -> None:
    with pytest.raises(DocumentError, match="1 Transaction element, none where this adapter reads them; root is Env"):
        parse(READINGS / "a1.xml")
    assert receipt_of(parse(READINGS / "a1.xml", names={"transactions": ("Body",)})).total == D(10)


def test_case_04_change_stands_in_a_second_tender_of_zero(parse: Parse) -> None:
    receipt = receipt_of(parse(READINGS / "change-zero.xml"))
    assert (receipt.total, receipt.currency, receipt.flags) == (D(70), "SEK", ())
    assert paid(receipt) == [("cash", D(100)), ("cash", D(-30))]


@pytest.mark.parametrize(
    ("tenders", "change"),
    [
        # A card with money back beside the purchase, which a third tender tells.
        (
            tender("90", "CreditDebit") + tender("0", extra="<Cashback>20</Cashback>"),
            [("card", D(90)), ("cash", D(-20))],
        ),
        # Change as a line item of its own, with its type (Napse).
        (
            tender("100") + '<LineItem><TenderChange TenderType="Cash"><Amount>30</Amount></TenderChange></LineItem>',
            [("cash", D(100)), ("cash", D(-30))],
        ),
        # Change as a tender by its name, without a sign.
        (tender("100") + tender("30", "x:CHANGE"), [("cash", D(100)), ("cash", D(-30))]),
        # Xstore marks it.
        (
            tender("100", "v:CURRENCY") + tender("30", "v:CURRENCY", attributes='ChangeFlag="true"'),
            [("cash", D(100)), ("cash", D(-30))],
        ),
    ],
)
def test_change_is_found_wherever_it_stands(parse: Parse, tenders: str, change: list[tuple[str, D]]) -> None:
    receipt = receipt_of(parse(poslog(transaction(sale(), tenders, total("70.00")))))
    assert (paid(receipt), receipt.flags) == (change, ())


def test_cash_after_cash_is_change_where_only_that_adds_up(parse: Parse) -> None:
    receipt = receipt_of(parse(poslog(transaction(sale(), tender("100"), tender("30"), total("70.00")))))
    assert (paid(receipt), receipt.flags) == ([("cash", D(100)), ("cash", D(-30))], ("sign-by-amount",))


def test_case_05_the_rounding_of_cash_is_a_tender(parse: Parse) -> None:
    receipt = receipt_of(parse(READINGS / "rounding-tender.xml"))
    assert (receipt.total, receipt.flags) == (D("69.60"), ("rounding-as-tender",))
    assert paid(receipt) == [("cash", D(70)), ("rounding", D("-0.40"))]


@pytest.mark.parametrize(
    ("tenders", "totals", "rounded"),
    [
        # Down: the customer pays less than the total.
        (tender("69.50") + tender("0.10", "PennyRounding"), total("69.60"), D("0.10")),
        # Without a direction, up.
        (tender("70") + tender("0.40", "Rounding"), total("69.60"), D("-0.40")),
        # The rounding stands inside the cash.
        (tender("70", extra='<Rounding RoundingDirection="Up">0.40</Rounding>'), total("69.60"), D("-0.40")),
        # Only a Total tells it (Wincor).
        (tender("70"), total("69.60") + total("0.40", "RoundingAmount"), D("-0.40")),
        (tender("69.50"), total("69.60") + total("-0.10", "RoundingAmount"), D("0.10")),
        # By the till's own language, with its own sign.
        (tender("70") + tender("-0.40", "x:Öresavrundning"), total("69.60"), D("-0.40")),
    ],
)
def test_rounding_is_found_with_its_direction(parse: Parse, tenders: str, totals: str, rounded: D) -> None:
    receipt = receipt_of(parse(poslog(transaction(sale(amount="69.60"), tenders, totals))))
    assert (receipt.total, receipt.flags) == (D("69.60"), ("rounding-as-tender",))
    assert paid(receipt)[1:] == [("rounding", rounded)]


@pytest.mark.parametrize(
    ("rounding", "stated", "lines", "tenders"),
    [
        # In the total, out of it, and in it without its minus sign.
        ("0.40", "70.00", ["69.60", "0.40"], [("cash", D(70))]),
        ("0.40", "69.60", ["69.60"], [("cash", D(70)), ("rounding", D("-0.40"))]),
        ("0.40", "69.20", ["69.60", "-0.40"], [("cash", D("69.20"))]),
    ],
)
def test_a_line_for_the_rounding_counts_as_the_total_says(
    parse: Parse, rounding: str, stated: str, lines: list[str], tenders: list[tuple[str, D]]
) -> None:
    line = f"<LineItem><Rounding>{rounding}</Rounding></LineItem>"
    cash = tender(str(tenders[0][1]))
    receipt = receipt_of(parse(poslog(transaction(sale(amount="69.60"), line, cash, total(stated)))))
    assert [line.paid for line in receipt.lines] == [D(amount) for amount in lines]
    assert paid(receipt) == tenders


def test_a_total_that_is_rounded_has_a_line_for_the_rounding(parse: Parse) -> None:
    content = poslog(transaction(sale(amount="69.60"), tender("70"), tender("0.40", "v:Rounding"), total("70.00")))
    receipt = receipt_of(parse(content))
    assert [(line.sku, line.paid) for line in receipt.lines] == [("A", D("69.60")), ("rounding", D("0.40"))]
    assert (paid(receipt), receipt.flags) == ([("cash", D(70))], ("rounding-as-tender",))


def test_case_06_a_voided_line_takes_back_the_line_it_points_at(parse: Parse) -> None:
    assert skip_reason(parse(READINGS / "wincor-void.xml")) == "all lines voided"


VOID = (
    '<LineItem VoidFlag="true"><SequenceNumber>3</SequenceNumber>'
    "<Sale><ItemID>{}</ItemID><ExtendedAmount>{}</ExtendedAmount>"
)


@pytest.mark.parametrize(
    ("void", "kept"),
    [
        # By the line item (Retalix), by a number in the link, by the till's own reference (Wincor), with a minus sign.
        (VOID.format("B", "30") + "</Sale><ItemLink>2</ItemLink></LineItem>", ["A"]),
        (VOID.format("B", "30") + "<ItemLink><SequenceNumber>2</SequenceNumber></ItemLink></Sale></LineItem>", ["A"]),
        (VOID.format("B", "30") + "</Sale><CreateRefNumber>2</CreateRefNumber></LineItem>", ["A"]),
        (VOID.format("B", "-30") + "<Quantity>-1</Quantity><ItemLink>2</ItemLink></Sale></LineItem>", ["A"]),
        # A part that points at its whole is voided alone.
        (VOID.format("BOTTLE", "2") + "<ItemLink>2</ItemLink></Sale></LineItem>", ["A", "B"]),
    ],
)
def test_a_link_of_a_voided_line_is_followed_to_a_line_of_its_article(parse: Parse, void: str, kept: list[str]) -> None:
    amount = str(70 + 30 * ("B" in kept))
    content = poslog(transaction(sale(number=1), sale("B", "30", number=2), void, tender(amount), total(amount)))
    assert [line.sku for line in receipt_of(parse(content)).lines] == kept


def test_a_voided_line_of_a_smaller_quantity_reduces_the_line(parse: Parse) -> None:
    three = sale("A", "30").replace("<Quantity>1<", "<Quantity>3<")
    void = VOID.format("A", "10") + "<Quantity>1</Quantity><ItemLink>1</ItemLink></Sale></LineItem>"
    receipt = receipt_of(parse(poslog(transaction(three, void, tender("20"), total("20")))))
    assert [(line.quantity, line.paid) for line in receipt.lines] == [(D(2), D(20))]
    assert receipt.flags == ("void-by-link",)


def test_a_link_that_does_not_add_up_is_not_followed(parse: Parse) -> None:
    void = VOID.format("A", "70") + "<Quantity>1</Quantity><ItemLink>1</ItemLink></Sale></LineItem>"
    receipt = receipt_of(parse(poslog(transaction(sale(), void, tender("70"), total("70")))))
    assert [line.paid for line in receipt.lines] == [D(70)]


def test_a_voided_tender_takes_back_the_tender_it_points_at(parse: Parse) -> None:
    void = tender("70", "CreditDebit", number=4).replace("<LineItem>", '<LineItem VoidFlag="true">')
    void = void.replace("</LineItem>", "<ItemLink>3</ItemLink></LineItem>")
    content = poslog(transaction(sale(), tender("70", "CreditDebit", number=3), void, tender("70"), total("70")))
    assert paid(receipt_of(parse(content))) == [("cash", D(70))]


@pytest.mark.parametrize(
    "void",
    [
        sale("B", "30", number=2).replace("<LineItem>", '<LineItem CancelFlag="true">'),
        sale("B", "30", number=2).replace("<Sale>", '<Sale VoidFlag="true">'),
    ],
)
def test_another_flag_voids_a_line_where_that_adds_up(parse: Parse, void: str) -> None:
    receipt = receipt_of(parse(poslog(transaction(sale(), void, tender("70"), total("70")))))
    assert ([line.sku for line in receipt.lines], receipt.flags) == (["A"], ("void-by-flag",))
    kept = receipt_of(parse(poslog(transaction(sale(), void, tender("100"), total("100")))))
    assert ([line.sku for line in kept.lines], kept.flags) == (["A", "B"], ())


def test_case_07_the_base_of_a_tax_is_the_one_that_gives_its_amount(parse: Parse) -> None:
    receipt = receipt_of(parse(READINGS / "taxable-flag.xml", timezone=ZoneInfo("Europe/London")))
    [tax] = receipt.taxes
    assert (tax.description, tax.amount, tax.including_tax, tax.excluding_tax) == ("VAT", D(1), D(6), D(5))
    assert receipt.flags == ("tax-base-recomputed",)


TAX = (
    '<Tax TaxType="VAT"><TaxableAmount TaxIncludedInTaxableAmountFlag="{}">{}</TaxableAmount>'
    "<Amount>{}</Amount>{}</Tax>"
)


@pytest.mark.parametrize(
    ("flag", "base", "percent", "flags"),
    [
        ("true", "70", "<Percent>25</Percent>", ()),
        ("false", "56", "<Percent>25</Percent>", ()),
        # The flag is wrong in either direction, with a rate and without one.
        ("true", "56", "<Percent>25</Percent>", ("tax-base-recomputed",)),
        ("false", "70", "<Percent>25</Percent>", ("tax-base-recomputed",)),
        ("false", "70", "", ("tax-base-recomputed",)),
        # The base is nowhere in the record (a till that sums it over all rates).
        ("false", "156", "<Percent>25</Percent>", ("tax-base-recomputed",)),
    ],
)
@pytest.mark.parametrize("of_line", [True, False])
def test_a_tax_has_the_base_that_gives_its_amount(
    parse: Parse, flag: str, base: str, percent: str, flags: tuple[str, ...], of_line: bool
) -> None:
    tax = TAX.format(flag, base, "14", percent)
    lines = sale(extra=tax) if of_line else sale() + f"<LineItem>{tax}</LineItem>"
    receipt = receipt_of(parse(poslog(transaction(lines, tender("70"), total("70")))))
    [summed] = receipt.taxes
    assert (summed.including_tax, summed.excluding_tax, summed.amount) == (D(70), D(56), D(14))
    assert receipt.flags == flags


def test_a_rate_as_a_fraction_is_a_percentage(parse: Parse) -> None:
    for flag, base in (("false", "56"), ("true", "70")):
        tax = TAX.format(flag, base, "14", "<Percent>0.25</Percent>")
        receipt = receipt_of(parse(poslog(transaction(sale(extra=tax), tender("70"), total("70")))))
        assert [(summed.percent, summed.excluding_tax) for summed in receipt.taxes] == [(D(25), D(56))]
        assert (receipt.lines[0].tax_percent, receipt.flags) == (D(25), ())


def test_taxes_that_contradict_each_other_are_flagged(parse: Parse) -> None:
    tax = TAX.format("false", "56", "14", "<Percent>25</Percent>")
    content = transaction(sale(extra=tax), tender("70"), total("70"), total("13", "TransactionTaxAmount"))
    assert receipt_of(parse(poslog(content))).flags == ("tax-off",)
    nowhere = TAX.format("false", "40", "14", "<Percent>12</Percent>")
    assert receipt_of(parse(poslog(transaction(sale(extra=nowhere), tender("70"), total("70"))))).flags == ("tax-off",)


def test_case_08_a_customer_order_with_lines_and_tenders_is_a_sale(parse: Parse) -> None:
    receipt = receipt_of(parse(READINGS / "custorder-lines.xml"))
    assert (receipt.total, receipt.currency, [line.sku for line in receipt.lines]) == (D(45), "GBP", ["A1"])
    assert paid(receipt) == [("card", D(45))]


@pytest.mark.parametrize("name", ["SaleTransaction", "v:FuelTransaction", "Order"])
def test_what_holds_the_lines_of_a_sale_is_one_whatever_its_name(parse: Parse, name: str) -> None:
    receipt = receipt_of(parse(poslog(transaction(sale(), tender("70"), total("70"), name=name))))
    assert (receipt.total, receipt.flags) == (D(70), ("transaction-kind",))
    named = receipt_of(
        parse(poslog(transaction(sale(), tender("70"), total("70"), name=name)), names={"sale": (name[-15:],)})
    )
    assert (named.total, named.flags) == (D(70), ())


def test_line_items_may_stand_in_the_transaction_itself(parse: Parse) -> None:
    content = transaction(sale(), tender("70"), total("70")).replace("RetailTransaction>", "x>")
    content = content.replace("<x>", "").replace("</x>", "")
    assert receipt_of(parse(poslog(content))).total == D(70)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        # Only a total, as a loyalty provider gets it; an unpaid order; one whose steps are told; lines too deep.
        ("CustomerOrderTransaction", total("45.00")),
        ("QuoteTransaction", sale() + total("70.00")),
        ("CustomerOrderControlTransaction", sale() + tender("70") + total("70.00")),
        ("v:Wrapped", f"<v:Inner>{sale()}{tender('70')}</v:Inner>"),
        ("RetailTransaction", total("12.00")),
    ],
)
def test_what_holds_money_and_is_no_sale_is_held(parse: Parse, name: str, parts: str) -> None:
    assert broken_reason(parse(poslog(transaction(parts, name=name))))


def test_a_post_void_by_its_type_voids_what_its_link_names(parse: Parse) -> None:
    link = "<TransactionLink><SequenceNumber>7</SequenceNumber></TransactionLink>"
    void = transaction(sale(), tender("70"), total("70"), link, number=8)
    void = void.replace("<Transaction>", '<Transaction v:TransactionType="POST_VOID">')
    first, second = parse(poslog(transaction(sale(), tender("70"), total("70")), void))
    assert isinstance(first, NoReceipt)
    assert isinstance(second, NoReceipt)
    assert first.reason == "voided afterwards by store 1, till 1, number 8 of 2026-05-01"
    assert second.reason == "post-void of store 1, till 1, number 7 of 2026-05-01"
    assert second.voids == "1_1_2026-05-01_7"


def test_movements_of_cash_are_no_sales(parse: Parse) -> None:
    moved = transaction(tender("500"), total("500"), name="TenderControlTransaction")
    settings = {"names": {"ignored": ("QuoteTransaction",)}}
    records = parse(poslog(moved, transaction(sale(), total("70"), name="QuoteTransaction")), **settings)
    assert [record.retail for record in records if isinstance(record, NoReceipt)] == [False, False]


def test_a_line_of_an_unknown_kind_counts_where_that_adds_up(parse: Parse) -> None:
    fund = "<LineItem><StoredValueFundSale><Amount>30</Amount></StoredValueFundSale></LineItem>"
    service = sale("B", "5", number=3).replace("Sale>", "v:Service>")
    receipt = receipt_of(parse(poslog(transaction(sale(), fund, service, tender("105"), total("105")))))
    assert [(line.sku, line.paid) for line in receipt.lines] == [
        ("A", D(70)),
        ("StoredValueFundSale", D(30)),
        ("B", D(5)),
    ]
    assert receipt.flags == ("line-kind",)
    reason = broken_reason(parse(poslog(transaction(sale(), service, tender("99"), total("99")))))
    assert "not read: line item 3, Service; `names` adds kinds" in reason


def test_a_deposit_that_is_in_the_line_it_points_at_counts_once(parse: Parse) -> None:
    bottle = sale("P", "2.00", number=2, extra="<ItemLink>1</ItemLink>").replace("<Sale>", '<Sale ItemType="Deposit">')
    receipt = receipt_of(parse(poslog(transaction(sale("A", "17.90"), bottle, tender("17.90"), total("17.90")))))
    assert [(line.sku, line.paid) for line in receipt.lines] == [("A", D("15.90")), ("P", D("2.00"))]
    assert receipt.flags == ("deposit-in-parent",)
    beside = receipt_of(parse(poslog(transaction(sale("A", "15.90"), bottle, tender("17.90"), total("17.90")))))
    assert ([line.paid for line in beside.lines], beside.flags) == ([D("15.90"), D("2.00")], ())


def test_case_09_the_amount_of_a_tax_is_reckoned_from_its_rate(parse: Parse) -> None:
    receipt = receipt_of(parse(READINGS / "fr-tx6.xml", currency="EUR"))
    assert (receipt.total, receipt.lines[0].tax_amount, receipt.lines[0].tax_percent) == (D(30), D(5), D(20))
    [tax] = receipt.taxes
    assert (tax.description, tax.amount, tax.excluding_tax) == ("VAT", D(5), D(25))


@pytest.mark.parametrize(
    ("lines", "amount", "tax"),
    [
        # On top; on top of two lines, at two rates; in the summary only; in the summary, with the rate at each line.
        (sale(amount="100", extra="<Tax><Percent>8</Percent></Tax>"), "108.00", [D(8)]),
        (
            sale(amount="100", extra="<Tax><Percent>25</Percent></Tax>")
            + sale("B", "50", extra="<Tax><Percent>12</Percent></Tax>", number=2),
            "181.00",
            [D(25), D(6)],
        ),
        (sale(amount="100") + "<LineItem><Tax><Percent>25</Percent></Tax></LineItem>", "100", [D(20)]),
        (
            sale(amount="100", extra="<Tax><Percent>25</Percent></Tax>")
            + sale("B", "56", extra="<Tax><Percent>12</Percent></Tax>", number=2)
            + "<LineItem><Tax><Percent>25</Percent><Amount>20</Amount></Tax></LineItem>"
            + "<LineItem><Tax><Percent>12</Percent><Amount>6</Amount></Tax></LineItem>",
            "156",
            [D(20), D(6)],
        ),
        (sale(amount="100", extra="<Tax><Percent>0</Percent></Tax>"), "100", [D(0)]),
    ],
)
def test_a_rate_without_an_amount_gives_the_tax(parse: Parse, lines: str, amount: str, tax: list[D]) -> None:
    receipt = receipt_of(parse(poslog(transaction(lines, tender(amount), total(amount)))))
    assert [summed.amount for summed in receipt.taxes] == tax
    assert [line.tax_amount for line in receipt.lines] == tax


def test_a_tax_without_amount_and_rate_is_held(parse: Parse) -> None:
    content = poslog(transaction(sale(extra='<Tax TaxType="VAT"/>'), tender("70"), total("70")))
    assert "neither Amount nor Percent" in broken_reason(parse(content))


def test_case_10_a_tender_is_told_by_an_element_or_a_vendors_word(parse: Parse) -> None:
    assert paid(receipt_of(parse(READINGS / "fr-tx6-amt.xml", currency="EUR"))) == [("cash", D(10)), ("card", D(20))]
    records = parse(READINGS / "xstore-nopv.xml", timezone=ZoneInfo("Europe/Stockholm"))
    bought, returned = receipts_of(records)
    assert paid(bought) == [("cash", D(1000)), ("cash", D("-200.80"))]
    assert paid(returned) == [("card", D("-799.20"))]
    assert [record.reason for record in records if isinstance(record, NoReceipt)] == ["cancelled", "suspended"]
    assert not bought.flags
    assert not returned.flags


@pytest.mark.parametrize(
    ("kind", "extra", "wanted"),
    [
        ("v:VOUCHER", "", "voucher"),
        ("v:STORE_CREDIT", "", "voucher"),
        ("x:TTID4010", '<Voucher TypeCode="Refund"><FaceValueAmount>70</FaceValueAmount></Voucher>', "voucher"),
        ("v:CREDIT_CARD", "<Voucher><FaceValueAmount>0</FaceValueAmount></Voucher>", "card"),
        ("x:41", "<CreditDebit><IssuerIdentificationNumber>4</IssuerIdentificationNumber></CreditDebit>", "card"),
        ("PrepaidCard", '<StoredValueInstrument TypeCode="GiftCard"/>', "giftcard"),
        ("x:GIFT_CARD", "", "giftcard"),
        ("TRAVELERS_CHECK", "", "check"),
        ("MALL_COUPON", "", "coupon"),
        ("v:SWISH", "", "swish"),
        ("Kontant", "", "cash"),
        ("Tarjeta", "", "card"),
        ("x:9", "<TenderDescription>Visa Electron</TenderDescription>", "card"),
    ],
)
def test_the_type_of_a_tender(parse: Parse, kind: str, extra: str, wanted: str) -> None:
    receipt = receipt_of(parse(poslog(transaction(sale(), tender("70", kind, extra=extra), total("70")))))
    assert (paid(receipt), receipt.flags) == ([(wanted, D(70))], ())


def test_a_tender_that_nothing_tells_is_flagged(parse: Parse) -> None:
    content = poslog(transaction(sale(), tender("70", "cDIN"), total("70")))
    receipt = receipt_of(parse(content))
    assert (paid(receipt), receipt.flags) == ([("other", D(70))], ("tender-unknown",))
    told = receipt_of(parse(content, tenders={"cDIN": "cash"}))
    assert (paid(told), told.flags) == ([("cash", D(70))], ())


def test_case_11_another_dialects_item_store_and_discount_by_piece(parse: Parse) -> None:
    receipt = receipt_of(parse(READINGS / "fgl-discount.xml", currency="CAD"))
    assert (receipt.store, receipt.total, receipt.business_date.isoformat()) == ("281", D("94.50"), "2026-05-12")
    [line] = receipt.lines
    assert (line.sku, line.article_name, line.quantity, line.paid) == ("700100", "BALL RED", D(3), D("94.50"))
    # Regular price by quantity less what was paid, before tax: 3 x 40.00 - 90.00.
    assert [discount.value for discount in line.discounts] == [D(-30)]
    assert receipt.flags == ("discount-by-piece",)


def test_a_price_modifier_of_the_line_stays_as_it_is(parse: Parse) -> None:
    extra = (
        "<RegularSalesUnitPrice>40</RegularSalesUnitPrice>"
        "<RetailPriceModifier><Amount>30</Amount></RetailPriceModifier>"
    )
    line = sale(amount="90", extra=extra).replace("<Quantity>1<", "<Quantity>3<")
    receipt = receipt_of(parse(poslog(transaction(line, tender("90"), total("90")))))
    assert ([discount.value for discount in receipt.lines[0].discounts], receipt.flags) == ([D(-30)], ())


def test_a_discount_by_percentage_alone_is_reckoned(parse: Parse) -> None:
    line = sale(amount="100", extra="<RetailPriceModifier><Percent>10</Percent></RetailPriceModifier>")
    receipt = receipt_of(parse(poslog(transaction(line, tender("90"), total("90")))))
    assert [discount.value for discount in receipt.lines[0].discounts] == [D(-10)]
    whole = "<LineItem><Discount><Percentage>5</Percentage></Discount></LineItem>"
    both = sale(amount="60") + sale("B", "40", number=2) + whole
    receipt = receipt_of(parse(poslog(transaction(both, tender("95"), total("95")))))
    assert [line.paid for line in receipt.lines] == [D(57), D(38)]


def test_a_transaction_without_a_sequence_number_has_its_printed_one(parse: Parse) -> None:
    content = transaction(sale(), tender("70"), total("70"))
    content = content.replace("<SequenceNumber>7</SequenceNumber>", "<ReceiptNumber>R-7</ReceiptNumber>", 1)
    receipt = receipt_of(parse(poslog(content)))
    assert (receipt.id, receipt.number) == ("1_1_2026-05-01_R-7", "R-7")


def test_a_tax_on_a_part_of_the_line_is_reckoned_from_its_base(parse: Parse) -> None:
    line = sale(amount="100", extra="<Tax><TaxableAmount>40</TaxableAmount><Percent>10</Percent></Tax>")
    receipt = receipt_of(parse(poslog(transaction(line, tender("104"), total("104")))))
    assert [(tax.amount, tax.excluding_tax) for tax in receipt.taxes] == [(D(4), D(40))]


def test_an_article_that_is_called_otherwise_is_a_setting(parse: Parse) -> None:
    store = '<BusinessUnit Name="0815"/>'
    line = "<LineItem><Sold><Article><Code>X1</Code></Article><Cost>70</Cost></Sold></LineItem>"
    content = poslog(transaction(line, tender("70"), total("70", "Payable"), store=store))
    names = {"store": ("BusinessUnit/@Name",), "bought": ("Sold",), "item": ("Article/Code",)}
    receipt = receipt_of(parse(content, names={**names, "amount": ("Cost",), "total": ("Payable",)}))
    assert (receipt.store, receipt.lines[0].sku, receipt.total) == ("0815", "X1", D(70))


def test_what_a_line_lacks_is_named_with_the_line_and_what_was_looked_for(parse: Parse) -> None:
    line = "<LineItem><SequenceNumber>4</SequenceNumber><Sale><Thing>X</Thing>{}</Sale></LineItem>"
    reason = broken_reason(parse(poslog(transaction(line.format("<ExtendedAmount>70</ExtendedAmount>"), total("70")))))
    assert "line item 4, Sale: has no sku; looked for ItemID, " in reason
    assert "Item/ItemNumber" in reason
    reason = broken_reason(parse(poslog(transaction(line.format("<ItemID>A</ItemID>"), total("70")))))
    assert "line item 4, Sale: has no amount; looked for ExtendedAmount, " in reason
    assert "ActualSalesUnitPrice" in reason
    without_store = transaction(sale(), tender("70"), total("70"), store="<Shop>1</Shop>")
    assert "looked for RetailStoreID, BusinessUnit/UnitID" in broken_reason(parse(poslog(without_store)))


def test_case_12_the_total_is_of_another_type(parse: Parse) -> None:
    zone = ZoneInfo("America/Santiago")
    receipt = receipt_of(parse(READINGS / "kiosk-cl.xml", timezone=zone, currency="CLP", tenders={"cDIN": "card"}))
    assert (receipt.total, [line.paid for line in receipt.lines]) == (D(125980), [D(113990), D(11990)])
    assert [discount.value for discount in receipt.lines[0].discounts] == [D(-7000)]
    [tax] = receipt.taxes
    assert (tax.amount, tax.excluding_tax, tax.including_tax) == (D(20114), D(105866), D(125980))


def test_a_total_is_found_by_what_lines_and_tenders_sum_to(parse: Parse) -> None:
    unknown = transaction(sale(), tender("70"), total("140", "Points"), total("70", "ToPay"), total("SEVENTY", "Words"))
    none = transaction(sale(), tender("100"), tender("0", extra="<TenderChange><Amount>30</Amount></TenderChange>"))
    wrong = transaction(sale(), tender("70"), total("65"), total("70", "TransactionNetAmount"))
    for content in (unknown, none, wrong):
        receipt = receipt_of(parse(poslog(content)))
        assert (receipt.total, receipt.flags) == (D(70), ("total-by-sum",))


def test_what_cannot_add_up_is_not_tried_for_ever(parse: Parse) -> None:
    tenders = "".join(tender(f"{n}.00") for n in range(1, 2_000))
    totals = "".join(total(f"{n}.77", f"T{n}") + total(f"0.{n:04}", f"Round{n}") for n in range(1, 2_000))
    start = perf_counter()
    reason = broken_reason(parse(poslog(transaction(sale(), tenders, total("0.99"), totals))))
    assert perf_counter() - start < 5
    assert len(reason) < 5_000


def test_without_a_total_that_fits_those_that_are_there_are_listed(parse: Parse) -> None:
    content = transaction(sale(), tender("70"), total("65", "ToPay"), total("3", "Items"))
    reason = broken_reason(parse(poslog(content)))
    assert "the Total of type TransactionGrandAmount is missing" in reason
    assert "ToPay 65, Items 3" in reason


ACCOUNT = (
    "<LoyaltyAccount><CustomerID>{}</CustomerID>"
    "<LoyaltyProgram><LoyaltyAccountID>{}</LoyaltyAccountID></LoyaltyProgram></LoyaltyAccount>"
)


@pytest.mark.parametrize("programme", ["Coinpoints", "CLUB24", "Guld", "1"])
def test_case_26_a_programme_is_no_customer(parse: Parse, programme: str) -> None:
    buyers = [
        transaction(sale(), tender("70"), total("70"), ACCOUNT.format(f"C-{n}", programme), number=n) for n in (1, 2)
    ]
    first, second = receipts_of(parse(poslog(*buyers)))
    for receipt, number in ((first, "C-1"), (second, "C-2")):
        assert receipt.customer is not None
        assert receipt.customer.identifiers == (Identifier("externalId", number),)
        assert receipt.flags == ("programme-as-account",)


def test_a_programme_by_its_own_element_and_by_its_vendor(parse: Parse) -> None:
    account = ACCOUNT.format("77", "P100").replace(
        "</LoyaltyProgram>", "<LoyaltyProgramID>P100</LoyaltyProgramID></LoyaltyProgram>"
    )
    named = receipt_of(parse(poslog(transaction(sale(), tender("70"), total("70"), account))))
    retalix = ACCOUNT.format("", "Club1").replace(
        "<LoyaltyProgram>", '<LoyaltyProgram xmlns:e="http://www.Retalix.com/Extensions">'
    )
    anonymous = receipt_of(parse(poslog(transaction(sale(), tender("70"), total("70"), retalix))))
    assert named.customer is not None
    assert named.customer.identifiers[0].value == "77"
    assert (anonymous.customer, anonymous.flags) == (None, ("programme-as-account",))


def test_a_card_that_customers_share_stays_the_card(parse: Parse) -> None:
    buyers = [
        transaction(sale(), tender("70"), total("70"), ACCOUNT.format(f"C-{n}", "90010"), number=n) for n in (1, 2)
    ]
    customers = [receipt.customer for receipt in receipts_of(parse(poslog(*buyers)))]
    assert [customer.identifiers[0].value for customer in customers if customer] == ["90010", "90010"]


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("r10-th", "Retalix R10, POSLog 6"),
        ("taxable-flag", "Retalix R10, POSLog 6"),
        ("xstore-nopv", "Oracle Xstore, POSLog 2"),
        ("wincor-void", "Wincor Nixdorf TP.net, POSLog 2.2"),
        ("kiosk-cl", "Napse Bridge, POSLog 2.2"),
        ("custorder-lines", "customer orders, POSLog 6"),
        ("fgl-discount", "ARTS with BusinessUnitNumber, POSLog 6"),
        ("fr-tx6", "ARTS, POSLog 6"),
        ("change-zero", "ARTS, POSLog 2"),
    ],
)
def test_the_dialect_is_recognised(name: str, dialect: str) -> None:
    settings = Settings(timezone=ZoneInfo("Europe/Stockholm"), loyalty="externalId")
    assert recognise(Document.from_path(READINGS / f"{name}.xml"), settings) == dialect


def test_what_is_no_poslog_is_not_recognised() -> None:
    settings = Settings(timezone=ZoneInfo("Europe/Stockholm"), loyalty="externalId")
    for content in (b"", b"<orders/>", b"\xff\xfe\x00", b"<?xml version='1.0' encoding='nonsense'?><a/>"):
        assert recognise(Document.from_bytes("doc", content), settings) == ""


def test_names_of_an_unknown_part_are_a_finding() -> None:
    with pytest.raises(ValueError, match="unknown part skus; known are"):
        Settings(timezone=ZoneInfo("Europe/Stockholm"), loyalty="externalId", names={"skus": ("Sku",)})


def test_the_readme_has_every_built_in_name() -> None:
    text = (Path(tillpost_poslog.__file__).parent / "README.md").read_text(encoding="utf-8")
    for part, paths in names_of({}).items():
        assert f"`{part}`" in text
        assert [path for path in ("/".join(path) for path in paths) if path not in text and "For" not in path] == []
