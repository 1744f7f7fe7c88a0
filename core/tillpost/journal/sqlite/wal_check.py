"""Whether a WAL belongs to its journal, and is whole as far as it was acknowledged. The line and the doctor ask here.

SQLite asks neither: it applies the WAL of yesterday to the file of today, and it takes the first damaged frame for the
end. No other process may have the journal open: the WAL of a journal at work is its own.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from itertools import islice
from pathlib import Path

import apsw
import attrs

from tillpost.errors import JournalDamaged
from tillpost.journal.sqlite.commit_mark import LAST_EVENT, TOKEN, Mark, read_mark
from tillpost.journal.sqlite.file_identity import Header, read_header
from tillpost.journal.sqlite.wal import FRAME_HEADER, HEADER, Fate, Wal, checksum, read_wal, wal_salts


@attrs.frozen(kw_only=True)
class WalFault:
    """What is wrong with a WAL. own: whether it is this journal's, so that its frames are used."""

    reason: str
    lost: str
    remedy: str
    own: bool
    wal: Wal


def wal_path(path: Path) -> Path:
    """The WAL of a journal."""
    return path.with_name(f"{path.name}-wal")


def examine_wal(path: Path) -> WalFault | None:
    """What is wrong with the WAL of a journal; None when it belongs to it and nothing acknowledged is damaged."""
    wal = read_wal(wal_path(path))
    if wal is None:
        return None
    if reason := _foreign(path, read_header(path), _generations(wal)):
        return WalFault(
            reason=reason,
            lost="what was committed in it, unless the file it belongs to is put back",
            remedy="kept with the damaged journal, and not used; put back the file that belongs to the other, or have"
            " the documents since the older one accepted again",
            own=False,
            wal=wal,
        )
    acknowledged = acknowledged_frames(path, wal)
    if len(wal.frames) < acknowledged:
        return WalFault(
            reason=f"has {len(wal.frames)} frames, and {acknowledged} were acknowledged",
            lost="what was committed in the frames that are gone", own=True, wal=wal,
            remedy="the others are used; have the documents since then accepted again",
        )  # fmt: skip
    end = wal.committed(acknowledged)
    if not 0 < wal.bad <= end:
        return None
    broken = [frame for frame in wal.frames[:end] if frame.fate is Fate.BROKEN]
    pages = ", ".join(str(page) for page in sorted({frame.page for frame in broken}))
    behind = end - wal.bad
    return WalFault(
        reason=f"frame {wal.bad} is damaged, and SQLite reads nothing behind it: {behind} frames more were committed",
        lost=f"what the damage hit of page {pages}; its rows are examined" if broken else "nothing",
        remedy="its frames are used, those behind the damage as well"
        + ("" if broken else "; the flipped bit is known by the checksum"),
        own=True, wal=wal,
    )  # fmt: skip


def acknowledged_frames(path: Path, wal: Wal) -> int:
    """How many frames of the WAL the mark beside the journal knows to be acknowledged."""
    mark = read_mark(path)
    return mark.frames if mark is not None and mark.salts == wal.salts else 0


def require_content(path: Path) -> None:
    """Raise JournalDamaged for a file that was cut to nothing: SQLite would take it for a new one."""
    with suppress(OSError):
        if not path.stat().st_size and (mark := read_mark(path)) is not None:
            raise JournalDamaged(f"{path}: is empty, and event {mark.event} was acknowledged", path.parent)


def require_own_wal(path: Path) -> None:
    """Raise JournalDamaged when the WAL is not of this journal. Reads little more than the heads of its frames."""
    generations: list[int] = []
    with suppress(OSError), wal_path(path).open("rb", buffering=0) as file:
        first_pages = [at for at, head in _frame_heads(file.fileno()) if head[:4] == b"\0\0\0\1"]
        for order in (first_pages, first_pages[::-1]):
            generations += islice(filter(None, (_generation(file.fileno(), at) for at in order)), 1)
    if generations and (reason := _foreign(path, read_header(path), generations)):
        raise _damaged(path, reason)


