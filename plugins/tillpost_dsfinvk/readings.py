"""The first reading of a receipt's positions that adds up to its total."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from itertools import product

import attrs

from tillpost.kit import ZERO, Reading, first_reading, mismatch, round_money
from tillpost_dsfinvk.codes import CASH, GIFT, MONEY, PARTS, REDEEMED
from tillpost_dsfinvk.positions import How, Position, Positions


@attrs.frozen
class Read:
    """Positions that add up, and the flags of what was put aside for it."""

    positions: tuple[Position, ...]
    flags: tuple[str, ...]


def _voids(positions: list[Position]) -> Iterator[tuple[str, str, list[Position]]]:
    """The ways in which a position with P_STORNO may be meant: what is said of it, the flag, and what is left."""
    if not any(position.voided for position in positions):
        yield "", "", positions
        return
    yield "voided positions taken out", "", [each for each in positions if not each.voided or each.gross < 0]
    yield (
        "voided positions and those that take them back taken out",
        "",
        [each for each in positions if not each.voided],
    )
    yield "voided positions sold", "void-ignored", [attrs.evolve(each, voided=each.gross < 0) for each in positions]
    turned = [each.negated() if each.voided and each.gross > 0 else each for each in positions]
    yield "voided positions taking back others", "void-sign", turned


def first_that_adds_up(source: Positions, total: Decimal | None, also: Sequence[Decimal], paid: Decimal | None) -> Read:
    """The first reading of the positions whose sum is the total.

    total: UMS_BRUTTO, None where it is missing. also: totals that are right where cash was rounded. paid: the sum of
    the payments, which decides where the total leaves out a part of the receipt (tips, deposits, vouchers).
    Raises InvalidValue with the difference of each reading.
    """
    plain = source.read(How())
    choices = (
        source.is_split,
        any(position.discounts for position in plain),
        any(position.quantity < 0 < position.gross for position in plain),
        source.has_packages,
    )
    readings = []
    for by_net, less, by_quantity, by_package in product(*((False, True)[: 1 + choice] for choice in choices)):
        how = How(by_net=by_net, less_discounts=less, by_quantity=by_quantity, by_package=by_package)
        for said, flag, left in _voids(plain if how == How() else source.read(how)):
            words, flags = _put_aside(source, how, flag)
            take = partial(_checked, source, left, flags, total, also, paid)
            readings.append(Reading(_said(said, words), take))
    return first_reading(readings)[0]


def _put_aside(source: Positions, how: How, flag: str) -> tuple[list[str], tuple[str, ...]]:
    """What a reading says in words, and its flags."""
    found = [
        ("net amounts with their tax", "tax-base-recomputed", how.by_net),
        ("", "tax-base-recomputed", source.is_split and not how.by_net),
        ("discounts not yet in the price", "discount-not-in-price", how.less_discounts),
        ("signs of the quantities", "sign-by-quantity", how.by_quantity),
        ("prices of one unit in a package", "", how.by_package),
        ("", flag, bool(flag)),
    ]
    return [words for words, _, holds in found if holds and words], tuple(
        flag for _, flag, holds in found if holds and flag
    )


def _said(said: str, words: list[str]) -> str:
    return ", ".join([*words, said] if said else words) or "as it is written"


_NOT_TURNOVER = (
    ("trinkgeldag", "trinkgeldan", "trinkgeld"),
    ("pfand", "pfandrueckzahlung"),
    tuple(business for business, part in PARTS.items() if part == REDEEMED),
    tuple(business for business, part in PARTS.items() if part in (MONEY, REDEEMED, CASH)),
    tuple(business for business, part in PARTS.items() if part in (MONEY, REDEEMED, CASH, GIFT)),
)
"""What a total may be without: then it is that of the turnover, and the payments are of all."""


def _checked(
    source: Positions,
    positions: list[Position],
    flags: tuple[str, ...],
    total: Decimal | None,
    also: Sequence[Decimal],
    paid: Decimal | None,
) -> Read:
    summed = round_money(sum((position.gross for position in positions), ZERO), source.currency)
    read = Read(tuple(_without_taken_back(positions)), flags)
    expected = paid if total is None else total
    if expected is None or summed == expected or summed in also:
        return read
    if summed == paid:
        if total == -summed:  # the total of a return without its sign
            return attrs.evolve(read, flags=(*flags, "sign-by-amount"))
        for others in _NOT_TURNOVER:
            rest = sum((each.gross for each in positions if each.business not in others), ZERO)
            if round_money(rest, source.currency) == total:
                return attrs.evolve(read, flags=(*flags, "total-of-parts"))
    what = "UMS_BRUTTO is" if total is not None else "the payments are"
    raise mismatch("the positions sum to", summed, what, expected, source.currency, place="lines.csv")


def _without_taken_back(positions: list[Position]) -> list[Position]:
    """The positions without those that were voided before payment: a negative row takes the one before it back."""
    left: list[Position] = []
    for position in positions:
        if not (position.voided and position.gross < 0):
            left.append(position)
            continue
        at = next((at for at in range(len(left) - 1, -1, -1) if _takes_back(position, left[at])), None)
        if at is None:
            left.append(position)
        elif left[at].gross == -position.gross:
            del left[at]
        else:
            left[at] = left[at].less(position)
    return left


def _takes_back(position: Position, sold: Position) -> bool:
    """Whether it takes back the sold one, or some pieces of it at the same price."""
    return (
        position.same == sold.same
        and sold.gross >= -position.gross
        and abs(position.quantity) * sold.gross == -position.gross * abs(sold.quantity)
    )
