"""The closed lists of the standard (appendices B, C and D), and what each value is to us."""

from __future__ import annotations

import re

# BON_TYP without AV and in lower case → what becomes of it, and why it is no receipt.
TYPES = {
    "beleg": ("sale", ""),
    "rechnung": ("sale", ""),
    "transfer": ("skip", "handed on (AVTransfer): it is settled in another system or on another receipt"),
    "bestellung": ("skip", "suspended: an order, not paid yet (AVBestellung)"),
    "training": ("skip", "training"),
    "belegstorno": ("skip", "voided"),
    "belegabbruch": ("skip", "voided: aborted before it was paid (AVBelegabbruch)"),
    "sachbezug": ("skip", "a benefit in kind of an employee (AVSachbezug): nobody pays"),
    "sonstige": ("ignore", "no sale (AVSonstige)"),
}
UNPAID = frozenset({"transfer", "bestellung", "sachbezug", "sonstige"})
"""Types that the standard allows no payment for: one that has a payment is not what it says."""

# GV_TYP in lower case → the part it plays in a receipt.
ARTICLE, GIFT, MONEY, DISCOUNT, REDEEMED, CASH = "article", "gift", "money", "discount", "redeemed", "cash"
PARTS = {
    "umsatz": ARTICLE,
    "pfand": MONEY,
    "pfandrueckzahlung": MONEY,
    "rabatt": DISCOUNT,
    "aufschlag": MONEY,
    "zuschussecht": MONEY,
    "zuschussunecht": MONEY,
    "trinkgeldag": MONEY,
    "trinkgeldan": MONEY,
    "trinkgeld": MONEY,
    "einzweckgutscheinkauf": GIFT,
    "einzweckgutscheineinloesung": REDEEMED,
    "mehrzweckgutscheinkauf": GIFT,
    "mehrzweckgutscheineinloesung": REDEEMED,
    "forderungsentstehung": REDEEMED,
    "forderungsaufloesung": MONEY,
    "anzahlungseinstellung": MONEY,
    "anzahlungsaufloesung": REDEEMED,
    "anfangsbestand": CASH,
    "privatentnahme": CASH,
    "privateinlage": CASH,
    "geldtransit": CASH,
    "lohnzahlung": CASH,
    "einzahlung": CASH,
    "auszahlung": CASH,
    "differenzsollist": CASH,
}
# What a line of money that is no article is called, by GV_TYP.
LABELS = {
    "pfand": "deposit",
    "pfandrueckzahlung": "deposit",
    "aufschlag": "surcharge",
    "zuschussecht": "subsidy",
    "zuschussunecht": "subsidy",
    "trinkgeldag": "tip",
    "trinkgeldan": "tip",
    "trinkgeld": "tip",
    "rabatt": "discount",
    "forderungsentstehung": "invoice",
    "forderungsaufloesung": "payment on account",
    "anzahlungseinstellung": "down payment",
    "anzahlungsaufloesung": "down payment",
}
# What pays for goods as a negative line → payment type of Engage.
PAID_BY_LINE = {
    "einzweckgutscheineinloesung": "giftcard",
    "mehrzweckgutscheineinloesung": "giftcard",
    "forderungsentstehung": "invoice",
    "anzahlungsaufloesung": "deposit",
}
# A receipt of nothing but such lines → why it is no sale of its own.
PAID_ALONE = {
    "forderungsaufloesung": "payment on account: the sale was a receipt of its own",
    "anzahlungseinstellung": "a down payment: the sale is its completion",
}

# ZAHLART_TYP in lower case → payment type of Engage.
TENDERS = {
    "bar": "cash",
    "eckarte": "card",
    "kreditkarte": "card",
    "elzahlungsdienstleister": "wallet",
    "guthabenkarte": "giftcard",
    "keine": "none",
}
# Words in ZAHLART_NAME → payment type, where the type (Unbar) tells nothing.
WORDS = (
    (re.compile(r"gutschein|geschenkkarte|guthaben|voucher|gift", re.I), "giftcard"),
    (re.compile(r"karte|\bec\b|giro|maestro|visa|master|amex|american express|v ?pay|debit|card", re.I), "card"),
    (re.compile(r"paypal|apple ?pay|google ?pay|alipay|wechat|klarna|twint|wero", re.I), "wallet"),
    (re.compile(r"rechnung|lieferschein|invoice", re.I), "invoice"),
    (re.compile(r"überweisung|ueberweisung|lastschrift|sepa", re.I), "bank"),
    (re.compile(r"\bbar\b|bargeld|cash", re.I), "cash"),
)
CHANGE = re.compile(r"r(ü|ue)ckgeld|wechselgeld|\bchange\b", re.I)

# UST_SCHLUESSEL → percent, where vat.csv does not say; the rest is calculated from the amounts.
PERCENT = {"1": "19", "2": "7", "5": "0", "6": "0", "7": "0"}


def plain_type(written: str) -> str:
    """A BON_TYP as the key of TYPES: without AV, letters only."""
    plain = re.sub(r"[^a-zäöü]", "", written.lower()).removeprefix("av")
    return {"storno": "belegstorno", "belegbelegstorno": "belegstorno", "abbruch": "belegabbruch"}.get(plain, plain)


def is_true(written: str) -> bool:
    """A flag of the standard: 1, as some write it true or ja."""
    return written.lower() in ("1", "true", "ja", "j", "wahr")
