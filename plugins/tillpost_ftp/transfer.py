"""The transfer: a temporary name, a size check, one rename; and when in doubt, looking.

The destination reads its folder at any moment and deletes what it has read (Engage contract, section 3), so a
file under its final name is never touched again, and a file that is no longer there after its rename has
been taken.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from tillpost import hookimpl
from tillpost.model import Delivered, Failure, FallbackFile, MaybeSent, NotSent, Outcome, Refused
from tillpost_ftp.session import ERRORS, Session, failure
from tillpost_ftp.settings import Settings


class FtpTransfer:
    """The hooks of the slot `transfer`. Each call has a connection of its own. tls: None for none."""

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None) -> None:
        self._settings = settings
        self._tls = tls

    @hookimpl
    def transfer(self, file: FallbackFile) -> Outcome:
        """Upload, unless it lies there already. Repeating is safe: it looks first."""
        try:
            size = file.path.stat().st_size
        except OSError as error:
            return Refused(reason=f"{file.name} cannot be read here: {type(error).__name__}")
        if size != file.size:
            return Refused(reason=f"{file.name} has {size} bytes here, not the {file.size} it was written with")
        final, temporary = self._names(file)
        renaming = False
        try:
            with self._session() as session:
                there = session.find_size(final)
                if there is not None:
                    return _already(file, there)
                session.put(temporary, file.path)
                arrived = session.find_size(temporary)
                if arrived != file.size:
                    session.remove(temporary)
                    return NotSent(reason=f"{arrived or 0} of {file.size} bytes of {file.name} arrived")
                renaming = True
                self._rename(session, temporary, final)
                return Delivered()
        except ERRORS as error:
            if not renaming:
                return failure(error, self._settings)
            return self._judge_rename(file, type(error).__name__)

    @hookimpl
    def find_transferred(self, file: FallbackFile) -> bool | Failure:
        """Whether the file still lies under its final name."""
        try:
            with self._session() as session:
                return session.find_size(self._names(file)[0]) is not None
        except ERRORS as error:
            return failure(error, self._settings)

    def _judge_rename(self, file: FallbackFile, failed: str) -> Outcome:
        """After a rename without a good answer: what lies there says what became of it."""
        final, temporary = self._names(file)
        try:
            with self._session() as session:
                # The temporary name first: once it is gone the rename was done, whatever the reader did since.
                if session.find_size(temporary) is None:
                    return Delivered(reason=f"{failed} at the rename, which was done")
                there = session.find_size(final)
        except ERRORS as error:
            return MaybeSent(reason=f"{failed} at the rename of {file.name}, then {type(error).__name__}")
        if there is not None:
            return _already(file, there)
        return NotSent(reason=f"{failed} at the rename of {file.name}, which was not done")

    def _rename(self, session: Session, temporary: str, final: str) -> None:
        session.move(temporary, final)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        session = Session(self._settings, self._tls)
        try:
            session.open()
            yield session
        finally:
            session.leave()

    def _names(self, file: FallbackFile) -> tuple[str, str]:
        """The final and the temporary path; the folder is the one below the fallback folder that the file lies in."""
        folder = f"{self._settings.path.rstrip('/')}/{file.path.parent.name}"
        return f"{folder}/{file.name}", f"{folder}/.{file.name}.part"


def _already(file: FallbackFile, size: int) -> Outcome:
    if size == file.size:
        return Delivered(reason="it was there already")
    return Refused(reason=f"another file named {file.name} lies there, of {size} bytes instead of {file.size}")
