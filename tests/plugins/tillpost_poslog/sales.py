"""A transaction of POSLog in few words, for what vendors write into it."""

from __future__ import annotations

from decimal import Decimal as D

from tillpost.model import Broken, Found, NoReceipt, Parsed, Receipt


def sale(item: str = "A", amount: str = "70.00", *, extra: str = "", line: str = "", number: int = 1) -> str:
    """A line item with an article at this amount. `extra` stands in the Sale, `line` in the LineItem."""
    return (
        f"<LineItem><SequenceNumber>{number}</SequenceNumber><Sale><ItemID>{item}</ItemID>"
        f"<ExtendedAmount>{amount}</ExtendedAmount><Quantity>1</Quantity>{extra}</Sale>{line}</LineItem>"
    )


def tender(amount: str, kind: str = "Cash", *, extra: str = "", attributes: str = "", number: int = 9) -> str:
    """A line item with a tender."""
    return (
        f'<LineItem><SequenceNumber>{number}</SequenceNumber><Tender TenderType="{kind}" {attributes}>'
        f"<Amount>{amount}</Amount>{extra}</Tender></LineItem>"
    )


def total(amount: str, kind: str = "TransactionGrandAmount") -> str:
    """A Total."""
    return f'<Total TotalType="{kind}">{amount}</Total>'


def transaction(*parts: str, name: str = "RetailTransaction", number: int = 7, store: str = "") -> str:
    """A transaction with these parts, of an element of this name."""
    return (
        f"<Transaction>{store or '<RetailStoreID>1</RetailStoreID>'}<WorkstationID>1</WorkstationID>"
        f"<SequenceNumber>{number}</SequenceNumber><BusinessDayDate>2026-05-01</BusinessDayDate>"
        f"<EndDateTime>2026-05-01T10:00:00</EndDateTime><CurrencyCode>SEK</CurrencyCode>"
        f"<{name}>{''.join(parts)}</{name}></Transaction>"
    )


def poslog(*transactions: str) -> bytes:
    """A document of these transactions."""
    return f"<POSLog xmlns:v='urn:vendor'>{''.join(transactions)}</POSLog>".encode()


def receipt_of(records: list[Parsed]) -> Receipt:
    """The receipt of the only record."""
    [record] = records
    assert isinstance(record, Found), record
    return record.receipt


def broken_reason(records: list[Parsed]) -> str:
    """Why the only record is held."""
    [record] = records
    assert isinstance(record, Broken), record
    return record.reason


def skip_reason(records: list[Parsed]) -> str:
    """Why the only record, a sale, is not sent."""
    [record] = records
    assert isinstance(record, NoReceipt), record
    assert record.retail
    return record.reason


def paid(receipt: Receipt) -> list[tuple[str, D]]:
    """Type and amount of each tender."""
    return [(tender.type, tender.amount) for tender in receipt.tenders]
