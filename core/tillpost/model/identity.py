"""The receipt's id: the same sale always gets the same id, on every machine and at every reading.

The recipe is a template with the fields `store`, `till`, `date` (the business date, YYYY-MM-DD) and `number`. Each
value is percent-encoded except for letters, digits, dot and hyphen, so two different sets of values never give the
same id. Engage gets it as uniqueReceiptId, its idempotency key.
"""

from __future__ import annotations

from datetime import date
from string import Formatter
from typing import Protocol
from urllib.parse import quote

from tillpost.errors import InvalidValue

DEFAULT_RECIPE = "{store}_{till}_{date}_{number}"
FIELDS = ("store", "till", "date", "number")


class MakeId(Protocol):
    """`Context.receipt_id`: creates the id of a receipt that comes without one. Raises InvalidValue."""

    def __call__(self, *, store: str, till: str, business_date: date, number: str) -> str: ...


def check_recipe(recipe: str) -> None:
    """Raise InvalidValue for an unknown field, a missing number, or two fields without a separator between them."""
    parts = list(Formatter().parse(recipe))
    names = [name for _, name, _, _ in parts if name is not None]
    for name in names:
        if name not in FIELDS:
            raise InvalidValue(f"unknown field {name!r}, known are {', '.join(FIELDS)}")
    if "number" not in names:
        raise InvalidValue("{number} is missing")
    for literal, field, _, _ in parts[1:]:
        if field is not None and not literal:
            raise InvalidValue(f"no separator before {{{field}}}")


def receipt_id(*, store: str, till: str, business_date: date, number: str, recipe: str = DEFAULT_RECIPE) -> str:
    """The id of a receipt, made with the recipe. Raises InvalidValue when the number is empty."""
    if not number:
        raise InvalidValue("the receipt's number is empty", place=f"store {store}, till {till}")
    return recipe.format(
        store=_escaped(store), till=_escaped(till), date=business_date.isoformat(), number=_escaped(number)
    )


def _escaped(value: str) -> str:
    if value.isascii() and value.isalnum():
        return value
    try:
        return quote(value, safe=".-").replace("_", "%5F")
    except UnicodeEncodeError:
        raise InvalidValue("store, till or number has a lone surrogate, half a character") from None
