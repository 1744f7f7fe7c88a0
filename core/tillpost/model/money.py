"""Money: finite decimals with the digits of their currency."""

from __future__ import annotations

import threading
from decimal import Decimal, InvalidOperation

from tillpost.errors import InvalidValue

# ISO 4217 (list one, 2024): the currencies whose minor unit is not two digits.
_DIGITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}

# More digits than any till prints; a larger number is a fault, not a price.
_WHOLE_DIGITS = 15
_MOST_DIGITS = 30
OUT_OF_BOUNDS = f"out of bounds: a number is finite, below 1e15, and has at most {_MOST_DIGITS} digits behind the point"


def minor_digits(currency: str) -> int:
    """How many digits stand behind the decimal point in this ISO 4217 currency."""
    return _DIGITS.get(currency, 2)


def decimal_text(value: Decimal, least_digits: int) -> str:
    """Plain digits, at least so many behind the point; zeros beyond those are omitted."""
    text = str(value)
    if text[-1 - least_digits : -least_digits] == "." if least_digits else text.isdecimal():
        return text if value else text.removeprefix("-")
    if "E" in text:
        text = format(value, "f")
    whole, _, fraction = text.partition(".")
    if len(fraction) != least_digits:
        fraction = fraction.rstrip("0").ljust(least_digits, "0")
        text = f"{whole}.{fraction}" if fraction else whole
    return text if value else text.removeprefix("-")


def format_money(amount: Decimal, currency: str) -> str:
    """The amount with the digits of its currency, and with more where it has more: `5` SEK is `5.00`."""
    return decimal_text(amount, minor_digits(currency) if currency else 0)


def mismatch(first: str, amount: Decimal, second: str, expected: Decimal, currency: str, *, place: str) -> InvalidValue:
    """The error of two amounts that must be equal and are not, with their difference.

    `mismatch("lines sum to", a, "the receipt's total is", b, …)` says "lines sum to 98.00, the receipt's total is
    99.00 (difference -1.00)".
    """
    one, other, difference = (format_money(value, currency) for value in (amount, expected, amount - expected))
    return InvalidValue(f"{first} {one}, {second} {other} (difference {difference})", place=place)


class _Checked(threading.local):
    by_codec = False
    """This thread creates values of what receipt_json.py read: their types are right, their amounts in bounds."""


checked = _Checked()


def is_in_bounds(*values: Decimal) -> bool:
    """Whether each is finite, below 1e15, and has at most 30 digits behind the point: so it can be written out."""
    if checked.by_codec:
        return True
    for value in values:
        # Nearly every amount is short, and there are dozens in a receipt.
        usual = -15 < value.adjusted() < 15 and len(str(value)) < 17 and value.is_finite()
        if not (usual or _is_in_bounds(value)):
            return False
    return True


def _is_in_bounds(value: Decimal) -> bool:
    # By exponents alone: arithmetic with one of a million raises Overflow.
    return value.is_finite() and value.adjusted() < _WHOLE_DIGITS and int(value.as_tuple().exponent) >= -_MOST_DIGITS


def parse_decimal(text: str, place: str) -> Decimal:
    """A finite decimal from what a till wrote; `place` goes into the error.

    Raises InvalidValue for NaN, Infinity, a number out of bounds (`is_in_bounds`), or no number at all.
    """
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise InvalidValue("not a number", place=place) from None
    if not is_in_bounds(value):
        raise InvalidValue(OUT_OF_BOUNDS, place=place)
    return value
