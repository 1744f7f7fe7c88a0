"""Marks outside the state folder: that a journal was there, and how far it had come.

The state folder may be on a disk that is not mounted, or be put back from yesterday; what lies in it cannot tell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
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

    def __init__(self, folder: Path, paths: Sequence[Path], of: Mapping[str, str] | None = None) -> None:
        """of: the configuration file ("file") and the pipeline ("pipeline") that work in the folder."""
        self._folder, self._paths, self._of = folder, paths, dict(of or {})
        self._written: tuple[str, int] | None = None
        self._earlier: dict[Path, list[str]] = {}

    def read(self) -> Known | None:
        """The mark that knows most; None when none knows a journal in this folder."""
        return max((known for path in self._paths if (known := self._read(path))), key=lambda k: k.event, default=None)

    def furthest(self) -> int:
        """The last event that any mark of the pipeline knows, of a journal in another folder, too; 0 without one."""
        marks = {mark for path in self._paths for mark in path.parent.glob(".*.journal")}
        return max((_event(mark, self._folder, self._of) for mark in marks), default=0)

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
        if self._written is None:
            self._earlier = {path: self._folders_before(path) for path in self._paths}
        content = {"folder": str(self._folder), "token": token, "event": event, **self._of}
        done = [path for path in self._paths if _write(path, _text(content, self._earlier[path]))]
        self._written = (token, event) if done else None
        return bool(done)

    def _folders_before(self, path: Path) -> list[str]:
        """The other folders in which the same pipeline had a journal, by the mark that is written over."""
        return [str(folder) for name, folder in _named(path, self._of) if folder != self._folder]


def marked_folders(beside: Path, file: str) -> list[tuple[str, Path]]:
    """The pipelines of a configuration file and the folders in which they have, or had, a journal.

    beside: the folder of the file; file: its name. Only marks that lie there are read.
    """
    return [found for path in sorted(beside.glob(".*.journal")) for found in _named(path, {"file": file})]


def _named(path: Path, of: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """The pipeline and the folders that a mark names, the latest first; nothing when it is another's."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(path.read_bytes())
        if of and all(content[key] == value for key, value in of.items()):
            for folder in (content["folder"], *content.get("earlier", ())):
                yield str(content["pipeline"]), Path(folder)


def _event(path: Path, folder: Path, of: Mapping[str, str]) -> int:
    """The last event of a mark of this folder, or of this pipeline; 0 when it is another's."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(path.read_bytes())
        if content["folder"] == str(folder) or (of and all(content[key] == value for key, value in of.items())):
            return int(content["event"])
    return 0


def _text(content: Mapping[str, object], earlier: Sequence[str]) -> bytes:
    """A mark of `_SIZE` bytes; of the earlier folders as many as there is room for."""
    for kept in range(len(earlier), -1, -1):
        text = json.dumps({**content, "earlier": earlier[:kept]} if kept else content).encode()
        if len(text) < _SIZE:
            break
    return text.ljust(_SIZE - 1) + b"\n"


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