def require_whole_wal(path: Path, connection: apsw.Connection) -> None:
    """Raise JournalDamaged when SQLite, which has just read the WAL, omitted what was acknowledged."""
    read = max(connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)[0], 0)
    mark = read_mark(path)
    with suppress(OSError), wal_path(path).open("rb", buffering=0) as file:
        header = os.pread(file.fileno(), HEADER, 0)
        ends = [at for at, head in _frame_heads(file.fileno()) if any(head[4:8])]
        known = mark.frames if mark is not None and mark.salts == wal_salts(header) else 0
        behind = bool(ends) and ends[-1] >= HEADER + read * (FRAME_HEADER + _page_size(header))
        empty = not read and os.fstat(file.fileno()).st_size > HEADER
        if (behind or empty or read < known) and (fault := examine_wal(path)):
            raise _damaged(path, fault.reason)


def early_end(connection: apsw.Connection, mark: Mark | None) -> str:
    """How a journal ends before what the mark says was acknowledged; "" when all is there."""
    if mark is None or connection.execute(TOKEN).get != mark.token:
        return ""
    last = int(connection.execute(LAST_EVENT).get)
    return f"ends at event {last}, and event {mark.event} was acknowledged" if last < mark.event else ""


def require_end(path: Path, connection: apsw.Connection) -> None:
    """Raise JournalDamaged when something acknowledged is not in the journal."""
    if reason := early_end(connection, read_mark(path)):
        raise JournalDamaged(f"{path}: {reason}", path.parent)


def _damaged(path: Path, reason: str) -> JournalDamaged:
    return JournalDamaged(f"{wal_path(path)}: {reason}", path.parent)


def _foreign(path: Path, header: Header | None, generations: list[int]) -> str:
    """Why a WAL is not of the journal; "" when it is, or when that cannot be told.

    generations: those of the first pages in the WAL, in its order. A WAL begins with the one that follows the file's;
    when it is carried into the file, the file gets one of those.
    """
    if header is None or not header.generation or not generations:
        return ""
    if generations[0] - 1 <= header.generation <= generations[-1]:
        return ""
    older = "the WAL" if generations[-1] < header.generation else path.name
    return (
        f"is not the WAL of this {path.name}: it begins with generation {generations[0]}, and the file is at"
        f" {header.generation}; {older} is an older copy, or of another journal"
    )


def _generations(wal: Wal) -> list[int]:
    whole = (frame for frame in wal.frames if frame.page == 1 and frame.fate is not Fate.BROKEN)
    return [count for frame in whole if (count := int.from_bytes(frame.content[68:72], "big"))]


def _generation(file: int, at: int) -> int:
    """The generation in a frame of the first page; 0 when the frame is not whole."""
    size = _page_size(os.pread(file, HEADER, 0))
    before = os.pread(file, 8, 24 if at == HEADER else at - size - 8)  # the checksum that this one continues
    frame = os.pread(file, FRAME_HEADER + size, at)
    computed = checksum(struct.unpack(">II", before), frame[:8] + frame[FRAME_HEADER:])
    if struct.pack(">II", *computed) != frame[16:24]:
        return 0
    return int.from_bytes(frame[FRAME_HEADER + 68 : FRAME_HEADER + 72], "big")


def _page_size(header: bytes) -> int:
    size = int.from_bytes(header[8:12], "big")
    return size if size in {1 << n for n in range(9, 17)} else 4096


def _frame_heads(file: int) -> list[tuple[int, bytes]]:
    """Offset and head of each frame with the salts of the WAL."""
    header = os.pread(file, HEADER, 0)
    step = FRAME_HEADER + _page_size(header)
    offsets = range(HEADER, os.fstat(file).st_size - step + 1, step)
    return [(at, head) for at in offsets if (head := os.pread(file, FRAME_HEADER, at))[8:16] == header[16:24]]
