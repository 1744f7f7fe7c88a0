"""Odd documents that only POSLog has; what every XML adapter has is tested in tests/plugins/xml_adapters."""

from collections.abc import Callable
from pathlib import Path

import pytest

import tillpost_poslog
from tillpost.model import Broken, Found, Parsed

Parse = Callable[..., list[Parsed]]


def transaction(number: int = 1, *, name: str = "Milk", amount: str = "5.00") -> str:
    return f"""<Transaction><RetailStoreID>1</RetailStoreID><WorkstationID>1</WorkstationID>
<SequenceNumber>{number}</SequenceNumber><BusinessDayDate>2026-03-14</BusinessDayDate>
<EndDateTime>2026-03-14T10:00:00</EndDateTime><CurrencyCode>USD</CurrencyCode><RetailTransaction>
<LineItem><SequenceNumber>1</SequenceNumber><Sale><ItemID>P</ItemID><Description>{name}</Description>
<ExtendedAmount>{amount}</ExtendedAmount><Quantity>1</Quantity></Sale></LineItem>
<LineItem><SequenceNumber>2</SequenceNumber><Tender TenderType="Cash"><Amount>5.00</Amount></Tender></LineItem>
<Total TotalType="TransactionGrandAmount">5.00</Total></RetailTransaction></Transaction>"""


def poslog(*transactions: str) -> str:
    return f"<POSLog xmlns='http://www.nrf-arts.org/IXRetail/namespace/'>{''.join(transactions)}</POSLog>"


def found(parsed: Parsed) -> Found:
    assert isinstance(parsed, Found), parsed
    return parsed


@pytest.mark.parametrize(("amount", "reason"), [("5,00", "not a number"), ("", "RegularSalesUnitPrice")])
def test_an_amount_that_is_not_a_number_is_named(parse: Parse, amount: str, reason: str) -> None:
    [broken] = parse(poslog(transaction(amount=amount)).encode())
    assert isinstance(broken, Broken)
    assert reason in broken.reason
    assert "line item 1, Sale" in broken.reason


def test_a_reference_split_between_two_pieces_is_found(parse: Parse) -> None:
    for shift in range(7):
        padding = "<!--" + "x" * (64 * 1024 - 480 + shift) + "-->"
        [marked] = parse(poslog(padding, transaction(name="A&#x0B;B" * 40)).encode())
        assert found(marked).receipt.lines[0].article_name == "AB" * 40


def test_without_a_business_date_the_day_of_the_receipt_counts(parse: Parse) -> None:
    content = transaction().replace("<BusinessDayDate>2026-03-14</BusinessDayDate>", "")
    [record] = parse(poslog(content).encode())
    assert found(record).receipt.id == "1_1_2026-03-14_1"


def test_every_sample_has_its_test() -> None:
    samples = {path.stem for path in (Path(tillpost_poslog.__file__).parent / "samples").glob("*.xml")}
    text = "".join((Path(__file__).parent / f"test_{name}.py").read_text() for name in ("samples", "special_sales"))
    assert {name for name in samples if f'sample("{name}"' in text} == samples
