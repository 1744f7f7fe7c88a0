"""Each sample that ships with the adapter, with its figures."""

from collections.abc import Callable
from decimal import Decimal
from zoneinfo import ZoneInfo

from tillpost.model import Found, Identifier, LineKind, NoReceipt, Parsed, Receipt

Sample = Callable[..., list[Parsed]]


def receipt_of(parsed: list[Parsed]) -> Receipt:
    [found] = parsed
    assert isinstance(found, Found), found
    return found.receipt


def test_a_sale_of_2_2_1_with_the_tax_in_the_prices(sample: Sample) -> None:
    receipt = receipt_of(sample("sale-2.2.1", timezone=ZoneInfo("Europe/Stockholm"), loyalty="memberNumber"))
    assert (receipt.id, receipt.number) == ("600_2_2026-03-14_1041", "600-1041")
    assert receipt.created.isoformat() == "2026-03-14T17:05:09+01:00"
    assert receipt.total == Decimal(956)
    shoe, bar = receipt.lines
    assert (shoe.paid, shoe.tax_amount, shoe.tax_percent) == (Decimal(900), Decimal(180), Decimal(25))
    assert (shoe.sku, shoe.article_group, shoe.discounts[0].value) == ("A-100", "Shoes", Decimal(-100))
    assert (bar.quantity, bar.paid, bar.tax_amount) == (Decimal(2), Decimal(56), Decimal(6))
    assert [(tender.type, tender.amount) for tender in receipt.tenders] == [
        ("cash", Decimal(1000)),
        ("cash", Decimal(-44)),
    ]
    assert [(tax.percent, tax.excluding_tax, tax.amount) for tax in receipt.taxes] == [
        (Decimal(25), Decimal(720), Decimal(180)),
        (Decimal(12), Decimal(50), Decimal(6)),
    ]
    assert receipt.customer is not None
    assert receipt.customer.identifiers == (
        Identifier("memberNumber", "C-7001"),
        Identifier("email", "asa.oberg@example.com"),
    )
    assert receipt.customer.attributes == {"firstName": "Åsa", "lastName": "Öberg"}


def test_an_exchange_that_pays_money_back(sample: Sample) -> None:
    receipt = receipt_of(sample("return"))
    lamp, bulb = receipt.lines
    assert receipt.total == Decimal(-33)
    assert (lamp.kind, lamp.quantity, lamp.paid, lamp.tax_amount) == (
        LineKind.RETURN,
        Decimal(-2),
        Decimal(-44),
        Decimal(-4),
    )
    assert (bulb.kind, bulb.quantity, bulb.paid, bulb.tax_amount) == (
        LineKind.PURCHASE,
        Decimal(1),
        Decimal(11),
        Decimal(1),
    )
    assert [(tender.type, tender.amount) for tender in receipt.tenders] == [("card", Decimal(-33))]
    assert (receipt.taxes[0].excluding_tax, receipt.taxes[0].including_tax) == (Decimal(-30), Decimal(-33))


def test_voided_lines_are_netted(sample: Sample) -> None:
    receipt = receipt_of(sample("void-lines"))
    assert [(line.sku, line.quantity, line.paid) for line in receipt.lines] == [("R", Decimal(3), Decimal(6))]
    assert [(tender.type, tender.amount) for tender in receipt.tenders] == [("cash", Decimal(6))]


def test_a_post_void_takes_its_sale_with_it(sample: Sample) -> None:
    first, void, stands, other = sample("post-void")
    assert isinstance(first, NoReceipt)
    assert first.reason == "voided afterwards by store 600, till 2, number 51 of 2026-03-14"
    assert isinstance(void, NoReceipt)
    assert void.reason == "post-void of store 600, till 2, number 50 of 2026-03-14"
    assert isinstance(stands, Found)
    assert stands.receipt.total == Decimal(5)
    assert isinstance(other, NoReceipt)
    assert "not in this document" in other.reason
    assert first.retail
    assert void.retail
    assert other.retail
    named = [(item.store, item.till, item.number, item.date) for item in (first, void, other)]
    assert named == [("600", "2", number, "2026-03-14") for number in ("50", "51", "53")]  # so none of them is a gap


def test_weighed_goods_rewards_tax_and_cash_back(sample: Sample) -> None:
    receipt = receipt_of(sample("weighed", strip_zeros=True))
    yam, candle, bottles = receipt.lines
    assert (yam.quantity, yam.paid, yam.tax_amount) == (Decimal("0.57"), Decimal("1.14"), Decimal(0))
    assert (candle.paid, candle.tax_amount, candle.tax_percent) == (Decimal("9.91"), Decimal("0.91"), Decimal("10.1"))
    assert [discount.value for discount in candle.discounts] == [Decimal("-1.00")]
    assert (bottles.kind, bottles.paid) == (LineKind.ADJUSTMENT, Decimal("-0.50"))
    assert [(tender.type, tender.amount) for tender in receipt.tenders] == [
        ("card", Decimal("30.55")),
        ("cash", Decimal(-20)),
    ]
    assert receipt.total == Decimal("10.55")
    assert receipt.customer is not None
    assert receipt.customer.identifiers == (Identifier("externalId", "123456"),)


def test_a_record_that_is_not_a_sale_has_its_reason(sample: Sample) -> None:
    found = [(record.reason, record.retail) for record in sample("no-sales") if isinstance(record, NoReceipt)]
    assert found == [
        ("training", True),
        ("suspended", True),
        ("cancelled", True),
        ("copy", True),
        ("voided", True),
        ("ControlTransaction: OperatorSignOn", False),
        ("TenderControlTransaction: TillSettle", False),
    ]


def test_a_sale_of_6_in_a_vendor_namespace(sample: Sample) -> None:
    receipt = receipt_of(sample("sale-6", tenders={"BitCoupon": "voucher"}))
    first, second = receipt.lines
    # 20 - 4 and 14 carry the discount of 3 as 1.60 and 1.40, and the tax of 2.16 by what is left.
    assert [discount.value for discount in first.discounts] == [Decimal(-4), Decimal("-1.76")]
    assert [discount.value for discount in second.discounts] == [Decimal("-1.24")]
    assert first.paid + second.paid == receipt.total == Decimal("29.16")
    assert first.tax_amount + second.tax_amount == Decimal("2.16")
    assert [(tender.type, tender.amount) for tender in receipt.tenders] == [
        ("giftcard", Decimal(20)),
        ("voucher", Decimal("9.16")),
    ]
    assert receipt.store == "åäö/12:3"
    assert receipt.customer is not None
    assert receipt.customer.identifiers[0].value == "L-88"
    assert receipt.flags == ("dst-ambiguous",)
    assert receipt.created.isoformat() == "2026-11-01T01:30:00-04:00"
