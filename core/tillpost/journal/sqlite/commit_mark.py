"""The commit mark: what was acknowledged last, in a small file beside the journal.

SQLite reads its WAL up to the first damaged frame and calls that the end. The mark tells when more was acknowledged.
Written after each commit and before it is acknowledged; not synced, since a process that is killed leaves it whole, and
after a power cut an older mark is merely a weaker one.
"""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Self

import attrs

_FORM = struct.Struct(">4s32sIIIQ")
_MAGIC = b"TPM1"
LAST_EVENT = (
    "SELECT max(coalesce((SELECT max(seq) FROM events), 0),"
    " coalesce((SELECT max(last) FROM removed WHERE of = 'events'), 0))"
)
"""The last event that was ever committed; retention may have removed it."""
TOKEN = "SELECT token FROM identity"  # noqa: S105 - names a journal, and opens nothing


@attrs.frozen
class Mark:
    """token: of the journal; salts, frames: the WAL as of the last commit; event: the last one acknowledged."""

    token: str
    salts: tuple[int, int]
    frames: int
    event: int


class CommitMark:
    """The file `journal.mark`, kept open."""

    def __init__(self, file: int) -> None:
        self._file = file

    @classmethod
    def open(cls, journal: Path) -> Self | None:
        """The mark of the journal at this path; None where it cannot be written (a full or read-only disk)."""
        with suppress(OSError):
            return cls(os.open(mark_path(journal), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return None

    def write(self, mark: Mark) -> None:
        """Note a commit. On a full disk the older mark stays."""
        form = _FORM.pack(_MAGIC, mark.token.encode(), *mark.salts, mark.frames, mark.event)
        with suppress(OSError):
            os.pwrite(self._file, form + zlib.crc32(form).to_bytes(4, "big"), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def mark_path(journal: Path) -> Path:
    """Where the mark of a journal is."""
    return journal.with_suffix(".mark")


def read_mark(journal: Path) -> Mark | None:
    """The mark beside a journal; None when there is none, or it is damaged."""
    with suppress(OSError):
        content = mark_path(journal).read_bytes()
        if len(content) == _FORM.size + 4 and zlib.crc32(content[:-4]).to_bytes(4, "big") == content[-4:]:
            magic, token, salt1, salt2, frames, event = _FORM.unpack(content[:-4])
            if magic == _MAGIC:
                return Mark(token.decode(errors="replace"), (salt1, salt2), frames, event)
    return None
