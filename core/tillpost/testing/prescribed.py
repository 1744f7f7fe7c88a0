"""The sales that an adapter's samples show, prescribed so that the expected figures are not the adapter's.

All are of one store and till, on Saturday 14 March 2026 at 15:30 local time, with one number; a suite sets how the
vendor's format writes those. The tax in the prices is free, except where a sale is about tax; so is the customer,
except where it is about the customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType

import attrs

DAY = date(2026, 3, 14)
TIME = datetime(2026, 3, 14, 15, 30)  # noqa: DTZ001 - local time of the suite's zone
NAME = "Blå kopp"
"""The name of article A-1: not ASCII, so that a wrong encoding shows."""
EMAIL = "anna@example.com"
PHONE, PHONE_WRITTEN = "+46701234567", "070-123 45 67"
"""A customer's phone number, and as people in its country write it."""
BROKEN_ID = "4.67E+10"
"""What a spreadsheet makes of a long number."""
ORIGINAL = "900"
"""The number of the receipt a returned article was bought on."""


@attrs.frozen
class SaleLine:
    """One line: `quantity` and `paid` as they add to the total, tax and discounts in `paid`."""

    sku: str
    quantity: Decimal
    paid: Decimal
    discount: Decimal = Decimal(0)
    """The sum of the line's discounts (negative)."""

    @property
    def name(self) -> str:
        """The article's name; only that of A-1 is compared."""
        return NAME if self.sku == "A-1" else f"Article {self.sku}"


@attrs.frozen(kw_only=True)
class Sale:
    """One sale in figures, and described for the person who writes the sample of it.

    tenders: payment type of Engage and amount. others: amounts of lines for no article, such as a deposit; their sku
    and quantity are free. customer: known by number; email: by e-mail too.
    """

    description: str
    lines: tuple[SaleLine, ...]
    tenders: tuple[tuple[str, Decimal], ...]
    others: tuple[Decimal, ...] = ()
    customer: bool = False
    email: bool = False

    @property
    def total(self) -> Decimal:
        """The sum of the lines."""
        return sum((*(line.paid for line in self.lines), *self.others), Decimal(0))


def _line(sku: str, quantity: int, paid: str, discount: str = "0") -> SaleLine:
    return SaleLine(sku, Decimal(quantity), Decimal(paid), Decimal(discount))


def _sale(description: str, *lines: SaleLine, customer: bool = False, email: bool = False, **tenders: str) -> Sale:
    """A sale of these lines and tenders; of one A-1 at 100.00 by card where none are named."""
    return Sale(
        description=description,
        lines=lines or (_line("A-1", 1, "100.00"),),
        tenders=tuple((kind, Decimal(amount)) for kind, amount in (tenders or {"card": "100.00"}).items()),
        customer=customer,
        email=email,
    )


_DAY = _sale("", _line("A-1", 2, "100.00"), _line("B-1", 1, "30.00"), card="130.00", customer=True)
_KEYED = "One A-1 at 100.00, paid by card"

