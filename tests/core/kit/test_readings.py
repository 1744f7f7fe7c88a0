from __future__ import annotations

from decimal import Decimal

import pytest

from tillpost import InvalidValue
from tillpost.kit import Reading, first_reading


def _sum(amount: str, stated: str) -> Decimal:
    if amount != stated:
        raise InvalidValue(f"sums to {amount}, the total is {stated}", place="receipt")
    return Decimal(amount)


def test_the_first_that_adds_up_is_taken_and_its_flag_kept() -> None:
    readings = [
        Reading("as it stands", lambda: _sum("100", "70")),
        Reading("change in a tender of zero", lambda: _sum("70", "70"), flag="change-in-tender"),
        Reading("rounding as a tender", lambda: pytest.fail("tried after one that adds up"), flag="never"),
    ]
    assert first_reading(readings) == (Decimal(70), ("change-in-tender",))


def test_a_reading_that_puts_nothing_aside_has_no_flag() -> None:
    assert first_reading([Reading("as it stands", lambda: _sum("70", "70"))]) == (Decimal(70), ())


def test_none_that_adds_up_tells_the_difference_of_each() -> None:
    with pytest.raises(InvalidValue) as caught:
        first_reading(
            [
                Reading("tax included", lambda: _sum("5", "6")),
                Reading("tax on top", lambda: _sum("7", "6"), flag="tax-on-top"),
            ]
        )
    told = str(caught.value)
    assert "tax included: receipt: sums to 5, the total is 6" in told
    assert "tax on top: receipt: sums to 7, the total is 6" in told


def test_readings_that_fail_alike_are_told_once_and_none_at_all_is_an_error() -> None:
    with pytest.raises(InvalidValue, match=r"^receipt: sums to 5, the total is 6$"):
        first_reading([Reading("one", lambda: _sum("5", "6")), Reading("other", lambda: _sum("5", "6"))])
    with pytest.raises(InvalidValue, match="no way"):
        first_reading([])
