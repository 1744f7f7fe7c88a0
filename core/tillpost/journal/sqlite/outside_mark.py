"""Marks outside the state folder: that a journal was there, and how far it had come.

The state folder may be on a disk that is not mounted, or be put back from yesterday; what lies in it cannot tell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import attrs

_SIZE = 1024
"""Bytes of a mark; it is written over in place, so its length never changes."""


@attrs.frozen
class Known:
    """What a mark says. token: of the journal; event: its last one; mark: the file that says so."""

    token: str
    event: int
    mark: Path


class OutsideMarks:
    """The marks of one state folder; those that cannot be written are passed over."""

    def __init__(self, folder: Path, paths: Sequence[Path]) -> None:
        self._folder, self._paths = folder, paths
        self._written: tuple[str, int] | None = None

    def read(self) -> Known | None:
        """The mark that knows most; None when none knows a journal in this folder."""
        return max((known for path in self._paths if (known := self._read(path))), key=lambda k: k.event, default=None)

    def _read(self, path: Path) -> Known | None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(path.read_bytes())
            if content["folder"] == str(self._folder):
                return Known(str(content["token"]), int(content["event"]), path)
        return None

    def write(self, token: str, event: int) -> bool:
        """Note how far the journal has come; False when that could be written nowhere."""
        if self._written == (token, event):
            return True
        content = {"folder": str(self._folder), "token": token, "event": event}
        text = json.dumps(content).ljust(_SIZE - 1) + "\n"
        done = [path for path in self._paths if _write(path, text.encode())]
        self._written = (token, event) if done else None
        return bool(done)


def _write(path: Path, content: bytes) -> bool:
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(file, content, 0)
        finally:
            os.close(file)
    except OSError:
        return False
    return True
