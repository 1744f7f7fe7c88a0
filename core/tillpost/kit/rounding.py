"""The rounding of cash, of which every adapter makes the same: a line of the receipt, in its total."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

import attrs

from tillpost.kit.receipt_parts import adjustment
from tillpost.model.receipt import Receipt

ROUNDING = "rounding"
"""The sku of the line that is the rounding of cash, and the type of a tender that a till writes for it."""
ROUNDING_AS_TENDER = "rounding-as-tender"
"""The flag of a receipt whose rounding of cash stands among the payments of its record; it is a line."""

_LONGEST = 100
"""Characters of a name that are looked at, and remembered: what is longer is no name."""
# "Rounding" in the languages of Europe, as it begins or stands inside a word.
_WORDS = (
    *("rounding", "avrund", "öresavr", "oresavr", "afrund", "rundung", "afrond", "arrondi", "redondeo", "arredond"),
    *("arrotond", "pyöristys", "pyoristys", "ümardus", "umardus", "zaokr", "kerekít", "kerekit", "rotunjire", "округл"),
)


def is_rounding(name: str) -> bool:
    """Whether a till's name of a payment or line says that it is the rounding of cash."""
    return _says_so(name[:_LONGEST])


@lru_cache(maxsize=1024)
def _says_so(name: str) -> bool:
    written = name.casefold()
    return any(word in written for word in _WORDS)


def with_rounding_as_line(receipt: Receipt) -> Receipt:
    """The receipt, with each tender of the type `rounding` as an adjustment of the opposite sign, and a flag.

    What was rounded is no payment: the total is what was paid (Engage contract, totalGrossPrice), and the goods have
    the prices of the paper.
    """
    for tender in receipt.tenders:  # nearly every receipt has none
        if tender.type == ROUNDING:
            break
    else:
        return receipt
    rounded = sum((-tender.amount for tender in receipt.tenders if tender.type == ROUNDING), Decimal(0))
    flags = receipt.flags if ROUNDING_AS_TENDER in receipt.flags else (*receipt.flags, ROUNDING_AS_TENDER)
    return attrs.evolve(
        receipt,
        total=receipt.total + rounded,
        lines=(*receipt.lines, adjustment(ROUNDING, rounded, "Rounding")) if rounded else receipt.lines,
        tenders=tuple(tender for tender in receipt.tenders if tender.type != ROUNDING),
        flags=flags,
    )
