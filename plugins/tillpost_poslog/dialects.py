"""What the standard and its vendors call things, as tables; local names and values without a vendor's prefix.

Sources: the schemas of ARTS (POSLog, and the line items that Digital Receipt 2.0 shares with POSLog 6), exports and
exporters that are public. A vendor that is missing is a row of DIALECTS, or the settings `names` and `tenders`.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class Dialect:
    """How one vendor writes POSLog, as far as it differs from the standard.

    name: shown by `tillpost adapter try`. marks: texts of which one stands in its documents, before or in the first
    transaction: a namespace, or an element. names: part (of STANDARD) → further paths.
    """

    name: str
    marks: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]] = {}


STANDARD: Mapping[str, tuple[str, ...]] = {
    "transactions": ("POSLog",),
    "sale": ("RetailTransaction",),
    "ignored": (),
    "store": ("RetailStoreID", "BusinessUnit/UnitID"),
    "till": ("WorkstationID",),
    "number": ("SequenceNumber",),
    "date": ("BusinessDayDate",),
    "total": ("TransactionGrandAmount", "TransactionTotalAmount", "TransactionGrossAmount"),
    "bought": ("Sale", "SaleForDelivery", "SaleForPickup"),
    "returned": ("Return", "ReturnForDelivery", "ReturnForPickup"),
    "item": ("ItemID",),
    "scanned": ("POSIdentity/POSItemID",),
    "name": ("Description",),
    "group": ("MerchandiseHierarchy",),
    "quantity": ("Quantity",),
    "amount": ("ExtendedAmount",),
    "price": ("ActualSalesUnitPrice",),
    "regular": ("RegularSalesUnitPrice",),
    "voids": ("ItemLink", "ItemLink/SequenceNumber", "ItemLink/LineItemSequenceNumber"),
}
"""Part → its paths in the standard.

transactions: the elements that hold Transaction. sale: the kinds of transaction that are read as a
sale. ignored: those that are none although they hold lines, tenders or a total. total: values of
TotalType that are the total to pay. bought, returned: articles of a line item. voids: the number of the line that a
voided line takes back. The others are what Receipt and Line call so.
"""

DIALECTS = (
    Dialect("NCR ACS", ("http://www.ncr.com/rsd/acs/",)),
    Dialect(
        "Retalix R10",
        ("http://www.Retalix.com/Extensions", "http://retalix.com/R10/services", "uri:Retalix_Extension"),
        {"transactions": ("LogDocuments",)},
    ),
    Dialect("Oracle Xstore", ("http://www.datavantagecorp.com/xstore/",), {"scanned": ("ScannedItemID",)}),
    Dialect(
        "Wincor Nixdorf TP.net",
        ("http://www.wincor-nixdorf.com",),
        {"voids": ("CreateRefNumber",), "regular": ("UnitListPrice",)},
    ),
    Dialect("GK (SAP Omnichannel POS)", ("xmlns:SES=",)),
    Dialect(
        "Napse Bridge",
        ("<RegularSaleUnitPrice", "<PosLog"),
        {
            "transactions": ("PosLog",),
            "total": ("TransactionAmountTotal",),
            "name": ("ItemDesc",),
            "price": ("ActualUnitPrice", "ActualSaleUnitPrice"),
            "regular": ("RegularSaleUnitPrice",),
        },
    ),
    Dialect(
        "ARTS with BusinessUnitNumber",
        ("BusinessUnitNumber>",),
        {
            "store": ("BusinessUnit/BusinessUnitNumber",),
            "item": ("Item/ItemNumber", "Item/ItemID", "ItemNumber"),
            "scanned": ("Item/UPCNumber", "UPCNumber"),
            "name": ("Item/ItemName", "ItemName", "Item/Description"),
        },
    ),
    Dialect(
        "others",
        (),
        {
            "store": ("StoreID", "StoreNumber", "StoreCode", "BusinessUnit/StoreID", "BusinessUnit/@Name"),
            "till": ("RegisterID", "TerminalID", "RegisterNumber", "TerminalNumber"),
            "number": ("TransactionSequenceNumber", "TransactionNumber"),
            "date": ("BusinessDate", "BusinessDay"),
            "item": ("SKU", "ItemCode", "Item/SKU", "Item/ItemCode", "ProductID", "ItemId"),
            "scanned": ("ScanData", "Barcode", "EAN", "GTIN"),
            "name": ("ItemDescription", "Item/ItemDescription", "ProductName"),
            "amount": ("ExtendedPrice", "LineAmount", "LineTotal"),
            "price": ("UnitPrice", "SalesUnitPrice"),
            "total": ("GrandTotal", "TransactionAmount", "TotalAmount"),
        },
    ),
    Dialect(
        "customer orders",
        ("<CustomerOrderTransaction", ":CustomerOrderTransaction"),
        {"sale": ("CustomerOrderTransaction",)},
    ),
)
"""What is recognised, the first whose mark stands in a document; its names are tried for every document."""

FLAGS = {
    "trainingmodeflag": "training",
    "trainingflag": "training",
    "istraining": "training",
    "copyflag": "copy",
    "copyindicator": "copy",
    "copy": "copy",
    "reprintflag": "copy",
    "isreprint": "copy",
    "cancelflag": "cancelled",
    "suspendflag": "suspended",
    "suspendedflag": "suspended",
    "voidflag": "voided",
    "voidedflag": "voided",
}
"""xs:boolean attribute of the transaction, in small letters → why it is skipped. The first reason of ORDER is given."""
ORDER = ("training", "copy", "cancelled", "suspended", "voided")

KINDS = ("TransactionStatus", "TypeCode", "TransactionType")
"""Attributes (and the element TransactionStatus) in which a word of STATUSES may stand."""
STATUSES = (
    ("suspend", "suspended"),
    ("retriev", "retrieved from suspension and not finished"),
    ("postvoid", "voided after it was finished"),
    ("void", "voided"),
    ("cancel", "cancelled"),
    ("abort", "cancelled"),
    ("training", "training"),
    ("reprint", "copy"),
    ("refused", "refused"),
    ("failed", "failed"),
)
"""Word in a status or type, without gaps (hyphen, underscore, blank) → why the transaction is skipped; the first is
taken that stands in it."""

RESERVED = {
    "Layaway": ("Status", "new"),
    "PreviousLayaway": ("Action", "inprogress"),
    "CustomerOrderForDelivery": ("Status", "new"),
    "CustomerOrderForPickup": ("Status", "new"),
    "PreviousCustomerOrder": ("Action", "inprogress"),
}
"""Element of an article put aside or ordered → the attribute with its status, and the default."""
COMPLETED = ("completed", "complete", "pickup")
"""The statuses with which it is sold."""

NON_ARTICLE_SIGNS = {"Deposit": 1, "DepositRefund": -1, "FeeRefund": -1}
"""ItemType that is not an article → the sign of its amount: a bottle's deposit, one handed back, a fee handed back."""
OTHER_MONEY = {
    "Deposit": ("Deposit", "Amount"),
    "PaymentOnAccount": ("Payment on account", "Amount"),
    "GiftCertificate": ("Gift certificate", "FaceValue"),
}
"""Element of money that is for no article → its name, and the element of its amount."""
NO_ARTICLES = frozenset(
    (*RESERVED, *OTHER_MONEY, "Tender", "TenderChange", "Tax", "Discount", "LoyaltyReward", "Rounding", "Total")
)
"""Elements of a line item that have amounts and are no article."""
ON_ACCOUNT = ("Deposit", "PaymentOnAccount")
"""Those of OTHER_MONEY that alone are not a sale."""
