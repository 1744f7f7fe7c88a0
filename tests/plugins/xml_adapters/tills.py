"""Documents of the XML adapters, each built around one broken or odd value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs

import tillpost_digital_receipt
import tillpost_poslog
import tillpost_saft_cash
from tests.support.adapter import records
from tillpost import Plugin
from tillpost.model import Parsed

PLUGINS = Path(tillpost_saft_cash.__file__).parents[1]


@attrs.frozen
class Till:
    """A format: how a document is built of records, and a record of the values under test."""

    name: str
    plugin: Plugin
    settings: Mapping[str, Any]
    document: Callable[[str], str]
    record: Callable[..., str]
    line: str
    noun: str
    no_sales: tuple[str, ...]
    """Flags of a record that is skipped."""
    beyond: tuple[str, str]
    """Text of a record and its replacement, with amounts in bounds whose product is not."""

    @property
    def folder(self) -> Path:
        """The samples that ship with the adapter."""
        return PLUGINS / f"tillpost_{self.name.replace('-', '_')}" / "samples"

    def parse(self, source: Path | bytes) -> Iterator[Parsed]:
        """The records of a document, one at a time."""
        return records(self.plugin, source, **self.settings)


def _saft(inner: str) -> str:
    return (
        "<auditfile xmlns='urn:StandardAuditFile-Taxation-CashRegister:NO'><header><curCode>NOK</curCode></header>"
        "<company><customersSuppliers><customerSupplier><custSupID>77</custSupID><custSupName>Anna</custSupName>"
        "<eMail>anna@example.com</eMail></customerSupplier></customersSuppliers><location><name>1</name><cashregister>"
        f"<registerID>1</registerID>{inner}</cashregister></location></company></auditfile>"
    )


_SAFT_LINE = (
    "<ctLine><lineID>{id}</lineID><artID>P</artID><qnt>{quantity}</qnt><lineAmntIn>{amount}</lineAmntIn>"
    "<lineAmntEx>{amount}</lineAmntEx><amntTp>C</amntTp><cashTransLineDescr>{name}</cashTransLineDescr></ctLine>"
)


def _transaction(
    number: int = 1,
    *,
    name: str = "Milk",
    amount: str = "5.00",
    quantity: str = "1",
    total: str = "5.00",
    time: str = "2026-03-14T10:00:00",
    more: str = "",
    customer: bool = False,
    flag: str = "",
) -> str:
    day, _, clock = time.partition("T")
    line = _SAFT_LINE.format(id=1, quantity=quantity, amount=amount, name=name)
    who = "<custSupID>77</custSupID>" if customer else ""
    marks = {"training": "<trainingID>true</trainingID>", "voided": "<voidTransaction>true</voidTransaction>"}
    return (
        f"<cashtransaction><nr>{number}</nr><transID>{number}</transID><transAmntIn>{total}</transAmntIn>"
        f"<amntTp>C</amntTp>{who}<transDate>{day}</transDate><transTime>{clock}</transTime>\n{line}{more}"
        f"<payment><paymentType>12001</paymentType><paidAmnt>{total}</paidAmnt></payment>"
        f"{marks.get(flag, '')}</cashtransaction>"
    )


_ITEM = (
    "<LineItem><Sale><ItemID>P</ItemID><Description>{name}</Description><ExtendedAmount>{amount}</ExtendedAmount>"
    "<Quantity>{quantity}</Quantity></Sale><SequenceNumber>{id}</SequenceNumber></LineItem>"
)


def _digital(inner: str) -> str:
    return f"<DigitalReceipt xmlns='http://www.nrf-arts.org/IXRetail/namespace/'>{inner}</DigitalReceipt>"


def _receipt(
    number: int = 1,
    *,
    name: str = "Milk",
    amount: str = "5.00",
    quantity: str = "1",
    total: str = "5.00",
    time: str = "2026-03-14T10:00:00",
    more: str = "",
    customer: bool = False,
    flag: str = "",
) -> str:
    who = "<Customer><CustomerID>77</CustomerID><EMail><EMailAddress>anna@example.com</EMailAddress></EMail></Customer>"
    marks = {"training": " TrainingModeFlag='true'", "voided": " VoidFlag='true'", "copy": " Copy='1'"}
    return (
        f"<Transaction{marks.get(flag, '')}><BusinessUnit><UnitID>1</UnitID></BusinessUnit>"
        f"<WorkstationID>1</WorkstationID><SequenceNumber>{number}</SequenceNumber><CurrencyCode>SEK</CurrencyCode>"
        f"<ReceiptDateTime>{time}</ReceiptDateTime>"
        f"<RetailTransaction>\n{_ITEM.format(id=1, quantity=quantity, amount=amount, name=name)}{more}"
        f"<LineItem><Tender TenderType='Cash'><Amount>{total}</Amount></Tender></LineItem>"
        f"<Total TotalType='TransactionGrandAmount'>{total}</Total>{who if customer else ''}"
        "</RetailTransaction></Transaction>"
    )


def _poslog(inner: str) -> str:
    return f"<POSLog xmlns='http://www.nrf-arts.org/IXRetail/namespace/'>{inner}</POSLog>"


def _retail(
    number: int = 1,
    *,
    name: str = "Milk",
    amount: str = "5.00",
    quantity: str = "1",
    total: str = "5.00",
    time: str = "2026-03-14T10:00:00",
    more: str = "",
    customer: bool = False,
    flag: str = "",
) -> str:
    who = "<Customer><CustomerID>77</CustomerID><eMail>anna@example.com</eMail></Customer>" if customer else ""
    marks = {"training": " TrainingModeFlag='true'", "voided": " TransactionStatus='Voided'", "copy": " CopyFlag='1'"}
    return (
        f"<Transaction{marks.get(flag, '')}><RetailStoreID>1</RetailStoreID><WorkstationID>1</WorkstationID>"
        f"<SequenceNumber>{number}</SequenceNumber><BusinessDayDate>2026-03-14</BusinessDayDate>"
        f"<EndDateTime>{time}</EndDateTime><CurrencyCode>SEK</CurrencyCode>"
        f"<RetailTransaction>\n{_ITEM.format(id=1, quantity=quantity, amount=amount, name=name)}{more}"
        f"<LineItem><Tender TenderType='Cash'><Amount>{total}</Amount></Tender></LineItem>"
        f"<Total TotalType='TransactionGrandAmount'>{total}</Total>{who}</RetailTransaction></Transaction>"
    )


TILLS = (
    Till(
        name="poslog",
        plugin=tillpost_poslog.plugin,
        settings={"loyalty": "memberNumber", "timezone": ZoneInfo("Europe/Stockholm")},
        document=_poslog,
        record=_retail,
        line=_ITEM.format(id=3, quantity="1", amount="0.01", name="Nail"),
        noun="transaction",
        no_sales=("training", "voided", "copy"),
        beyond=(
            "<ExtendedAmount>5.00</ExtendedAmount><Quantity>1<",
            "<RegularSalesUnitPrice>999999999999999</RegularSalesUnitPrice><Quantity>99999999999999.9<",
        ),
    ),
    Till(
        name="saft-cash",
        plugin=tillpost_saft_cash.plugin,
        settings={"customer": "memberNumber"},
        document=_saft,
        record=_transaction,
        line=_SAFT_LINE.format(id=2, quantity="1", amount="0.01", name="Nail"),
        noun="cashtransaction",
        no_sales=("training", "voided"),  # a copy is an event of its own
        beyond=(
            "<paidAmnt>5.00</paidAmnt>",
            "<paidAmnt>999999999999999</paidAmnt><curCode>EUR</curCode><exchRt>99999999999999.9</exchRt>",
        ),
    ),
    Till(
        name="digital-receipt",
        plugin=tillpost_digital_receipt.plugin,
        settings={"loyalty": "memberNumber"},
        document=_digital,
        record=_receipt,
        line=_ITEM.format(id=3, quantity="1", amount="0.01", name="Nail"),
        noun="transaction",
        no_sales=("training", "voided", "copy"),
        beyond=(
            "<ExtendedAmount>5.00</ExtendedAmount><Quantity>1<",
            "<ActualSalesUnitPrice>999999999999999</ActualSalesUnitPrice><Quantity>99999999999999.9<",
        ),
    ),
)
