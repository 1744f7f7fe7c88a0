"""Reads a WAL frame by frame, also behind a damaged frame, where SQLite stops (sqlite.org/fileformat2.html, section 4).

Each frame has a checksum over itself and all frames before it. A frame behind a damaged one can still be checked: it
continues the checksum that the damaged one has stored. And since the checksum is linear, it tells which single bit was
flipped, unless several would have had the same effect.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import Enum
from functools import cache
from operator import mul
from pathlib import Path

import attrs

HEADER, FRAME_HEADER = 32, 24
_MAGIC, _VERSION = 0x377F0682, 3007000
_MASK = 0xFFFFFFFF

Checksum = tuple[int, int]


class Fate(Enum):
    """What a frame is worth."""

    WHOLE = "whole"
    CORRECTED = "corrected"
    """One bit was flipped, and which is certain."""
    BROKEN = "broken"
    """Its checksum is wrong, and not by one bit that is certain; its page is as it was found."""


@attrs.frozen
class Frame:
    """A frame: its number from 1, its page, the pages of the file after its commit (0 within a transaction)."""

    number: int
    page: int
    commit: int
    fate: Fate
    content: bytes = attrs.field(repr=False)


@attrs.frozen
class Wal:
    """The frames of one generation of a WAL, up to the last one that carries its salts. header: whether it is whole."""

    salts: tuple[int, int]
    page_size: int
    header: bool
    frames: tuple[Frame, ...]

    @property
    def bad(self) -> int:
        """The number of the first frame that is not whole; 0 when all are."""
        if not self.header and self.frames:
            return 1
        return next((frame.number for frame in self.frames if frame.fate is not Fate.WHOLE), 0)

    def committed(self, acknowledged: int) -> int:
        """The number of the last frame that counts. acknowledged: the frames that are known to be.

        A transaction that another one follows was synced before it. The last one may have been torn by the end of the
        process or of the power while it was written, unless it was acknowledged.
        """
        ends = [frame.number for frame in self.frames if frame.commit]
        if not ends:
            return 0
        last = range(ends[-2] if len(ends) > 1 else 0, ends[-1])
        torn = ends[-1] > acknowledged and (
            any(self.frames[at].fate is not Fate.WHOLE for at in last) or (len(ends) == 1 and not self.header)
        )
        return ends[-2] if torn and len(ends) > 1 else 0 if torn else ends[-1]

    def apply(self, to: Path, end: int) -> None:
        """Write the pages of the frames up to this one, which ends a transaction, into a copy of the database."""
        last = {frame.page: frame for frame in self.frames[:end] if frame.page}
        if not last:
            return
        size = self.frames[end - 1].commit
        with to.open("r+b") as file:
            for page, frame in sorted(last.items()):
                if page <= size:
                    file.seek((page - 1) * self.page_size)
                    file.write(frame.content)
            file.truncate(size * self.page_size)


def read_wal(path: Path) -> Wal | None:
    """The WAL in this file; None when there is none, or nothing of one can be recognised."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if len(data) < HEADER + FRAME_HEADER:
        return None
    seed, page_size, salts, whole = _header(data)
    if not page_size:
        return None
    step = FRAME_HEADER + page_size
    offsets = range(HEADER, len(data) - step + 1, step)
    of_salts = struct.pack(">II", *salts)
    live = [at for at in offsets if _flipped(data[at + 8 : at + 16], of_salts) <= 1]
    if not live:
        return None
    frames: list[Frame] = []
    for number, at in enumerate(range(HEADER, live[-1] + 1, step), 1):
        frame, seed = _frame(number, data[at : at + step], seed, of_salts)
        frames.append(frame)
    return Wal(salts, page_size, whole, tuple(frames))


def wal_salts(header: bytes) -> tuple[int, int]:
    """The salts of a WAL, by the first bytes of its file; zeros when it is empty."""
    return struct.unpack(">II", header[16:24]) if len(header) >= HEADER else (0, 0)


