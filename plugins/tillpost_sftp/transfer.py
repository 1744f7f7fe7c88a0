"""The transfer: a temporary name, a size check, one rename; and when in doubt, looking.

The destination reads its folder at any moment and deletes what it has read (Engage contract, section 3), so a
file under its final name is never touched again, and a file that is no longer there after its rename has
been taken.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

import asyncssh

from tillpost import hookimpl
from tillpost.model import Delivered, Failure, FallbackFile, MaybeSent, NotSent, Outcome, Refused
from tillpost_sftp.session import HostKeyChanged, Kept, failure
from tillpost_sftp.settings import Settings

_BLOCK = 255 << 10
"""The most OpenSSH takes in one request."""
_AHEAD = 16
"""Blocks on the way at a time: their answers are not waited for one by one."""
_ERRORS = (HostKeyChanged, asyncssh.Error, asyncssh.KeyImportError, OSError)  # TimeoutError is an OSError
_T = TypeVar("_T")


class SftpTransfer:
    """The hooks of the slot `transfer`. Calls that follow one another share a connection."""

    def __init__(self, settings: Settings, trusted: asyncssh.SSHKey) -> None:
        self._settings = settings
        self._trusted = trusted
        self._kept = Kept()
        weakref.finalize(self, self._kept.close)

    @hookimpl
    def transfer(self, file: FallbackFile) -> Outcome:
        """Upload, unless it lies there already. Repeating is safe: it looks first."""
        try:
            with file.path.open("rb") as content:
                size = content.seek(0, 2)
        except OSError as error:
            return Refused(reason=f"{file.name} cannot be read here: {type(error).__name__}")
        if size != file.size:
            return Refused(reason=f"{file.name} has {size} bytes here, not the {file.size} it was written with")
        return self._kept.run(self._transfer(file))

    @hookimpl
    def find_transferred(self, file: FallbackFile) -> bool | Failure:
        """Whether the file still lies under its final name."""
        return self._kept.run(self._find(file))

    async def _transfer(self, file: FallbackFile) -> Outcome:
        final, temporary = self._names(file)
        renaming = False
        try:
            sftp, there = await self._look(final)
            if there is not None:
                return _already(file, there)
            await self._upload(sftp, file, temporary)
            arrived = await self._size(sftp, temporary)
            if arrived != file.size:
                with suppress(asyncssh.SFTPError):
                    await self._step(sftp.remove(temporary))
                return NotSent(reason=f"{arrived or 0} of {file.size} bytes of {file.name} arrived")
            renaming = True
            await self._rename(sftp, temporary, final)
            return Delivered()
        except _ERRORS as error:
            await self._kept.drop()
            if not renaming:
                return failure(error, self._settings)
            return await self._judge_rename(file, type(error).__name__)

    async def _judge_rename(self, file: FallbackFile, failed: str) -> Outcome:
        """After a rename without a good answer: what lies there says what became of it."""
        final, temporary = self._names(file)
        try:
            # The temporary name first: once it is gone the rename was done, whatever the reader did since.
            sftp, left = await self._look(temporary)
            if left is None:
                return Delivered(reason=f"{failed} at the rename, which was done")
            there = await self._size(sftp, final)
        except _ERRORS as error:
            await self._kept.drop()
            return MaybeSent(reason=f"{failed} at the rename of {file.name}, then {type(error).__name__}")
        if there is not None:
            return _already(file, there)
        return NotSent(reason=f"{failed} at the rename of {file.name}, which was not done")

    async def _find(self, file: FallbackFile) -> bool | Failure:
        try:
            return (await self._look(self._names(file)[0]))[1] is not None
        except _ERRORS as error:
            await self._kept.drop()
            return failure(error, self._settings)

    async def _look(self, path: str) -> tuple[asyncssh.SFTPClient, int | None]:
        """A connection on which the destination has just answered, and the size of what lies there under that name."""
        if self._kept.sftp is not None:
            try:
                return self._kept.sftp, await self._size(self._kept.sftp, path)
            except _ERRORS:
                # It may have died since it was last used. Nothing was sent, so a new one begins anew.
                await self._kept.drop()
        sftp = await self._kept.open(self._settings, self._trusted)
        return sftp, await self._size(sftp, path)

    async def _upload(self, sftp: asyncssh.SFTPClient, file: FallbackFile, temporary: str) -> None:
        try:
            remote = await self._step(sftp.open(temporary, "wb"))
        except asyncssh.SFTPNoSuchFile:
            await self._step(sftp.makedirs(temporary.rpartition("/")[0], exist_ok=True))
            remote = await self._step(sftp.open(temporary, "wb"))
        await self._write(remote, file)
        with suppress(asyncssh.SFTPOpUnsupported):  # an extension of OpenSSH
            await self._step(remote.fsync())
        # After a failure the connection is ended, and the file with it: closing it as well would wait once more.
        await self._step(remote.close())

    async def _write(self, remote: asyncssh.SFTPClientFile, file: FallbackFile) -> None:
        """All of the file, each block at its place."""
        ahead: deque[asyncio.Task[int]] = deque()
        offset = 0
        try:
            with file.path.open("rb") as content:
                while block := content.read(_BLOCK):
                    ahead.append(asyncio.ensure_future(remote.write(block, offset)))
                    offset += len(block)
                    if len(ahead) >= _AHEAD:
                        await self._step(ahead.popleft())
            while ahead:
                await self._step(ahead.popleft())
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _rename(self, sftp: asyncssh.SFTPClient, temporary: str, final: str) -> None:
        try:
            await self._step(sftp.posix_rename(temporary, final))
        except asyncssh.SFTPOpUnsupported:
            await self._step(sftp.rename(temporary, final))

    async def _size(self, sftp: asyncssh.SFTPClient, path: str) -> int | None:
        """The size of a file there; None when there is none."""
        try:
            return (await self._step(sftp.stat(path))).size
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            return None

    async def _step(self, work: Awaitable[_T]) -> _T:
        async with asyncio.timeout(self._settings.timeout.total_seconds()):
            return await work

    def _names(self, file: FallbackFile) -> tuple[str, str]:
        """The final and the temporary path; the folder is the one below the fallback folder that the file lies in."""
        folder = f"{self._settings.path.rstrip('/')}/{file.path.parent.name}"
        return f"{folder}/{file.name}", f"{folder}/.{file.name}.part"


def _already(file: FallbackFile, size: int) -> Outcome:
    if size == file.size:
        return Delivered(reason="it was there already")
    return Refused(reason=f"another file named {file.name} lies there, of {size} bytes instead of {file.size}")
