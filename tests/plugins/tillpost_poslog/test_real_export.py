"""A day of a real store, against figures taken by lxml alone, without the adapter."""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from tillpost.model import Found, LineKind, NoReceipt, Parsed, Receipt
from tillpost.model.receipt_json import dumps, loads

ARTS = "{http://www.nrf-arts.org/IXRetail/namespace/}"
ACS = "{http://www.ncr.com/rsd/acs/tlog/markup/poslog/2.1}"


@pytest.fixture
def tree(export: Path) -> etree._Element:
    return etree.parse(export).getroot()


@pytest.fixture
def receipts(parse: Callable[..., list[Parsed]], export: Path) -> list[Receipt]:
    return [found.receipt for found in parse(export) if isinstance(found, Found)]


def total_of(tree: etree._Element, kind: str) -> Decimal:
    return sum(
        (Decimal(total.text or "") for total in tree.iter(f"{ARTS}Total") if total.get("TotalType") == kind), Decimal(0)
    )


def test_every_transaction_is_accounted_for(parse: Callable[..., list[Parsed]], export: Path) -> None:
    parsed = parse(export)
    assert len(parsed) == 51
    assert sum(isinstance(found, Found) for found in parsed) == 42
    controls = [found for found in parsed if isinstance(found, NoReceipt)]
    assert len(controls) == 9
    assert not any(control.retail for control in controls)
    assert sum("NoSale" in control.reason for control in controls) == 2


def test_totals_and_taxes_agree_to_the_cent(receipts: list[Receipt], tree: etree._Element) -> None:
    assert sum(receipt.total for receipt in receipts) == total_of(tree, "TransactionGrandAmount") == Decimal("2643.72")
    taxed = total_of(tree, "TransactionTaxAmount")
    assert taxed > 0
    assert sum(tax.amount for receipt in receipts for tax in receipt.taxes) == taxed
    assert sum(line.tax_amount for receipt in receipts for line in receipt.lines) == taxed


def test_each_receipt_has_the_total_the_till_printed(receipts: list[Receipt], tree: etree._Element) -> None:
    printed = {}
    for transaction in tree.iter(f"{ARTS}Transaction"):
        for total in transaction.iter(f"{ARTS}Total"):
            if total.get("TotalType") == "TransactionGrandAmount":
                till, number = (
                    transaction.findtext(f"{ARTS}WorkstationID"),
                    transaction.findtext(f"{ARTS}SequenceNumber"),
                )
                printed[till, number] = Decimal(total.text or "")
    assert {(receipt.till, receipt.number): receipt.total for receipt in receipts} == printed


def test_tenders_agree_by_type(receipts: list[Receipt], tree: etree._Element) -> None:
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for tender in tree.iter(f"{ARTS}Tender"):
        expected[{"CreditDebit": "card", "Cash": "cash"}[tender.get("TenderType", "")]] += Decimal(
            tender.findtext(f"{ARTS}Amount") or ""
        )
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for receipt in receipts:
        for paid in receipt.tenders:
            totals[paid.type] += paid.amount
    assert totals == expected
    assert sum(paid.amount < 0 for receipt in receipts for paid in receipt.tenders) == 9


def test_discounts_are_the_rewards_stated_once(receipts: list[Receipt], tree: etree._Element) -> None:
    rewards = Decimal(0)
    for reward in tree.iter(f"{ARTS}LoyaltyReward"):
        if reward.get(f"{ACS}detailedData") == "true" and reward.findtext(f"{ACS}RewardCategory") == "Monetary":
            rewards += Decimal(reward.findtext(f"{ACS}ExtendedRewardAmount") or "")
    discounts = [discount for receipt in receipts for line in receipt.lines for discount in line.discounts]
    assert sum(discount.value for discount in discounts) == rewards < 0
    assert all(discount.value < 0 for discount in discounts)


def test_tax_is_on_the_lines_the_till_marked(receipts: list[Receipt], tree: etree._Element) -> None:
    marked = {}
    for transaction in tree.iter(f"{ARTS}RetailTransaction"):
        kept: dict[tuple[str | None, bool], Decimal] = defaultdict(Decimal)
        for sale in transaction.iter(f"{ARTS}Sale"):
            taxed = any(itemizers.get("Tax1") == "true" for itemizers in sale.iter(f"{ACS}Itemizers"))
            kept[sale.findtext(f"{ARTS}ItemID"), taxed] += Decimal(sale.findtext(f"{ARTS}ExtendedAmount") or "")
        for reward in transaction.iter(f"{ARTS}LoyaltyReward"):
            item = reward.findtext(f"{ACS}RewardBasis/{ACS}ItemID")
            if reward.findtext(f"{ACS}RewardType") == "FreeItem":
                kept[item, (item, True) in kept] += Decimal(reward.findtext(f"{ACS}ExtendedRewardAmount") or "")
        till = transaction.getparent()
        assert till is not None
        key = till.findtext(f"{ARTS}WorkstationID"), till.findtext(f"{ARTS}SequenceNumber")
        marked[key] = {sku for (sku, taxed), amount in kept.items() if taxed and amount}
    totals = {
        (receipt.till, receipt.number): {line.sku for line in receipt.lines if line.tax_amount} for receipt in receipts
    }
    assert totals == marked
    assert sum(map(bool, totals.values())) == 23


def test_the_traps_of_the_file(receipts: list[Receipt], tree: etree._Element) -> None:
    lines = [line for receipt in receipts for line in receipt.lines]
    voided = sum(item.get("VoidFlag") == "true" for item in tree.iter(f"{ARTS}LineItem"))
    assert voided == 4
    assert len(lines) == len(list(tree.iter(f"{ARTS}Sale"))) - 2 * voided
    [bottles] = [line for line in lines if line.kind is LineKind.ADJUSTMENT]
    assert (bottles.article_name, bottles.quantity, bottles.paid) == ("BOTTLE REFUND", Decimal(1), Decimal("-2.00"))
    assert sum(line.quantity != line.quantity.to_integral_value() for line in lines) > 100


def test_loyalty_cards_become_customers_and_the_others_have_none(receipts: list[Receipt], tree: etree._Element) -> None:
    cards = {element.text for element in tree.iter(f"{ACS}LoyaltyID")}
    known = [receipt.customer for receipt in receipts if receipt.customer]
    assert len(known) == 4
    assert {customer.identifiers[0].value for customer in known} == cards
    assert {customer.identifiers[0].kind for customer in known} == {"externalId"}


def test_ids_are_distinct_and_the_same_at_every_reading(
    parse: Callable[..., list[Parsed]], export: Path, receipts: list[Receipt]
) -> None:
    assert len({receipt.id for receipt in receipts}) == 42
    again = [found.receipt for found in parse(export) if isinstance(found, Found)]
    assert [dumps(receipt) for receipt in again] == [dumps(receipt) for receipt in receipts]
    assert [loads(dumps(receipt)) for receipt in receipts] == receipts


def test_the_raw_record_reads_alone_to_the_same_receipt(parse: Callable[..., list[Parsed]], export: Path) -> None:
    for found in parse(export):
        if isinstance(found, Found):
            [alone] = parse(found.raw)
            assert isinstance(alone, Found)
            assert (alone.receipt.id, alone.receipt.total, alone.receipt.lines) == (
                found.receipt.id,
                found.receipt.total,
                found.receipt.lines,
            )


def test_printed_local_time_gets_the_offset_of_the_zone(receipts: list[Receipt]) -> None:
    assert receipts[0].created.isoformat() == "2017-10-01T15:15:25-04:00"
