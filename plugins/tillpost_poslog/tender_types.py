"""The payment type of Engage by what a till calls a tender: its TenderType, an element in it, or its description."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from lxml.etree import _Element

from tillpost.kit import ROUNDING, is_rounding
from tillpost.kit.xml import attribute, child, decimal, local_name, text

# TenderType of POSLog 2.x and 6.x → payment type of Engage.
TYPES = {
    "Cash": "cash",
    "CreditDebit": "card",
    "Credit": "card",
    "Debit": "card",
    "CreditCard": "card",
    "DebitCard": "card",
    "GiftCard": "giftcard",
    "GiftCertificate": "giftcard",
    "StoredValue": "giftcard",
    "StoredValueInstrument": "giftcard",
    "Check": "check",
    "TravelersCheck": "check",
    "Coupon": "coupon",
    "ManufacturerCoupon": "coupon",
    "StoreCoupon": "coupon",
    "Voucher": "voucher",
}

ELEMENTS = {
    "CreditDebit": "card",
    "StoredValueInstrument": "giftcard",
    "GiftCard": "giftcard",
    "GiftCertificate": "giftcard",
    "GiftCertificateID": "giftcard",
    "Check": "check",
    "TravelersCheck": "check",
    "ManufacturerCoupon": "coupon",
    "Coupon": "coupon",
    "Voucher": "voucher",
    "Cash": "cash",
}
"""Element inside a tender → payment type of Engage."""

WORDS = (
    ("change", ("vuelto", "växel", "vaxel", "veksel", "vekslepenge", "wechselgeld", "rückgeld", "wisselgeld")),
    ("giftcard", ("gift", "storedvalue", "presentkort", "gavekort", "lahjakort", "geschenkkarte", "cadeau", "regalo")),
    ("voucher", ("voucher", "storecredit", "creditnote", "creditslip", "creditmemo", "merchandisecredit", "duebill")),
    (
        "voucher",
        ("gutschein", "tillgodo", "tilgode", "bonachat", "bondachat", "avoir", "notadecredito", "houseaccountnote"),
    ),
    ("card", ("checkcard", "chequecard")),
    ("check", ("check", "cheque", "chck", "scheck")),
    ("coupon", ("coupon", "kupong")),
    ("swish", ("swish",)),
    ("card", ("card", "credit", "debit", "kort", "karte", "carte", "tarjeta", "carta", "kaart", "visa", "maestro")),
    ("card", ("amex", "americanexpress", "diners", "bancontact", "eftpos", "pinpad", "contactless", "applepay")),
    ("cash", ("cash", "currency", "kontant", "bargeld", "especes", "espèces", "efectivo", "contant", "dinheiro")),
)
"""Payment type of Engage → words that stand in a vendor's name of a tender; the first that fits is taken."""

CHANGE = "change"
"""The name of a tender that is no payment: money handed back."""
_LONGEST = 200
"""Characters of a name that are looked at, and remembered, from its end: a prefix is no part of it."""
_DESCRIPTIONS = ("TenderDescription", "SubTenderType")
_DESCRIBING = ("TenderDescription", "Description", "TenderID")


@lru_cache(maxsize=1024)
def _by_word(written: str) -> str:
    plain = "".join(letter for letter in written.rpartition(":")[2].lower() if letter.isalpha())
    if plain == CHANGE or (plain.endswith("change") and "exchange" not in plain):
        return CHANGE
    if is_rounding(plain):
        return ROUNDING
    return next((kind for kind, words in WORDS if any(word in plain for word in words)), "")


def _by_element(tender: _Element) -> str:
    for part in tender:
        kind = ELEMENTS.get(local_name(part))
        # A till may leave an empty element in every tender.
        if kind and (len(part) or part.attrib or text(part)) and decimal(part, "FaceValueAmount") != 0:
            return kind
    return ""


def tender_type(tender: _Element, own: Mapping[str, str]) -> str:
    """The payment type of a Tender; "" where nothing says it. `own`: TenderType → payment type, by the settings.

    ROUNDING and CHANGE are no payment types of Engage. A TenderType of the standard counts, then a word in one of the
    vendor's, then an element inside the tender, then its description.
    """
    written = attribute(tender, "TenderType")
    name = written.rpartition(":")[2]
    if known := own.get(written) or own.get(name) or TYPES.get(name):
        return known
    by_word, by_element = _by_word(written[-_LONGEST:]), _by_element(tender)
    if by_element and by_word in ("", "card"):  # a card may be a gift card
        return by_element
    if by_word:
        return by_word
    described = (attribute(tender, name) for name in _DESCRIPTIONS)
    describing = (text(child(tender, name)) for name in _DESCRIBING)
    return next(
        filter(None, (_by_word(one[-_LONGEST:]) for one in (*described, *describing))),
        "other" if name.lower() == "other" else "",
    )
