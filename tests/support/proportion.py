"""Whether work takes time in proportion to its size: judged by the ratio of two sizes, never by seconds."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

TIMES = 4
"""How much larger the larger work is. In proportion it takes 4 times as long, by the square 16 times."""
_TRIES = 5
_TOO_SHORT = 0.01
"""Seconds that a clock's steps and a cache that is cold may add."""


def is_in_proportion(work: Callable[[int], object], size: int) -> bool:
    """Whether `work(TIMES * size)` takes no more than twice TIMES as long as `work(size)`, in processor time.

    What a busy machine adds it adds at random, so one of five tries is enough: work by the square passes in none. The
    garbage collector rests meanwhile: what it takes grows with everything else the tests' process holds.
    """

    def seconds(count: int) -> float:
        begun = time.process_time()
        work(count)
        return time.process_time() - begun

    gc.collect()
    gc.disable()
    try:
        return any(seconds(TIMES * size) < 2 * TIMES * (seconds(size) + _TOO_SHORT) for _ in range(_TRIES))
    finally:
        gc.enable()
