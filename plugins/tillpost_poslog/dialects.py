"""What the standard and its vendors call things, as tables; local names and values without a vendor's prefix.

Sources: the schemas of ARTS (POSLog, and the line items that Digital Receipt 2.0 shares with POSLog 6), an export of
NCR ACS (`acs:`), Retalix R10 (`http://www.Retalix.com/Extensions`). Others put the kind of a transaction into
attributes of their own.
"""

from __future__ import annotations

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
}
"""xs:boolean attribute of the transaction, in small letters → why it is skipped. The first reason of ORDER is given."""
ORDER = ("training", "copy", "cancelled", "suspended")

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
"""Word in a status or type, without hyphens and blanks → why the transaction is skipped; the first match is taken."""

SALES = ("Sale", "SaleForDelivery", "SaleForPickup")
RETURNS = ("Return", "ReturnForDelivery", "ReturnForPickup")

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
ON_ACCOUNT = ("Deposit", "PaymentOnAccount")
"""Those of OTHER_MONEY that alone are not a sale."""
