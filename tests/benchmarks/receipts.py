"""The input of every benchmark: the same receipts in Tillpost's JSON form, one a line, with invented data.

About 2.7 KB and eight lines each, of 2,000 contacts. `id` is the first member, so that a line posted as it stands can
be counted.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

CONTACTS = 2000
LINES = 8
_GOODS = ("cup", "scarf", "lamp", "bowl", "blanket", "candle", "basket", "apron", "tray", "cushion", "vase", "clock")
_COLOURS = ("blue", "red", "green", "white", "grey", "yellow", "black", "brown")
_DAY = "2025-11-28"
_CUSTOMERS = 400
_ARTICLES = (
    "Blå kopp",
    "Tallrik, djup & vid",
    "Linneduk 140 x 250 cm",
    "Ljusstake i mässing",
    "Korg av pil",
    "Handduk",
)


def receipt_id(number: int) -> str:
    """The id of the receipt with this number."""
    return f"{number % 300 + 1}_{number % 7 + 1}_{_DAY}_{number}"


def lines(count: int, seed: int = 1, first: int = 0) -> Iterator[bytes]:
    """So many receipts, each a line of JSON with its line end."""
    random_ = random.Random(seed)
    for number in range(first, first + count):
        yield json.dumps(_receipt(number, random_), separators=(",", ":")).encode() + b"\n"


def write(path: Path, count: int, seed: int = 1, first: int = 0) -> Sequence[str]:
    """Write them to a file; their ids."""
    with path.open("wb") as file:
        file.writelines(lines(count, seed, first))
    return [receipt_id(number) for number in range(first, first + count)]


def _receipt(number: int, random_: random.Random) -> dict[str, object]:
    rows = [_line(random_) for _ in range(LINES)]
    total = sum((Decimal(str(row["paid"])) for row in rows), Decimal(0))
    tax = sum((Decimal(str(row["tax_amount"])) for row in rows), Decimal(0))
    contact = random_.randrange(CONTACTS)
    return {
        "id": receipt_id(number),
        "number": str(number),
        "created": f"{_DAY}T{number // 3600 % 14 + 8:02}:{number // 60 % 60:02}:{number % 60:02}+01:00",
        "business_date": _DAY,
        "store": str(number % 300 + 1),
        "till": str(number % 7 + 1),
        "currency": "SEK",
        "total": f"{total:.2f}",
        "lines": rows,
        "tenders": [{"type": "card", "amount": f"{total:.2f}", "description": "Debit card, chip and PIN"}],
        "taxes": [
            {
                "description": "VAT",
                "percent": "25",
                "amount": f"{tax:.2f}",
                "including_tax": f"{total:.2f}",
                "excluding_tax": f"{total - tax:.2f}",
            }
        ],
        "customer": {"identifiers": [{"kind": "externalId", "value": f"C-{contact:06}"}]},
    }


def _line(random_: random.Random) -> dict[str, object]:
    good, colour = random_.choice(_GOODS), random_.choice(_COLOURS)
    pieces, price = random_.randint(1, 3), Decimal(random_.randrange(900, 49900)) / 100
    off = (price * pieces / 10).quantize(Decimal("0.01")) if random_.random() < 0.25 else Decimal(0)
    paid = price * pieces - off
    number = f"{random_.randrange(10**12, 10**13)}"
    form: dict[str, object] = {
        "kind": "purchase",
        "sku": f"{good[:3].upper()}-{colour[:3].upper()}-{random_.randrange(1000):03}",
        "article_number": number,
        "article_name": f"{colour.capitalize()} {good}, hand made, size {random_.randint(1, 9)}",
        "article_group": f"home and living / {good}s",
        "quantity": str(pieces),
        "paid": f"{paid:.2f}",
        "tax_amount": f"{paid / 5:.2f}",
        "tax_percent": "25",
        "extra": {"campaign": f"autumn-{random_.randint(10, 99)}"},
    }
    if off:
        form["discounts"] = [{"type": "price", "value": f"{-off:.2f}", "description": "Member price"}]
    return form


def sale(number: int, line_count: int = LINES) -> dict[str, Any]:
    """A sale as a till would write it: nothing of it is anybody's."""
    made: list[dict[str, Any]] = []
    total = tax = 0
    for position in range(line_count):
        price = 1995 + 500 * ((number * 7 + position * 3) % 40)
        off = 500 if position % 4 == 3 else 0
        total += price - off
        tax += (price - off) // 5
        made.append(
            {
                "kind": "purchase",
                "sku": f"{100000 + (number * 13 + position) % 5000}-{position % 6:02}",
                "article_number": f"{100000 + (number * 13 + position) % 5000}",
                "article_name": _ARTICLES[(number + position) % len(_ARTICLES)],
                "article_group": f"group {position % 12}",
                "quantity": "1",
                "paid": money(price - off),
                "tax_amount": money((price - off) // 5),
                "tax_percent": "25",
                "discounts": [{"type": "campaign", "value": money(-off), "description": "Club"}] if off else [],
            }
        )
    who = number * 31 % _CUSTOMERS
    return {
        "number": str(100000 + number),
        "store": str(600 + number % 20),
        "till": str(1 + number % 4),
        "created": f"2026-10-{1 + number % 28:02}T{9 + number % 10:02}:{number % 60:02}:{number * 7 % 60:02}+01:00",
        "business_date": f"2026-10-{1 + number % 28:02}",
        "currency": "SEK",
        "total": money(total),
        "lines": made,
        "tenders": [{"type": "card", "amount": money(total), "description": "Visa", "extra": {"terminal": "T-17"}}],
        "taxes": [
            {
                "description": "VAT 25 %",
                "percent": "25",
                "amount": money(tax),
                "including_tax": money(total),
                "excluding_tax": money(total - tax),
            }
        ],
        "customer": {
            "identifiers": [
                {"kind": "externalId", "value": f"C{7000 + who}"},
                {"kind": "email", "value": f"kund.{who}@example.com"},
            ],
            "attributes": {"firstName": "Åsa", "lastName": f"Ek {who}", "city": "Umeå", "countryCode": "SE"},
        },
        "extra": {"cashier": f"{number % 9}"},
    }


def money(cents: int) -> str:
    """Cents as a decimal."""
    sign, cents = ("-", -cents) if cents < 0 else ("", cents)
    return f"{sign}{cents // 100}.{cents % 100:02}"
