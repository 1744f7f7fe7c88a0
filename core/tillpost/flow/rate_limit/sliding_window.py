"""The sliding second: how many requests were let go in it, millisecond by millisecond.

The counts lie in cells that several processes may share. A moment is monotonic seconds, which one machine's processes
have in common and which begin anew when it starts: counts from before are known by lying in the future or far back.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable
from typing import Protocol

import attrs

TICK = 0.001
"""Seconds a cell stands for; a request counts from the end of its cell."""
SPAN = 1002
"""Ticks a request counts. Two more than a second, because the way to the destination is not known to the
microsecond."""
AHEAD = 1.0
"""The latest moment a request may be dated with, in seconds from now."""
LONGEST_BLOCK = 3600.0
"""Seconds; a block that ends later than that from now is no block, but left by another start of the machine."""
_HOLD = 5.0
"""Seconds a smaller rate holds for all after the process that has it last let a request go."""

_PACE, _LAG = 0.9, 5
"""Requests go evenly, at least this part of the even distance apart: fifty at once would make the next wait a second,
and a live receipt with it. Up to so many go at once where the machine woke late, or after a rest."""
_PACED = 1000
"""Requests a second beyond which they are not spaced: a sleep is not that exact."""

_TICKS = 4096
_CELL = 4
_HEAD = struct.Struct("<qqdddd")
SIZE = 64 + _TICKS * _CELL
"""Bytes of the cells and what stands before them."""
_CHUNK = 256


class Cells(Protocol):
    """SIZE bytes, zeros at first, with a lock. `acquire` tells whether nobody else had them when they were opened."""

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
        """Nobody else has them."""
        return False

    def release(self) -> None:
        """Nobody waits."""

    def read(self, at: int, size: int) -> bytes:
        """So many bytes from there."""
        return bytes(self._bytes[at : at + size])

    def write(self, at: int, data: bytes) -> None:
        """Put the bytes there."""
        self._bytes[at : at + len(data)] = data

    def close(self) -> None:
        """They stay."""


@attrs.define
class _Head:
    """swept: the last tick whose requests no longer count. total: the sum of the cells behind it.

    blocked: nothing goes before this moment. rate, rate_until: the smallest any process names, and until when it holds.
    paced: the next one does not go before this moment.
    """

    swept: int
    total: int
    blocked: float
    rate: float
    rate_until: float
    paced: float


class SlidingWindow:
    """The requests of the last second in some cells. Not for several threads at once."""

    def __init__(self, cells: Cells, monotonic: Callable[[], float]) -> None:
        self._cells = cells
        self._monotonic = monotonic

    def take(self, rate: float, ahead: float, most: int = 1) -> tuple[int, float]:
        """Count requests as arriving so many seconds from now, at most so many: how many there was room for, and now.

        With 0, the second value is the moment to look again.
        """
        head, now = self._enter()
        try:
            if not 0.0 < head.rate < rate or not now < head.rate_until <= now + _HOLD:
                head.rate, head.rate_until = rate, now + _HOLD
            rate = head.rate
            room = max(1, int(rate)) - head.total
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
            if rate < 1.0:  # further than the cells reach
                head.blocked = now + 1.0 / rate
            elif rate < _PACED:
                head.paced = max(head.paced, now - _LAG / rate) + _PACE / rate
            return count, now
        finally:
            self._leave(head)

    def redate(self, was: float, date: float) -> None:
        """A request that was counted at one moment is known to have arrived by another."""
        head, _ = self._enter()
        try:
            if _tick(was) > head.swept:
                self._add(head, _tick(was), -1)
            if _tick(date) > head.swept:
                self._add(head, _tick(date), 1)
            if 0.0 < head.rate < 1.0:
                head.blocked = max(head.blocked, date + 1.0 / head.rate)
        finally:
            self._leave(head)

    def block(self, seconds: float) -> None:
        """Let nothing go for so long, in any process."""
        head, now = self._enter()
        head.blocked = max(head.blocked, now + min(seconds, LONGEST_BLOCK))
        self._leave(head)

    def _enter(self) -> tuple[_Head, float]:
        fresh = self._cells.acquire()
        try:
            now = self._monotonic()  # with the lock, so that it never lies before what another has written
            head = _Head(*_HEAD.unpack(self._cells.read(0, _HEAD.size)))
            if fresh or not head.blocked <= now + LONGEST_BLOCK:
                head.blocked = 0.0
            self._sweep(head, math.floor(now / TICK + _LITTLE) - SPAN)
        except BaseException:
            self._cells.release()
            raise
        return head, now

    def _leave(self, head: _Head) -> None:
        try:
            self._cells.write(
                0, _HEAD.pack(head.swept, head.total, head.blocked, head.rate, head.rate_until, head.paced)
            )
        finally:
            self._cells.release()

    def _sweep(self, head: _Head, edge: int) -> None:
        """What lies a second back no longer counts."""
        if not 0 <= edge - head.swept < _TICKS:  # idle for long, or of another start of the machine
            self._cells.write(64, bytes(SIZE - 64))
            head.swept, head.total = edge, 0
            return
        second = edge // 1000 > head.swept // 1000
        while head.swept < edge:
            cells = self._cells_from(head.swept + 1, min(_CHUNK, edge - head.swept))
            if gone := sum(cells):
                head.total -= gone
                self._cells.write(_place(head.swept + 1), bytes(len(cells) * _CELL))
            head.swept += len(cells)
        if second:
            # A process killed between two writes has left the sum wrong.
            head.total = sum(memoryview(self._cells.read(64, SIZE - 64)).cast("I"))

    def _free_at(self, head: _Head, needed: int) -> float:
        """When so many of those that count have left."""
        tick = head.swept
        while tick < head.swept + _TICKS - 1:
            cells = self._cells_from(tick + 1, min(_CHUNK, head.swept + _TICKS - 1 - tick))
            for count in cells:
                tick += 1
                needed -= count
                if needed <= 0:
                    break
            if needed <= 0:
                break
        return (tick + SPAN) * TICK

    def _cells_from(self, tick: int, most: int) -> memoryview[int]:
        """The cells from this tick on, as far as they lie in a row."""
        most = min(most, _TICKS - tick % _TICKS)
        return memoryview(self._cells.read(_place(tick), most * _CELL)).cast("I")

    def _add(self, head: _Head, tick: int, count: int) -> None:
        at = _place(max(tick, head.swept + 1))
        there = int.from_bytes(self._cells.read(at, _CELL), sys.byteorder)
        count = max(count, -there)
        head.total += count
        self._cells.write(at, (there + count).to_bytes(_CELL, sys.byteorder))


_LITTLE = 1e-4
"""Of a tick; what a float of a moment may be off."""


def _tick(date: float) -> int:
    return math.ceil(date / TICK - _LITTLE)


def _place(tick: int) -> int:
    return 64 + tick % _TICKS * _CELL
