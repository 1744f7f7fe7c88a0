"""What stands beside plain sales: layaways, deposits, repeated discounts, linked returns, a vendor's extensions."""

from collections.abc import Callable
from decimal import Decimal as D

import pytest

from tillpost.model import Broken, Found, Identifier, LineKind, NoReceipt, Parsed, Receipt

Sample = Callable[..., list[Parsed]]


def receipt_of(record: Parsed) -> Receipt:
    assert isinstance(record, Found), record
    return record.receipt


def reason_of(record: Parsed) -> str:
    assert isinstance(record, NoReceipt), record
    assert record.retail
    return record.reason


def test_a_layaway_is_a_sale_when_it_is_completed(sample: Sample) -> None:
    put_aside, instalment, coat, ring, given_up, order, beside, untold, desk = sample("layaway")
    assert reason_of(put_aside).startswith("layaway")
    assert reason_of(instalment).startswith("layaway")
    assert reason_of(given_up).startswith("layaway")
    assert reason_of(order).startswith("customer order")
    whole, other = receipt_of(coat), receipt_of(ring)
    assert [(line.kind, line.sku, line.paid) for line in whole.lines] == [(LineKind.PURCHASE, "COAT", D(100))]
    assert [(tender.type, tender.amount) for tender in whole.tenders] == [("card", D(50)), ("deposit", D(50))]
    assert (other.total, [(line.sku, line.paid) for line in other.lines]) == (D(200), [("RING", D(200))])
    assert [(tender.type, tender.amount) for tender in other.tenders] == [("cash", D(140)), ("deposit", D(60))]
    mixed = receipt_of(beside)
    assert [(line.kind, line.sku, line.paid) for line in mixed.lines] == [
        (LineKind.PURCHASE, "SCARF", D(15)),
        (LineKind.ADJUSTMENT, "Deposit", D(10)),
    ]
    # Nothing says that 20.00 were paid before: it may as well be an error of the till.
    assert isinstance(untold, Broken)
    assert "20" in untold.reason
    assert [(tender.type, tender.amount) for tender in receipt_of(desk).tenders] == [
        ("cash", D(70)),
        ("deposit", D(30)),
    ]


def test_bottle_deposits_are_not_articles(sample: Sample) -> None:
    bought, netted, alone = (receipt_of(record) for record in sample("deposits"))
    assert [(line.kind, line.quantity, line.paid) for line in bought.lines] == [
        (LineKind.PURCHASE, D(2), D(24)),
        (LineKind.ADJUSTMENT, D(2), D(4)),
    ]
    assert [(line.kind, line.quantity, line.paid) for line in netted.lines] == [
        (LineKind.PURCHASE, D(2), D(24)),
        (LineKind.ADJUSTMENT, D(3), D(-6)),
    ]
    assert (alone.total, alone.lines[0].kind, alone.lines[0].paid) == (D(-6), LineKind.ADJUSTMENT, D(-6))
    assert [(tender.type, tender.amount) for tender in alone.tenders] == [("cash", D(-6))]


def test_a_discount_its_lines_repeat_counts_once(sample: Sample) -> None:
    off_already, not_off, marked_down, alone = (receipt_of(record) for record in sample("repeated-discount"))
    for receipt in (off_already, not_off):
        assert [(line.paid, [discount.value for discount in line.discounts]) for line in receipt.lines] == [
            (D(54), [D(-6)]),
            (D(36), [D(-4)]),
        ]
    assert [(line.paid, [discount.value for discount in line.discounts]) for line in marked_down.lines] == [
        (D(54), [D(-6)]),
        (D(31), [D(-9)]),
    ]
    assert sum(line.paid for line in alone.lines) == alone.total == D(85)
    assert sum(discount.value for line in alone.lines for discount in line.discounts) == D(-15)


def test_a_day_in_the_manner_of_retalix(sample: Sample) -> None:
    sale, returned, training, aborted = sample("retalix-6", loyalty_from=("CustomerID",))
    receipt = receipt_of(sale)
    assert (receipt.id, receipt.total, receipt.currency) == ("600_4_2026-03-14_71", D(45), "GBP")
    assert receipt.created.isoformat(timespec="seconds") == "2026-03-14T09:03:23+00:00"
    [lamp] = receipt.lines
    assert (lamp.paid, lamp.tax_amount, [discount.value for discount in lamp.discounts]) == (D(45), D("7.50"), [D(-5)])
    assert [(tender.type, tender.amount) for tender in receipt.tenders] == [("cash", D(50)), ("cash", D(-5))]
    assert receipt.customer is not None
    assert receipt.customer.identifiers == (Identifier("externalId", "4320071"),)
    assert receipt.customer.attributes == {"firstName": "Ann", "lastName": "Miller"}
    assert receipt_of(returned).lines[0].extra == {"originalReceipt": "601_9_2026-03-10_12"}
    assert (reason_of(training), reason_of(aborted)) == ("training", "cancelled")


def test_a_return_names_its_original_by_what_the_link_tells(sample: Sample) -> None:
    [record] = sample("return")
    lamp, bulb = receipt_of(record).lines
    # The link has no day, and the day of the return is hardly that of the sale: the number alone.
    assert (lamp.extra, bulb.extra) == ({"originalReceipt": "900"}, {})


@pytest.mark.parametrize("first", ["sale", "void"])
def test_a_post_void_before_or_after_its_sale_is_distinguished_from_one_of_another_day(
    parse: Callable[..., list[Parsed]], first: str
) -> None:
    def transaction(number: int, link: str = "") -> str:
        return (
            "<Transaction><RetailStoreID>1</RetailStoreID><WorkstationID>1</WorkstationID>"
            f"<SequenceNumber>{number}</SequenceNumber><BusinessDayDate>2026-03-14</BusinessDayDate>"
            "<EndDateTime>2026-03-14T10:00:00</EndDateTime><CurrencyCode>USD</CurrencyCode><RetailTransaction>"
            "<LineItem><Sale><ItemID>P</ItemID><ExtendedAmount>5</ExtendedAmount></Sale></LineItem>"
            '<LineItem><Tender TenderType="Cash"><Amount>5</Amount></Tender></LineItem>'
            f'<Total TotalType="TransactionGrandAmount">5</Total>{link}</RetailTransaction></Transaction>'
        )

    void = '<TransactionLink ReasonCode="Void"><SequenceNumber>{}</SequenceNumber></TransactionLink>'
    both = [transaction(1), transaction(2, void.format(1))]
    body = "".join((*(both if first == "sale" else both[::-1]), transaction(3, void.format(99)), transaction(4)))
    *pair, elsewhere, stands = parse(f"<POSLog>{body}</POSLog>".encode())
    reasons = {reason_of(record) for record in pair}
    assert reasons == {
        "post-void of store 1, till 1, number 1 of 2026-03-14",
        "voided afterwards by store 1, till 1, number 2 of 2026-03-14",
    }
    assert "not in this document" in reason_of(elsewhere)
    assert receipt_of(stands).total == D(5)


def test_a_long_basket_with_a_vendors_own_data(sample: Sample) -> None:
    [record] = sample("basket")
    receipt = receipt_of(record)
    assert len(receipt.lines) == 12
    assert receipt.lines[0].article_name == "Milk"
    assert sum(line.paid for line in receipt.lines) == receipt.total == D("595.60")
    assert sum(line.tax_amount for line in receipt.lines) == D("63.81")
