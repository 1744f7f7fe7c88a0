"""Sums of Square: whole minor units beside their currency."""

from __future__ import annotations

from decimal import Decimal

from tillpost import InvalidValue
from tillpost.kit import ZERO, JsonObject, minor_digits


def money(holder: JsonObject, name: str) -> Decimal:
    """A sum in its currency; a missing one is zero. Raises InvalidValue."""
    value = holder.object(name)
    if value is None:
        return ZERO
    amount = value.decimal("amount", ZERO)
    if amount != amount.to_integral_value():
        raise InvalidValue(f"{amount} is not a whole number of minor units", place=value.place)
    return amount.scaleb(-minor_digits(value.text("currency")))
