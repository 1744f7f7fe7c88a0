"""One round of the source: every complete file is fetched, handed over and put away, and none keeps another back."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

import asyncssh
import attrs

from tillpost import Accept, Context, DocumentError, JournalError, Stopped, TillpostError, describe, hookimpl
from tillpost.kit.troubles import Troubles
from tillpost.model import Delivered, Document, DocumentTrouble, Misconfigured, NotSent, Outcome
from tillpost.model.typed import printable
from tillpost_sftp.drop import Drop, NoRoomHere
from tillpost_sftp.failures import LOST, failure_of, refusal
from tillpost_sftp.names import Seen, join
from tillpost_sftp.session import ERRORS
from tillpost_sftp.settings import SourceSettings
from tillpost_sftp.settled import Moved, Settled, Watch

_log = logging.getLogger("tillpost.sftp")
Report = Callable[[DocumentTrouble], None]
_LONGEST_BEFORE = 3600.0
"""Seconds a file may have lain in the folder, and the server's clock be off, when taken files are compared."""
_MOST_TAKEN = 1000
"""Files put away that are compared with the journal; the newest."""


@attrs.frozen
class _Read:
    """A file that was handed over and is still to be put away. reason: why it is set aside; "" when it is done."""

    seen: Seen
    sha256: str
    reason: str = ""


