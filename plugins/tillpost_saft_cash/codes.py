"""The tax authorities' code lists (predefinedBasicID), with the meaning of each code.

Source: Skatteetaten, "Norwegian SAF-T Cash Register data: code lists", lists 10, 11, 12 and 13. Denmark has the same.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class TransactionCode:
    """A code of list 11. sale: customers bought or returned something. credit: some of it is paid later."""

    name: str
    sale: bool
    credit: bool = False


TRANSACTIONS = {
    "11001": TransactionCode("cash sale", sale=True),
    "11002": TransactionCode("credit sale", sale=True, credit=True),
    "11003": TransactionCode("purchase from a supplier", sale=False),
    "11004": TransactionCode("payment", sale=False),
    "11005": TransactionCode("payment received on account", sale=False),
    "11006": TransactionCode("return payment", sale=True),
    "11007": TransactionCode("cash declaration", sale=False),
    "11008": TransactionCode("cash difference", sale=False),
    "11009": TransactionCode("correction", sale=True),
    "11010": TransactionCode("pay-out", sale=False),
    "11011": TransactionCode("pay-in", sale=False),
    "11012": TransactionCode("trade-in, exchange", sale=True),
    "11013": TransactionCode("return of products", sale=True),
    "11014": TransactionCode("inventory", sale=False),
    "11015": TransactionCode("cash and credit sale", sale=True, credit=True),
    "11016": TransactionCode("cash sale and return", sale=True),
    "11017": TransactionCode("credit sale and return", sale=True, credit=True),
    "11999": TransactionCode("other", sale=True),
}
"""List 11. "Other" is a sale where it has lines."""

RETURN_PAYMENT = "11006"
CORRECTION = "11009"

PAYMENTS = {
    "12001": "cash",
    "12002": "card",
    "12003": "card",
    "12004": "banktransfer",
    "12005": "giftcard",
    "12006": "account",
    "12007": "loyalty",
    "12008": "deposit",
    "12009": "check",
    "12010": "creditnote",
    "12011": "mobile",
    "12999": "other",
}
"""List 12 → payment type of Engage."""

EVENTS = {
    "13001": "application started",
    "13002": "application shut down",
    "13003": "employee logged in",
    "13004": "employee logged out",
    "13005": "cash drawer opened",
    "13006": "cash drawer closed",
    "13007": "application updated",
    "13008": "X report",
    "13009": "Z report",
    "13010": "transaction suspended",
    "13011": "transaction resumed",
    "13012": "sales receipt printed",
    "13013": "return receipt printed",
    "13014": "copy of a receipt printed",
    "13015": "provisional receipt printed",
    "13016": "delivery receipt printed",
    "13017": "training receipt printed",
    "13018": "other report or receipt",
    "13019": "cash withdrawal",
    "13020": "journal exported",
    "13021": "price changed",
    "13022": "price looked up",
    "13023": "training mode on",
    "13024": "training mode off",
    "13025": "memory full",
    "13026": "emergency mode on",
    "13027": "emergency mode off",
    "13028": "void receipt printed",
    "13029": "STEB receipt printed",
    "13030": "sale concluded without a receipt",
    "13999": "other event",
}
"""List 13. Events are ignored: a sale is a cashtransaction of its own."""

TIP = "10001"
"""List 10: the code of a raise that is a tip."""
