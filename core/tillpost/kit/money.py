"""Money: decimals rounded as tills round, and a sum spread over lines to the last digit."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from tillpost.errors import InvalidValue
from tillpost.model.money import minor_digits, mismatch, parse_decimal

__all__ = ["minor_digits", "mismatch", "parse_decimal", "round_lines", "round_money", "spread"]


def round_money(value: Decimal, currency: str) -> Decimal:
    """Rounded half up to the currency's minor unit, as tills round."""
    return value.quantize(Decimal(1).scaleb(-minor_digits(currency)), rounding=ROUND_HALF_UP)


def spread(total: Decimal, weights: Sequence[Decimal], currency: str) -> tuple[Decimal, ...]:
    """Spread `total` over lines in proportion to `weights`, adding up to the last minor unit.

    Largest remainder: every share is rounded towards zero, then the units that are left go one each to the
    shares that lost most (the earlier line first on a tie). With all weights zero the shares are equal.
    Weights are sizes: their signs do not count, and every share has the sign of `total`. To round lines of which some
    are bought and some returned, each with its own amount, use `round_lines`.
    The source of the rule: the Engage contract, "save a receipt" (a receipt discount is spread over the
    lines so that each shows what was really paid; the spread must add up to the cent).
    """
    if not weights:
        if total:
            raise InvalidValue(f"no line to spread {total} over")
        return ()
    unit = Decimal(1).scaleb(-minor_digits(currency))
    if total % unit:
        raise InvalidValue(f"{total} is not in whole units of {currency} and cannot be spread")
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


def round_lines(total: Decimal, amounts: Sequence[Decimal], currency: str) -> tuple[Decimal, ...]:
    """The lines' amounts rounded to the minor unit so that they sum to `total`, each with its own sign.

    Each is rounded half up, then the units that are left go one each to the amounts whose rounding lost most.
    Raises InvalidValue, with the difference, when `total` is not the sum of the amounts but for their rounding.
    """
    unit = Decimal(1).scaleb(-minor_digits(currency))
    shares = [round_money(amount, currency) for amount in amounts]
    left = total - sum(shares, Decimal(0))
    step = unit if left > 0 else -unit
    by_loss = sorted(range(len(shares)), key=lambda i: ((shares[i] - amounts[i]) * step, i))
    for index in by_loss[: int(abs(left) / unit)]:
        shares[index] += step
    if sum(shares, Decimal(0)) != total or any(abs(a - b) >= unit for a, b in zip(shares, amounts, strict=True)):
        raise mismatch(
            "amounts of lines sum to", sum(amounts, Decimal(0)), "the total is", total, currency, place="receipt"
        )
    return tuple(shares)
