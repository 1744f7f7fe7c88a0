"""Who bought: national ids with their century, mobile phones, ids of the receipt service."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tillpost_digital_receipt
from tests.support.adapter import receipts, records
from tillpost.model import Customer, Receipt
from tillpost_digital_receipt.national_id import national_id

DAY = date(2026, 3, 14)


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("198112189876", "198112189876"),
        ("19811218-9876", "198112189876"),
        ("811218-9876", "198112189876"),
        ("8112189876", "198112189876"),  # 2081 has not come
        ("8112789873", "198112789873"),  # a coordination number, of the 18th
        ("8112789874", ""),
        ("811218-9877", ""),  # wrong check digit
        ("201302303338", ""),  # 30 February
        ("19811278", ""),
        ("", ""),
        ("anna@example.com", ""),
        ("1503141234", ""),  # born 2015 or, at 111, 1915
        ("150314-1234", "201503141234"),
        ("150314+1234", "191503141234"),
        ("811218+9876", ""),  # at 145 nobody lives
        ("20811218-9876", ""),  # not born yet
        ("260314-0001", "202603140001"),  # born today
    ],
)
def test_a_national_id_is_twelve_digits_or_nothing(written: str, known: str) -> None:
    assert national_id(written, DAY) == known


def _checked(nine: str) -> str:
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(nine))
    return nine + str(-sum(value // 10 + value % 10 for value in doubled) % 10)


@given(st.dates(date(1915, 1, 1), DAY), st.integers(0, 999), st.booleans())
def test_whoever_is_alive_is_found_by_ten_digits_and_a_sign(born: date, number: int, coordination: bool) -> None:
    moved = 60 if coordination else 0
    ten = _checked(f"{born:%y%m}{born.day + moved:02}{number:03}")
    sign = "+" if DAY.year - born.year >= 100 else "-"
    twelve = f"{born:%Y}"[:2] + ten
    assert national_id(ten[:6] + sign + ten[6:], DAY) == twelve
    assert national_id(twelve, DAY) == twelve
    assert national_id(ten, DAY) in (twelve, "")


def customer(inner: str, **settings: object) -> Customer | None:
    return read(inner, **settings).customer


def read(inner: str, **settings: object) -> Receipt:
    document = f"""<DigitalReceipt><Transaction>
<BusinessUnit><UnitID>1</UnitID></BusinessUnit><WorkstationID>1</WorkstationID>
<SequenceNumber>1</SequenceNumber><ReceiptDateTime>2026-03-14T10:00:00</ReceiptDateTime><RetailTransaction>
<LineItem><Sale><ItemID>P</ItemID><ExtendedAmount>5</ExtendedAmount></Sale></LineItem>
<LineItem><Tender><Amount>5</Amount></Tender></LineItem><Total TotalType="TransactionGrandAmount">5</Total>
{inner}</RetailTransaction></Transaction></DigitalReceipt>"""
    given = {"loyalty": "memberNumber", **settings}
    [receipt] = receipts(list(records(tillpost_digital_receipt.plugin, document.encode(), **given)))
    return receipt


def phone(country: str, area: str, local: str, attrs: str = "") -> str:
    return (
        f"<Customer><TelephoneNumber{attrs}><AreaCode>{area}</AreaCode><LocalNumber>{local}</LocalNumber>"
        f"<ITUCountryCode>{country}</ITUCountryCode></TelephoneNumber></Customer>"
    )


@pytest.mark.parametrize(
    ("inner", "known"),
    [
        (phone("", "070", "1740605"), "+46701740605"),
        (phone("46", "070", "174 06 05"), "+46701740605"),
        (phone("", "", "+46(0)701740605"), "+46701740605"),
        (phone("", "", "0046701740605"), "+46701740605"),
        (phone("", "0771", "584886"), ""),
        (phone("47", "", "91234567"), ""),
        (phone("47", "", "91234567", ' TypeCode="Mobile"'), "+4791234567"),
        ('<Receiver Type="TelephoneNumber">070-174 06 05</Receiver>', "+46701740605"),
        ('<Receiver Type="TelephoneNumber">08-123</Receiver>', ""),
    ],
)
def test_mobile_phones_are_e164_and_landlines_are_not_used_and_flagged(inner: str, known: str) -> None:
    found = customer(inner)
    assert ("phone-left-out" in read(inner).flags) == (not known)
    assert ([(identifier.kind, identifier.value) for identifier in found.identifiers] if found else []) == (
        [("mobilePhone", known)] if known else []
    )


def test_an_id_of_the_receipt_service_counts_where_a_setting_says_what_it_is() -> None:
    inner = '<Receiver Type="ServiceID">S-1</Receiver>'
    assert customer(inner) is None
    found = customer(inner, service_id="externalId")
    assert found is not None
    assert [(identifier.kind, identifier.value) for identifier in found.identifiers] == [("externalId", "S-1")]


CARD = "<LoyaltyAccount><LoyaltyCard><PrimaryAccountNumber>L-9</PrimaryAccountNumber></LoyaltyCard></LoyaltyAccount>"
ZEROS = "<LoyaltyAccount><CustomerID>000</CustomerID></LoyaltyAccount>"


@pytest.mark.parametrize(
    ("inner", "number"),
    [(CARD, "L-9"), (ZEROS, ""), (f"{ZEROS}<Customer><CustomerID>77</CustomerID></Customer>", "77")],
)
def test_loyalty_numbers_and_a_number_of_zeros_identifies_nobody(inner: str, number: str) -> None:
    found = customer(inner)
    assert ([identifier.value for identifier in found.identifiers] if found else []) == ([number] if number else [])
