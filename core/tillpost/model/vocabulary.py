"""Words an adapter says in a receipt: types of payments and discounts, names of attributes and of extra texts.

Engage takes any word, and its users filter and count by them: so one thing has one word, whichever till wrote it. A
retailer may use words of its own by an adapter's settings.
"""

from __future__ import annotations

from collections.abc import Mapping

TENDER_TYPES: Mapping[str, str] = {
    "cash": "coins and notes; change is negative",
    "card": "a bank card of any kind",
    "giftcard": "a gift card or stored value",
    "voucher": "a voucher of the store",
    "creditnote": "a credit note, as SAF-T Cash has it",
    "coupon": "a coupon of a maker or of the store",
    "check": "a check or a traveller's check",
    "swish": "Swish",
    "vipps": "Vipps",
    "mobilepay": "MobilePay",
    "paypal": "PayPal",
    "wallet": "a wallet of a phone or of a shop",
    "mobile": "another payment by phone",
    "bank": "a bank transfer",
    "banktransfer": "a bank transfer, as SAF-T Cash has it",
    "invoice": "what is paid later, by invoice",
    "account": "what is put on the customer's account",
    "credit": "what is put on, or taken from, a balance at the store",
    "deposit": "what was paid earlier",
    "loyalty": "points or a bonus of a programme",
    "rounding": "the rounding of cash, where the till writes it as a payment; `read_record` makes a line of it",
    "other": "a word the adapter does not know; `description` has it, and its setting `tenders` names the type",
    "none": "nothing was paid; written by the mapping where a receipt has no tender",
}
"""Payment type → what it is (`Tender.type`)."""

DISCOUNT_TYPES: Mapping[str, str] = {
    "discount": "any discount of the line, where the till does not say more",
    "price": "a price lowered by hand or by piece",
    "campaign": "a campaign or an offer",
    "promotion": "a promotion the customer used",
    "reward": "a reward of a programme; POSLog writes a word of its own as RewardType",
    "receipt": "the line's share of a discount on the whole receipt (`spread_discount`)",
}
"""Type of discount → what it is (`Discount.type`)."""

ATTRIBUTES: Mapping[str, str] = {
    "firstName": "given name",
    "lastName": "family name",
    "street": "street and number",
    "zipCode": "postal code",
    "city": "town",
    "countryCode": "country, two letters of ISO 3166",
}
"""Attribute of a customer → what it is (`Customer.attributes`). The tenant may have more of them."""

EXTRAS: Mapping[str, str] = {
    "originalReceipt": "of a returned line: the number of the receipt it was bought on",
    "originalLine": "of a returned line: the till's id of the line it was bought on",
    "voucher": "of a tender or line: the number of the gift card or voucher",
}
"""Name in `extra` → what it is, where several adapters say the same."""