def _header(data: bytes) -> tuple[Checksum, int, tuple[int, int], bool]:
    """The checksum the first frame continues, the page size, the salts, and whether the header is whole."""
    header = data[:HEADER]
    magic, version, page_size, _, salt1, salt2, *stored = struct.unpack(">8I", header)
    if magic == _MAGIC and version == _VERSION and checksum((0, 0), header[:24]) == tuple(stored):
        return (stored[0], stored[1]), page_size, (salt1, salt2), True
    first = struct.unpack(">II", data[HEADER + 8 : HEADER + 16])
    page_size = page_size if page_size in {1 << n for n in range(9, 17)} else 4096
    meant = struct.pack(">3I", _MAGIC, _VERSION, page_size) + header[12:16] + struct.pack(">II", *first)
    computed = checksum((0, 0), meant)
    return (stored[0], stored[1]) if computed != tuple(stored) else computed, page_size, (first[0], first[1]), False


def _frame(number: int, data: bytes, seed: Checksum, salts: bytes) -> tuple[Frame, Checksum]:
    """A frame and the checksum the next one continues."""
    stored: Checksum = struct.unpack(">II", data[16:24])
    covered = data[:8] + data[FRAME_HEADER:]
    computed = checksum(seed, covered)
    fate = Fate.WHOLE
    if computed == stored:
        fate = Fate.WHOLE if data[8:16] == salts else Fate.CORRECTED
    elif _flipped(struct.pack(">II", *computed), data[16:24]) == 1:
        fate, stored = Fate.CORRECTED, computed
    elif (corrected := _corrected(covered, computed, stored)) is not None:
        fate, covered = Fate.CORRECTED, corrected
    else:
        fate = Fate.BROKEN
    page, commit = struct.unpack(">II", covered[:8])
    return Frame(number, page, commit, fate, covered[8:]), stored


def _flipped(one: bytes, other: bytes) -> int:
    """In how many bits two texts of bytes differ."""
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


# --- the checksum --------------------------------------------------------------------------------------------------
# For each pair of words: s0 += x + s1; s1 += y + s0. So a pair multiplies the vector (s0, s1) by [[1, 1], [1, 2]] and
# adds (x, x + y), and the checksum is a sum of the words with fixed factors, which Python adds up quickly.


@cache
def _factors(words: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, int, int, int]]:
    """The factor of each word in either half of the checksum, and the matrix of the seed."""
    first: list[int] = []
    second: list[int] = []
    a, b, c, d = 1, 0, 0, 1  # the matrix to the power of the pairs behind a word
    for _ in range(words // 2):
        first += [b, (a + b) & _MASK]
        second += [d, (c + d) & _MASK]
        a, b, c, d = (a + b) & _MASK, (a + 2 * b) & _MASK, (c + d) & _MASK, (c + 2 * d) & _MASK
    return tuple(reversed(first)), tuple(reversed(second)), (a, b, c, d)


def checksum(seed: Checksum, data: bytes) -> Checksum:
    """SQLite's checksum of a WAL on little-endian machines; the length of `data` is a multiple of 8."""
    words = struct.unpack(f"<{len(data) // 4}I", data)
    first, second, (a, b, c, d) = _factors(len(words))
    s0, s1 = seed
    return (
        (sum(map(mul, first, words)) + a * s0 + b * s1) & _MASK,
        (sum(map(mul, second, words)) + c * s0 + d * s1) & _MASK,
    )


def _corrected(data: bytes, computed: Checksum, stored: Checksum) -> bytes | None:
    """The bytes with the one bit flipped back that explains the difference; None when none does, or several do."""
    found = list(_explanations(data, computed, stored))
    if len(found) != 1:
        return None
    byte, bit = divmod(found[0], 8)
    corrected = bytearray(data)
    corrected[byte] ^= 1 << bit
    return bytes(corrected)


def _explanations(data: bytes, computed: Checksum, stored: Checksum) -> Iterator[int]:
    """The bits (counted from the first byte) of which one flipped has made the difference."""
    words = struct.unpack(f"<{len(data) // 4}I", data)
    first, second, _ = _factors(len(words))
    off = (stored[0] - computed[0]) & _MASK, (stored[1] - computed[1]) & _MASK
    for sign in (1, -1):
        wanted = sign * off[0] & _MASK, sign * off[1] & _MASK
        for bit in range(32):
            mask = _MASK >> bit
            if (wanted[0] | wanted[1]) & ((1 << bit) - 1):
                break  # a higher bit leaves these at zero
            low = wanted[0] >> bit, wanted[1] >> bit
            for at, (f, s) in enumerate(zip(first, second, strict=True)):
                if f & mask == low[0] and s & mask == low[1] and (words[at] >> bit & 1 == 0) == (sign == 1):
                    yield at * 32 + bit
