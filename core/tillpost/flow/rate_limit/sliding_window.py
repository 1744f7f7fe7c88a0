"""The sliding second: how many requests count in it, millisecond by millisecond.

The counts are in cells that several processes may share. Moments are monotonic seconds, which all processes of a
machine share. They start again from zero with the machine; counts from before are recognised because they are in the
future or far in the past.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable
from typing import Protocol

import attrs

TICK = 0.001
"""Seconds of one cell; a request counts from the end of its cell."""
SPAN = 1002
"""Ticks for which a request counts: a second and two more, because the time on the network varies."""
AHEAD = 1.0
"""Seconds from now to the latest moment at which a request may be counted."""
LONGEST_BLOCK = 3600.0
"""Seconds. A block that ends later than this from now is a remnant from before the machine was started."""
_RATE_HOLDS = 5.0
"""Seconds for which the smallest rate holds for all, after the process that has it last let a request go."""

_PACE, _LAG = 0.9, 5
"""Requests are spaced: by at least this share of the even distance. Fifty at once would make the next one wait for a
second, and it may be of a live receipt. Up to _LAG requests go at once after a late wake-up or a rest."""
_PACED = 1000
"""Requests a second above which they are not spaced, because no sleep is that exact."""

_TICKS = 4096
_CELL = 4
_HEAD = struct.Struct("<qqdddd")
SIZE = 64 + _TICKS * _CELL
"""Bytes of the cells and their head."""
_CHUNK = 256


class Cells(Protocol):
    """SIZE bytes, zeros at first, with a lock. `acquire` returns whether nobody else had them when they were opened."""

    def acquire(self) -> bool: ...

    def release(self) -> None: ...

    def read(self, at: int, size: int) -> bytes: ...

    def write(self, at: int, data: bytes) -> None: ...

    def close(self) -> None: ...


class MemoryCells:
    """Cells of this process alone."""

    def __init__(self) -> None:
        self._bytes = bytearray(SIZE)

    def acquire(self) -> bool:
        """Other threads are kept out by the caller."""
        return False

    def release(self) -> None:
        """Nothing to release."""

    def read(self, at: int, size: int) -> bytes:
        """So many bytes from this position."""
        return bytes(self._bytes[at : at + size])

    def write(self, at: int, data: bytes) -> None:
        """Write the bytes at this position."""
        self._bytes[at : at + len(data)] = data

    def close(self) -> None:
        """Nothing to close."""


@attrs.define
class _Head:
    """swept: the last tick whose requests no longer count. total: the sum of the cells after it.

    blocked: no request goes before this moment. rate, rate_until: the smallest rate of any process, and until when it
    holds. paced: the next request does not go before this moment.
    """

    swept: int
    total: int
    blocked: float
    rate: float
    rate_until: float
    paced: float


class SlidingWindow:
    """The requests of the last second, in cells. Not for several threads at once."""

    def __init__(self, cells: Cells, monotonic: Callable[[], float]) -> None:
        self._cells = cells
        self._monotonic = monotonic

    def take(self, rate: float, ahead: float, most: int = 1, kept: int = 0) -> tuple[int, float]:
        """Count up to `most` requests as arriving `ahead` seconds from now; how many there was room for, and now.

        kept: requests that must be free beyond them. When there was no room, the second value is the moment to check
        again.
        """
        head, now = self._lock_head()
        try:
            if not 0.0 < head.rate < rate or not now < head.rate_until <= now + _RATE_HOLDS:
                head.rate, head.rate_until = rate, now + _RATE_HOLDS
            rate = head.rate
            room = max(1, int(rate)) - head.total - kept
            if now < head.blocked:
                return 0, head.blocked
            if not head.paced <= now + 1.0 / rate:
                head.paced = now
            if now < head.paced:
                return 0, head.paced
            if room <= 0:
                return 0, self._free_at(head, 1 - room)
            count = min(room, most)
            self._add(head, _tick(now + ahead), count)
            if rate < 1.0:  # longer than the cells reach
                head.blocked = now + 1.0 / rate
            elif rate < _PACED:
                head.paced = max(head.paced, now - _LAG / rate) + _PACE / rate
            return count, now
        finally:
            self._unlock_head(head)

    def redate(self, was: float, date: float) -> None:
        """Count a request at another moment: its answer has shown when it arrived at the latest."""
        head, _ = self._lock_head()
        try:
            if _tick(was) > head.swept:
                self._add(head, _tick(was), -1)
            if _tick(date) > head.swept:
                self._add(head, _tick(date), 1)
            if 0.0 < head.rate < 1.0:
                head.blocked = max(head.blocked, date + 1.0 / head.rate)
        finally:
            self._unlock_head(head)

    def block(self, seconds: float) -> None:
        """Let no request go for so many seconds, in any process."""
        head, now = self._lock_head()
        head.blocked = max(head.blocked, now + min(seconds, LONGEST_BLOCK))
        self._unlock_head(head)

    def _lock_head(self) -> tuple[_Head, float]:
        fresh = self._cells.acquire()
        try:
            now = self._monotonic()  # with the lock, so that it never lies before what another has written
            head = _Head(*_HEAD.unpack(self._cells.read(0, _HEAD.size)))
            if fresh or not head.blocked <= now + LONGEST_BLOCK:
                head.blocked = 0.0
            self._sweep(head, math.floor(now / TICK + _ROUNDING) - SPAN)
        except BaseException:
            self._cells.release()
            raise
        return head, now

    def _unlock_head(self, head: _Head) -> None:
        try:
            self._cells.write(
                0, _HEAD.pack(head.swept, head.total, head.blocked, head.rate, head.rate_until, head.paced)
            )
        finally:
            self._cells.release()

    def _sweep(self, head: _Head, edge: int) -> None:
        """Forget requests of more than a second ago."""
        if not 0 <= edge - head.swept < _TICKS:  # unused for long, or from before the machine was started
            self._cells.write(64, bytes(SIZE - 64))
            head.swept, head.total = edge, 0
            return
        second = edge // 1000 > head.swept // 1000
        while head.swept < edge:
            cells = self._cells_from(head.swept + 1, min(_CHUNK, edge - head.swept))
            if gone := sum(cells):
                head.total -= gone
                self._cells.write(_position(head.swept + 1), bytes(len(cells) * _CELL))
            head.swept += len(cells)
        if second:
            # A process that was killed between two writes has left a wrong sum.
            head.total = sum(memoryview(self._cells.read(64, SIZE - 64)).cast("I"))

    def _free_at(self, head: _Head, needed: int) -> float:
        """The moment at which so many fewer requests count."""
        tick, last = head.swept, head.swept + _TICKS - 1
        while needed > 0 and tick < last:
            for count in self._cells_from(tick + 1, min(_CHUNK, last - tick)):
                tick += 1
                needed -= count
                if needed <= 0:
                    break
        return (tick + SPAN) * TICK

    def _cells_from(self, tick: int, count: int) -> memoryview[int]:
        """The cells from this tick on, up to the end of the ring."""
        count = min(count, _TICKS - tick % _TICKS)
        return memoryview(self._cells.read(_position(tick), count * _CELL)).cast("I")

    def _add(self, head: _Head, tick: int, count: int) -> None:
        at = _position(max(tick, head.swept + 1))
        present = int.from_bytes(self._cells.read(at, _CELL), sys.byteorder)
        count = max(count, -present)
        head.total += count
        self._cells.write(at, (present + count).to_bytes(_CELL, sys.byteorder))


_ROUNDING = 1e-4
"""The part of a tick by which the float of a moment may be off."""


def _tick(date: float) -> int:
    return math.ceil(date / TICK - _ROUNDING)


def _position(tick: int) -> int:
    return 64 + tick % _TICKS * _CELL
