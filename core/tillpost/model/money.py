"""Money: decimals with the digits of their currency, and a spread that adds up to the last digit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation

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
_LARGEST = Decimal("1e15")
_MOST_DIGITS = 30
# Within both bounds as it stands: nearly every amount, and there are dozens in a receipt.
_USUAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def minor_digits(currency: str) -> int:
    """How many digits stand behind the decimal point in this ISO 4217 currency."""
    return _DIGITS.get(currency, 2)


def parse_decimal(text: str, place: str) -> Decimal:
    """A finite decimal from what a till wrote; `place` goes into the error.

    Raises InvalidValue for NaN, Infinity, an exponent that leaves all bounds, or no number at all.
    """
    if _USUAL.fullmatch(text):
        return Decimal(text)
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise InvalidValue("must be a decimal number", place, "not a number") from None
    if not value.is_finite() or abs(value) >= _LARGEST:
        raise InvalidValue("must be a finite amount below 1e15", place, "out of bounds")
    if int(value.as_tuple().exponent) < -_MOST_DIGITS:
        # Written out, 1e-999999999 would be a gigabyte.
        raise InvalidValue(f"must have at most {_MOST_DIGITS} digits behind the point", place, "out of bounds")
    return value


def round_money(value: Decimal, currency: str) -> Decimal:
    """Rounded half up to the currency's minor unit, as tills round."""
    return value.quantize(Decimal(1).scaleb(-minor_digits(currency)), rounding=ROUND_HALF_UP)


def spread(total: Decimal, weights: Sequence[Decimal], currency: str) -> tuple[Decimal, ...]:
    """Spread `total` over lines in proportion to `weights`, adding up to the last minor unit.

    Largest remainder: every share is rounded towards zero, then the units that are left go one each to the
    shares that lost most (the earlier line first on a tie). With all weights zero the shares are equal.
    The source of the rule: the Engage contract, "save a receipt" (a receipt discount is spread over the
    lines so that each shows what was really paid; the spread must add up to the cent).
    """
    if not weights:
        if total:
            raise InvalidValue("a spread needs a line to go to", "spread", total)
        return ()
    unit = Decimal(1).scaleb(-minor_digits(currency))
    if total % unit:
        raise InvalidValue(f"a sum to spread is in whole units of {currency}", "spread", total % unit)
    sizes = [abs(weight) for weight in weights]
    whole = sum(sizes, Decimal(0))
    if not whole:
        sizes, whole = [Decimal(1)] * len(weights), Decimal(len(weights))
    exact = [total * size / whole for size in sizes]
    shares = [value.quantize(unit, rounding=ROUND_DOWN) for value in exact]
    left = int((total - sum(shares, Decimal(0))) / unit)
    step = unit if left > 0 else -unit
    by_loss = sorted(range(len(exact)), key=lambda i: (-abs(exact[i] - shares[i]), i))
    for index in range(abs(left)):
        shares[by_loss[index % len(by_loss)]] += step
    return tuple(shares)
