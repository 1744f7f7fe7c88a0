"""One round of the source: every complete file is handed over and put away, and none stands in the way of another."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import attrs

from tillpost import Context, DocumentError, JournalError, Stopped, TillpostError, hookimpl
from tillpost.kit.files import unwritable
from tillpost.kit.troubles import Troubles
from tillpost.model import Delivered, Document, DocumentTrouble, Misconfigured, NotSent, Outcome
from tillpost.model.typed import printable
from tillpost_folder.inbox import Folder
from tillpost_folder.move import FolderRefused, move, refusal, remove_reason, write_reason
from tillpost_folder.scan import Scan, Seen
from tillpost_folder.settings import Settings
from tillpost_folder.watch import Watch, Watched, taken_since

_log = logging.getLogger("tillpost.folder")
Accept = Callable[[Document], Mapping[str, int]]
Report = Callable[[DocumentTrouble], None]
_CHUNK = 1 << 20
_LONGEST_STALL = 60.0
"""Seconds; a file that is written to after a longer pause was changed by somebody else than its writer."""


@attrs.frozen
class _Read:
    """A file that was handed over and is still to be put away. reason: why it is set aside; "" when it is done."""

    seen: Seen
    sha256: str
    reason: str = ""


@attrs.define
class FolderSource:
    """The hooks of the source. What it remembers only saves work: after a restart each file is simply read again."""

    settings: Settings
    scan: Scan
    watch: Watch
    troubles: Troubles[Path, Seen]
    folders: tuple[Folder, Folder, Folder]
    """The inbox, done and failed."""
    _to_move: dict[Path, _Read] = attrs.field(factory=dict)

    @classmethod
    def of(cls, settings: Settings, context: Context) -> Self:
        """The source of these settings."""
        clock = context.clock
        folders = (
            Folder(settings.path, context.state, "path"),
            Folder(settings.done_folder, context.state, "done"),
            Folder(settings.failed_folder, context.state, "failed"),
        )
        watch = Watch(clock, settings.watch.total_seconds())
        return cls(settings, Scan(settings, clock), watch, Troubles(clock), folders)

    @hookimpl
    def collect_documents(
        self, accept: Accept, report: Report, stopping: threading.Event
    ) -> int | NotSent | Misconfigured:
        """Hand over every complete file; the count includes files that wait for `settle`.

        A file that changes while it is read stays where it is and is read again in a later round.
        """
        inbox, done, failed = self.folders
        fault = inbox.fault() or done.fault(may_be_missing=True) or failed.fault(may_be_missing=True)
        if fault:
            return NotSent(reason=fault)
        if refused := refusal(done.path) or refusal(failed.path):
            return Misconfigured(reason=refused)
        try:
            found = self.scan.files()
        except OSError as error:
            return NotSent(reason=f"{inbox.path} cannot be listed: {_why(error)}")
        for path, reason in found.odd.items():
            self._trouble(path, None, reason)
        there = {seen.path for seen in found.whole} | found.odd.keys()
        self.troubles.keep(there)
        self._to_move = {path: read for path, read in self._to_move.items() if path in there}
        count = found.waiting
        for seen in found.whole:
            if stopping.is_set():
                break
            if not self.troubles.rests(seen.path, seen):
                count += self._take(seen, accept, report, stopping)
        self.watch.look_back(done.path, failed.path)
        for watched in self.watch.changed(self.scan.settle):
            if not stopping.is_set():
                self._read_again(watched, accept, report, stopping)
        for trouble in self.troubles.all():
            report(trouble)
        return count

    @hookimpl
    def probe_source(self) -> Outcome:
        """Whether the folder is there and can be read, and files can be moved out of it to where they go."""
        inbox, done, failed = self.folders
        if fault := inbox.fault() or done.fault(may_be_missing=True) or failed.fault(may_be_missing=True):
            return NotSent(reason=fault)
        if refused := refusal(done.path) or refusal(failed.path):
            return Misconfigured(reason=refused)
        try:
            os.scandir(inbox.path).close()
        except OSError as error:
            return NotSent(reason=f"{inbox.path} cannot be listed: {_why(error)}")
        for folder in self.folders:
            there = next(path for path in (folder.path, *folder.path.parents) if path.is_dir())
            if why := unwritable(there):
                return NotSent(reason=f"{there} cannot be written, and files must be moved from and to it: {why}")
        return Delivered()

    def _take(self, seen: Seen, accept: Accept, report: Report, stopping: threading.Event) -> bool:
        """Read a file and put it away; False when it is in trouble."""
        read = self._to_move.get(seen.path)
        if read is None or read.seen != seen:
            self._to_move.pop(seen.path, None)
            sha256 = ""
            try:
                document = _document(seen.path, seen.path.name, stopping)
                if Seen.at(seen.path) != seen:
                    return True  # it is being written to
                sha256 = document.sha256
                read = _Read(seen, sha256, _hand_over(document, accept))
            except (JournalError, Stopped):
                raise
            except FileNotFoundError:
                if not os.path.lexists(seen.path):
                    return True
                self._trouble(seen.path, seen, "a file that it needs is missing")
                return False
            except (TillpostError, OSError) as error:
                self._trouble(seen.path, seen, f"cannot be read: {_why(error)}", sha256)
                return False
            if Seen.at(seen.path) != seen:
                return True  # it is read again, whole, in a later round
        try:
            self._put_away(read, report)
        except (OSError, FolderRefused) as error:
            self._to_move[seen.path] = read
            folder = self.settings.failed_folder if read.reason else self.settings.done_folder
            what = f"cannot be read ({read.reason}), and" if read.reason else "was accepted, and"
            self._trouble(seen.path, seen, f"{what} cannot be moved to {folder}: {_why(error)}")
            return False
        self._to_move.pop(seen.path, None)
        self.troubles.over(seen.path)
        return True

    def _trouble(self, path: Path, seen: Seen | None, reason: str, sha256: str = "") -> None:
        name, place = printable(path.name), printable(str(path))
        self.troubles.add(path, seen, reason, name=name, place=place, sha256=sha256)

    def _put_away(self, read: _Read, report: Report) -> None:
        """Move a file that was handed over, and watch it where it is then. Raises OSError, FolderRefused."""
        path = read.seen.path
        folder = self.settings.failed_folder if read.reason else self.settings.done_folder
        original = self._original(path, folder)
        try:
            moved = move(path, folder)
        except BaseException:
            if original is not None:
                os.close(original)
            raise
        if moved is None:
            if original is not None:
                os.close(original)
            return
        self.watch.add(moved, path.name, read.seen, original)
        if read.reason:
            write_reason(folder, moved.name, f"{read.reason}\n")
            report(_aside(printable(path.name), read, moved))

    def _original(self, path: Path, folder: Path) -> int | None:
        """The file itself, where the move makes a copy: its writer may still have it open."""
        try:
            if path.parent.stat().st_dev == (folder if folder.is_dir() else folder.parent).stat().st_dev:
                return None
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None

    def _read_again(self, watched: Watched, accept: Accept, report: Report, stopping: threading.Event) -> None:
        """Read a file that was written to after it was put away. Its receipts are known; what is new is accepted."""
        was_aside = watched.path.parent == self.settings.failed_folder
        assert watched.changed is not None
        stall = (watched.changed.changed - watched.seen.changed) / 1e9
        try:
            watched.copy_again()
            seen = Seen.at(watched.path)
            if seen is None:
                return
            document = _document(watched.path, watched.name, stopping)
            reason = _hand_over(document, accept)
            path = watched.path
            if bool(reason) != was_aside:
                folder = self.settings.failed_folder if reason else self.settings.done_folder
                path = move(watched.path, folder, watched.name) or watched.path
            if was_aside:
                remove_reason(self.settings.failed_folder, watched.path.name)
            if reason:
                write_reason(self.settings.failed_folder, path.name, f"{reason}\n")
                report(_aside(document.name, _Read(seen, document.sha256, reason), path))
        except (JournalError, Stopped):
            raise
        except (TillpostError, OSError, FolderRefused) as error:
            _log.warning("%s changed after it was read, and cannot be read again: %s", watched.path, _why(error))
            return
        _log.warning("%s was written to after it was put away; it was read again as a whole", path)
        self.watch.read_again(watched, path, seen)
        if self.scan.settle < stall <= _LONGEST_STALL:
            self.scan.settle = 2 * stall
            _log.warning(
                "%s: its writer paused for %.1f s: files are now read when they were not written to for %.1f s; raise"
                " `settle` in the configuration, or let the writer rename the file when it is whole",
                path, stall, self.scan.settle,
            )  # fmt: skip

    @hookimpl
    def find_taken(self, since: float) -> tuple[Document, ...]:
        """Files in `done` that were moved there since; what was written to there is read again anyway."""
        taken = taken_since(self.settings.done_folder, self.settings.pattern, since)
        return tuple(_document(each.path, each.path.name, threading.Event()) for each in taken)

    @hookimpl
    def retry_document(self, name: str, sha256: str) -> Path | None:
        """Move a file that was set aside back into the folder it came from."""
        failed = self.settings.failed_folder
        try:
            candidates = sorted(each for each in failed.iterdir() if printable(each.name).startswith(name[:200]))
        except FileNotFoundError:
            return None
        for path in candidates:
            if not path.is_file() or _document(path, path.name, threading.Event()).sha256 != sha256:
                continue
            original = path.name if printable(path.name) == name else name
            moved = move(path, self.settings.path, original)
            if moved is not None:
                remove_reason(failed, path.name)
                return moved
        return None


def _hand_over(document: Document, accept: Accept) -> str:
    """Why the document is bad; "" when it was accepted."""
    try:
        accept(document)
    except DocumentError as error:
        return str(error)
    return ""


def _aside(name: str, read: _Read, moved: Path) -> DocumentTrouble:
    return DocumentTrouble(name=name, reason=read.reason, place=printable(str(moved)), sha256=read.sha256)


def _document(path: Path, name: str, stopping: threading.Event) -> Document:
    """The file as a document. It must be a file by now too: no link is followed, no pipe waited for. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "is not a file any more", str(path))
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            if stopping.is_set():
                raise Stopped(f"{printable(name)}: stopped before it was read")
    return Document(name=printable(name), sha256=digest.hexdigest(), path=path)


def _why(error: Exception) -> str:
    """The system's words for an error, without a line of code."""
    if isinstance(error, OSError) and not isinstance(error, TillpostError) and error.strerror:
        return error.strerror.lower()
    return str(error)
