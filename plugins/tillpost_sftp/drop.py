"""The folders of a server that files are fetched from. Names are bytes: a server may have any."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import threading
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from tillpost import Stopped
from tillpost_sftp.names import Entry, Seen, encoded, join
from tillpost_sftp.session import Kept

_LISTED = 500
"""Names of a folder that must arrive within one `timeout`."""
_CHUNK = 1 << 20
"""Bytes that must arrive within one `timeout`."""
_LONGEST_NAME = 255
"""Bytes of a name on the file systems in use."""
_LOOK = 0.2
"""Seconds between two looks whether the source is to stop."""
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_T = TypeVar("_T")


class NoRoomHere(Exception):
    """The file cannot be written on this machine; the message says why."""


class Drop(Kept):
    """A Kept that reads. Each `with` block begins with `look` or `entries`, which connect where it is needed."""

    stopping = threading.Event()
    """Once it is set, a call raises Stopped instead of waiting for the server."""

    def entries(self, folder: str) -> list[Entry]:
        """What is in the folder, without `.` and `..`."""
        return self._run(self._look(folder, self._entries))

    def look(self, path: bytes) -> Seen | None:
        """The state of a file there; None when there is none."""
        attributes = self._run(self._lstat(path))
        return None if attributes is None else _seen(attributes)

    def exists(self, path: bytes) -> bool:
        """Whether there is anything of this path."""
        return self._run(self._lstat(path)) is not None

    def fetch(self, path: bytes, target: Path) -> str:
        """Copy the file to this machine; the SHA-256 of its content. Raises NoRoomHere."""
        return self._run(self._fetch(path, target))

    def rename(self, old: bytes, new: bytes) -> None:
        """Rename a file to a name that is free; its folder is made when it is missing."""
        self._run(self._rename(old, new))

    def delete(self, path: bytes) -> None:
        """Delete a file. Raises what the server answers, such as that we may not."""
        assert self.sftp is not None
        self._run(self._step(self.sftp.remove(path)))

    def free_path(self, folder: str, name: bytes, sha256: str) -> bytes:
        """A path that no file has: the name, or with the beginning of the SHA-256, or with a number too."""
        number = 0
        target = join(folder, name)
        while self.exists(target):
            end = b"." + sha256[:12].encode() + (b".%d" % number if number else b"")
            target = join(folder, name[: _LONGEST_NAME - len(end)] + end)
            number += 1
        return target

    async def _lstat(self, path: bytes) -> asyncssh.SFTPAttrs | None:
        async def state(sftp: asyncssh.SFTPClient, _: str) -> asyncssh.SFTPAttrs | None:
            try:
                return await self._step(sftp.lstat(path))
            except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
                return None

        return await self._look("", state)

    async def _entries(self, sftp: asyncssh.SFTPClient, folder: str) -> list[Entry]:
        found: list[Entry] = []
        listing: Any = sftp.scandir(encoded(folder))  # typed as an iterator, and a generator
        async with aclosing(listing) as names:
            while await self._step(_some(names, found)):
                pass
        return found

    async def _fetch(self, path: bytes, target: Path) -> str:
        assert self.sftp is not None
        digest = hashlib.sha256()
        remote: Any = await self._step(self.sftp.open(path, "rb"))  # of bytes: it is opened without an encoding
        try:
            file = os.fdopen(os.open(target, _NEW, 0o600), "wb")
        except OSError as error:
            raise NoRoomHere(_why(target, error)) from None
        with file:
            while chunk := await self._step(remote.read(_CHUNK, file.tell())):
                digest.update(chunk)
                try:
                    file.write(chunk)
                    file.flush()
                except OSError as error:
                    raise NoRoomHere(_why(target, error)) from None
        await self._step(remote.close())
        return digest.hexdigest()

    async def _rename(self, old: bytes, new: bytes) -> None:
        assert self.sftp is not None
        try:
            await self._step(self.sftp.rename(old, new))
        except asyncssh.SFTPError:
            folder = new.rpartition(b"/")[0]
            if await self._step(self.sftp.isdir(folder)):
                raise
            with suppress(asyncssh.SFTPFailure):  # another one has made it in between
                await self._step(self.sftp.mkdir(folder))
            await self._step(self.sftp.rename(old, new))

    async def _watched(self, work: Awaitable[_T]) -> _T:
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait((task,), timeout=_LOOK))[0]:
                if self.stopping.is_set():
                    raise Stopped("stopped while the server was waited for")
            return task.result()
        finally:
            task.cancel()


async def _some(names: AsyncGenerator[asyncssh.SFTPName, None], found: list[Entry]) -> bool:
    """Add the next names; whether there may be more."""
    async for each in names:
        name = os.fsencode(each.filename)
        if name not in (b".", b"..") and b"/" not in name:
            found.append(Entry(name, _seen(each.attrs)))
        if not len(found) % _LISTED:
            return True
    return False


def _seen(attributes: asyncssh.SFTPAttrs) -> Seen | None:
    kind = stat.S_IFMT(attributes.permissions or 0) or stat.S_IFREG
    return Seen(attributes.size or 0, int(attributes.mtime or 0)) if kind == stat.S_IFREG else None


def _why(target: Path, error: OSError) -> str:
    return f"{target.parent} cannot be written: {(error.strerror or '').lower()}"