class SftpSource:
    """The hooks of the source. What it remembers only saves work: after a restart each file is simply fetched again."""

    def __init__(self, settings: SourceSettings, trusted: asyncssh.SSHKey, context: Context) -> None:
        self._settings = settings
        self._trusted = trusted
        self._state = context.state
        self._drop = Drop(settings, trusted)
        self._troubles: Troubles[bytes, Seen] = Troubles(context.clock)
        self._settled = Settled(settings, context.clock)
        self._watch = Watch(settings, context.clock)
        self._to_move: dict[bytes, _Read] = {}
        weakref.finalize(self, self._drop.close)

    @hookimpl
    def collect_documents(
        self, accept: Accept, report: Report, stopping: threading.Event
    ) -> int | NotSent | Misconfigured:
        """Hand over every complete file; the count includes files that wait for `settle`."""
        self._drop.stopping = stopping
        try:
            count = self._round(accept, report, stopping)
        except NoRoomHere as error:
            return NotSent(reason=str(error))
        except ERRORS as error:
            return self._failure(error)
        for trouble in self._troubles.all():
            report(trouble)
        return count

    def _round(self, accept: Accept, report: Report, stopping: threading.Event) -> int:
        with self._drop as drop:
            entries = drop.entries(self._settings.path)
        found = self._settled.sorted_out(entries)
        there = {entry.name for entry in entries}
        self._to_move = {name: read for name, read in self._to_move.items() if name in there}
        self._troubles.keep(there)
        for name, (state, reason) in found.odd.items():
            self._trouble(name, state, reason)
        count = found.waiting
        for name, seen in found.whole:
            if stopping.is_set():
                return count
            if not self._troubles.rests(name, seen):
                count += self._take(name, seen, accept, report)
        with self._drop as drop:
            changed = self._watch.changed(drop)
        for moved in changed:
            if not stopping.is_set():
                self._read_again(moved, accept, report)
        return count

    def _take(self, name: bytes, seen: Seen, accept: Accept, report: Report) -> bool:
        """Read a file and put it away; False when it is in trouble."""
        path = join(self._settings.path, name)
        read = self._to_move.get(name)
        if read is None or read.seen != seen:
            self._to_move.pop(name, None)
            try:
                document = self._fetched(path, _text(name), seen)
                if document is None:
                    return True  # it is being written to, or gone
                read = _Read(seen, document.sha256, _hand_over(document, seen, accept))
            except (JournalError, Stopped, NoRoomHere, *LOST):
                raise
            except asyncssh.SFTPError as error:
                self._trouble(name, seen, f"cannot be read: {refusal(error)}")
                return False
            except (TillpostError, _OfTheDocument) as error:
                self._trouble(name, seen, f"cannot be read: {error}")
                return False
            finally:
                self._local.unlink(missing_ok=True)
            self._to_move[name] = read
        try:
            self._put_away(path, name, read, report)
        except LOST:
            raise
        except asyncssh.SFTPError as error:
            what = f"cannot be read ({read.reason}), and" if read.reason else "was accepted, and"
            done = self._settings.after == "delete" and not read.reason
            end = "deleted" if done else f"moved to {self._folder(read)}"
            self._trouble(name, seen, f"{what} cannot be {end}: {refusal(error)}")
            return False
        self._to_move.pop(name, None)
        self._troubles.over(name)
        return True

    @property
    def _local(self) -> Path:
        """Where a file lies on this machine while it is read."""
        return self._state / "sftp-document"

    def _fetched(self, path: bytes, name: str, seen: Seen, local: Path | None = None) -> Document | None:
        """A copy of the file; None when it is not as it was seen, before or after. Raises ERRORS, NoRoomHere."""
        local = local or self._local
        local.unlink(missing_ok=True)
        with self._drop as drop:
            if drop.look(path) != seen:
                return None
            try:
                sha256 = drop.fetch(path, local)
            except asyncssh.SFTPNoSuchFile:
                return None
            if drop.look(path) != seen:
                return None
        return Document(name=name, sha256=sha256, path=local)

    def _put_away(self, path: bytes, name: bytes, read: _Read, report: Report) -> None:
        with self._drop as drop:
            if drop.look(path) != read.seen:
                return  # it was written to: read again, whole, in a later round
            if self._settings.after == "delete" and not read.reason:
                drop.delete(path)
                return
            target = drop.free_path(self._folder(read), name, read.sha256)
            drop.rename(path, target)
        self._watch.add(target, _text(name), read.seen)
        if read.reason:
            report(_aside(_text(name), read.reason, read.sha256, target))

    def _folder(self, read: _Read) -> str:
        return self._settings.failed_folder if read.reason else self._settings.done_folder

    def _read_again(self, moved: Moved, accept: Accept, report: Report) -> None:
        """Its receipts are known; what its writer has added since is accepted."""
        assert moved.changed is not None
        seen = moved.changed[0]
        place = _text(moved.path)
        try:
            document = self._fetched(moved.path, moved.name, seen)
            if document is None:
                return
            reason = _hand_over(document, seen, accept)
        except (JournalError, Stopped, NoRoomHere, *LOST):
            raise
        except (asyncssh.SFTPError, TillpostError, _OfTheDocument) as error:
            why = refusal(error) if isinstance(error, asyncssh.SFTPError) else str(error)
            _log.warning("%s changed after it was read, and cannot be read again: %s", place, why)
            return
        finally:
            self._local.unlink(missing_ok=True)
        if reason:
            report(_aside(moved.name, reason, document.sha256, moved.path))
        moved.seen, moved.changed = seen, None
        _log.warning(
            "%s was written to after it was put away, and was read again as a whole; raise `settle`, or let the writer"
            " rename the file when it is whole",
            place,
        )

    @hookimpl
    def probe_source(self) -> Outcome:
        """Whether the folder is there, and files can be moved out of it: a file of ours is, and is removed."""
        settings = self._settings
        name = f".tillpost-check-{token_hex(4)}".encode()
        trial, other = join(settings.path, name), join(settings.path, name + b".moved")
        failed = ""
        try:
            with TemporaryDirectory() as folder, self._drop as drop:
                source = Path(folder) / "trial"
                source.write_bytes(b"Written by `tillpost check`, and removed at once.\n")
                if not drop.has_folder(settings.path):
                    return Misconfigured(reason=f"the server has no folder {settings.path}; check source.path")
                drop.entries(settings.path)
                failed = f"no file can be written into {settings.path}, and files must be moved out of it"
                drop.put(os.fsdecode(trial), source)
                failed = f"files cannot be renamed in {settings.path}, and they are moved once they are read"
                drop.rename(trial, other)
                failed = f"{os.fsdecode(other)} cannot be removed again; remove it by hand"
                drop.delete(other)
        except ERRORS as error:
            why = self._failure(error)
            return attrs.evolve(why, reason=f"{failed}: {why.reason}") if failed else why
        return Delivered()

    @hookimpl
    def find_taken(self, since: float) -> tuple[Document, ...]:
        """Files in `done` that were written since; one that was read again by its name is compared as well."""
        with self._drop as drop:
            if not drop.has_folder(self._settings.done_folder):
                return ()
            entries = drop.entries(self._settings.done_folder)
        taken = [
            (entry.seen.changed, entry.name, entry.seen)
            for entry in entries
            if entry.seen and entry.seen.changed > since - _LONGEST_BEFORE
        ]
        found = []
        with TemporaryDirectory(dir=self._state) as folder:
            for _, name, seen in sorted(taken)[-_MOST_TAKEN:]:
                path = join(self._settings.done_folder, name)
                document = self._fetched(path, _text(name), seen, Path(folder) / "document")
                if document is not None:
                    found.append(document)
        return tuple(found)

    @hookimpl
    def retry_document(self, name: str, sha256: str) -> Path | None:
        """Move a file that was set aside back into the folder it came from."""
        failed = self._settings.failed_folder
        try:
            with self._drop as drop:
                entries = drop.entries(failed) if drop.has_folder(failed) else []
            with TemporaryDirectory(dir=self._state) as folder:
                for entry in entries:
                    if entry.seen is None or not _text(entry.name).startswith(name[:200]):
                        continue
                    path = join(failed, entry.name)
                    document = self._fetched(path, name, entry.seen, Path(folder) / "document")
                    if document is None or document.sha256 != sha256:
                        continue
                    original = entry.name if _text(entry.name) == name else os.fsencode(name)
                    with self._drop as drop:
                        target = drop.free_path(self._settings.path, original, sha256)
                        drop.rename(path, target)
                    return Path(os.fsdecode(target))
        except ERRORS as error:
            raise OSError(0, self._failure(error).reason) from None
        return None

    def _trouble(self, name: bytes, seen: Seen | None, reason: str) -> None:
        place = _text(join(self._settings.path, name))
        self._troubles.add(name, seen, reason, name=_text(name), place=place)

    def _failure(self, error: Exception) -> NotSent | Misconfigured:
        return failure_of(error, self._settings, self._trusted, "source")


class _OfTheDocument(Exception):
    """The system's error about one document; the message has its words."""


def _hand_over(document: Document, seen: Seen, accept: Accept) -> str:
    """Why the document is bad; "" when it was accepted. Raises _OfTheDocument when it is not as long as it was seen."""
    # A server that ends a file early gives part of a day, which may read well. One that names no size says 0.
    if seen.size and document.path and (size := document.path.stat().st_size) != seen.size:
        raise _OfTheDocument(f"the server says it has {seen.size} bytes, and gives {size}; it is fetched again")
    try:
        accept(document)
    except DocumentError as error:
        return str(error)
    except OSError as error:
        if isinstance(error, TillpostError):
            raise
        raise _OfTheDocument((error.strerror or describe(error)).lower()) from None
    return ""


def _aside(name: str, reason: str, sha256: str, path: bytes) -> DocumentTrouble:
    return DocumentTrouble(name=name, reason=reason, place=_text(path), sha256=sha256)


def _text(name: bytes) -> str:
    return printable(os.fsdecode(name))