_SALES = {
    "sale": attrs.evolve(
        _DAY,
        description=f'Two A-1 (named "{NAME}") at 50.00 each and one B-1 at 30.00; 130.00 by card; the customer is'
        " known by the number.",
    ),
    "return": _sale(
        f"One A-1, bought for 100.00 on receipt {ORIGINAL}, is handed back; 100.00 go back to the card.",
        _line("A-1", -1, "-100.00"),
        card="-100.00",
    ),
    "exchange": _sale(
        "One A-1, bought for 100.00, is handed back and one B-1 at 130.00 taken; the 30.00 between by card.",
        _line("A-1", -1, "-100.00"),
        _line("B-1", 1, "130.00"),
        card="30.00",
    ),
    "mixed_tender": _sale("One A-1 at 100.00; 60.00 by card, 40.00 in cash.", card="60.00", cash="40.00"),
    "change": Sale(
        description="One A-1 at 87.00; 100.00 in cash are given, 13.00 handed back.",
        lines=(_line("A-1", 1, "87.00"),),
        tenders=(("cash", Decimal("100.00")), ("cash", Decimal("-13.00"))),
    ),
    "change_tender": Sale(
        description="One A-1 at 87.00; 100.00 in cash are given, and the 13.00 handed back are a tender of their own"
        " (a second one, or one below zero), not a part of the first.",
        lines=(_line("A-1", 1, "87.00"),),
        tenders=(("cash", Decimal("100.00")), ("cash", Decimal("-13.00"))),
    ),
    "rounding": Sale(
        description="One A-1 at 99.60, paid with 100.00 in cash: 0.40 are the rounding to coins, written as your till"
        " writes it.",
        lines=(_line("A-1", 1, "99.60"),),
        others=(Decimal("0.40"),),
        tenders=(("cash", Decimal("100.00")),),
    ),
    "deposit": Sale(
        description="One A-1 at 15.90 and on it 2.00 of deposit, as on a bottle, written as your till writes it; 17.90"
        " by card.",
        lines=(_line("A-1", 1, "15.90"),),
        others=(Decimal("2.00"),),
        tenders=(("card", Decimal("17.90")),),
    ),
    "gift_card": _sale("One A-1 at 100.00, paid with a gift card.", giftcard="100.00"),
    "discount": _sale(
        "One A-1 at 100.00 with 20.00 off; 80.00 by card.", _line("A-1", 1, "80.00", "-20.00"), card="80.00"
    ),
    "receipt_discount": _sale(
        "One A-1, one B-1, one C-1 at 50.00 each with 10.00 off the whole receipt; 140.00 by card.",
        _line("A-1", 1, "46.66", "-3.34"),
        _line("B-1", 1, "46.67", "-3.33"),
        _line("C-1", 1, "46.67", "-3.33"),
        card="140.00",
    ),
    "tax_inside": _sale(
        "One A-1 at 125.00, in which 25.00 are tax of 25 %; paid by card.", _line("A-1", 1, "125.00"), card="125.00"
    ),
    "tax_on_top": _sale(
        "One A-1 at 100.00, on top 25.00 tax of 25 %; 125.00 by card.", _line("A-1", 1, "125.00"), card="125.00"
    ),
    "two_taxes": _sale(
        "One A-1 at 125.00, in which 25.00 are tax of 25 %, and one B-1 at 112.00, in which 12.00 are tax of 12 %;"
        " 237.00 by card.",
        _line("A-1", 1, "125.00"),
        _line("B-1", 1, "112.00"),
        card="237.00",
    ),
    "foreign_currency": _sale(
        "One A-1 at 9.00 in a foreign currency; 9.00 by card in that currency.", _line("A-1", 1, "9.00"), card="9.00"
    ),
    "no_customer": _sale(f"{_KEYED}; nobody is known to have bought it."),
    "two_identifiers": _sale(
        f"{_KEYED}; the customer is known by the number and by the e-mail {EMAIL}.", customer=True, email=True
    ),
    "phone": _sale(
        f"{_KEYED}; the customer is known by the phone number {PHONE_WRITTEN} alone ({PHONE} where the till writes the"
        " country's code)."
    ),
    "void_line": _sale("One A-1 at 100.00 and one B-1 at 30.00 are keyed, B-1 is voided; 100.00 by card."),
    "void_link": _sale(
        "One A-1 at 100.00 and one B-1 at 30.00 are keyed, and a further line voids B-1 by pointing at its line;"
        " 100.00 by card."
    ),
    "edited": _sale(
        "One A-1 at 100.00 and one B-1 at 30.00 are ordered, and B-1 is taken out before payment; 100.00 by card."
    ),
    "dst_double": _sale(f"{_KEYED}, in the hour the clock shows twice."),
    "dst_missing": _sale(f"{_KEYED}, in the hour the clock leaves out."),
    "void_receipt": _sale(f"{_KEYED}, and voided as a whole."),
    "training": _sale(f"{_KEYED}, keyed in training mode."),
    "void_after": attrs.evolve(
        _DAY, description="A record that comes later and takes back the sale of `sale`, which was sent."
    ),
    "copy": _sale(f"{_KEYED}: a copy of it alone."),
    "suspended": _sale("One A-1 at 100.00 is keyed, and the sale put aside."),
    "day": attrs.evolve(
        _DAY, description="The sale of `sale` three times in one file, under the suite's three numbers."
    ),
    "later": attrs.evolve(
        _DAY,
        description="The sale of `sale` exported again on 20 March: the times of the export and of a last change are"
        " later, the sale is the same.",
    ),
    "broken_id": attrs.evolve(
        _DAY,
        description=f"As `day`, but the second one has the number {BROKEN_ID}, as a spreadsheet shortens a long one.",
    ),
    "bad_amount": attrs.evolve(_DAY, description="As `day`, but in the second one an amount is `abc`."),
}

PRESCRIBED_SALES: Mapping[str, Sale] = MappingProxyType(_SALES)
"""Promise → the sale its sample shows."""
