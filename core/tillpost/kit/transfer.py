"""The slot `transfer`: a temporary name, a size check, one rename; and when in doubt, looking.

The destination reads its folder at any moment and deletes what it has read (Engage contract, section 3), so a
file under its final name is never touched again, and a file that is no longer there after its rename has
been read.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import ClassVar, Generic, Protocol, TypeVar

import attrs

from tillpost.hookspecs import hookimpl
from tillpost.model import Delivered, Failure, FallbackFile, MaybeSent, Misconfigured, NotSent, Outcome, Refused


class Folder(Protocol):
    """The destination's folders, over one connection. A method raises one of `FileTransfer.errors`."""

    def has_folder(self, path: str) -> bool:
        """Whether there is a folder of this path."""

    def find_size(self, path: str) -> int | None:
        """The size in bytes of a file there; None when there is none."""

    def put(self, path: str, source: Path) -> None:
        """Write a file, over what an earlier attempt left under that name; synced where the server can do it."""

    def move(self, old: str, new: str) -> None:
        """Rename a file."""

    def remove(self, path: str) -> None:
        """Delete a file, if it is there."""


F = TypeVar("F", bound=Folder)
_TRIAL = b"Written by `tillpost check` to see whether files arrive, and removed at once. It holds no data.\n"


class FileTransfer(ABC, Generic[F]):
    """The hooks of the slot: a plugin says how to connect, and what its errors mean."""

    errors: ClassVar[tuple[type[Exception], ...]]
    """What the methods of the folder raise."""
    root: str
    """The path of the folder that has transactionImport and contactImport."""
    makes_folders: ClassVar[bool] = True
    """Whether `put` makes a folder that is missing below the path."""

    @abstractmethod
    def connect(self) -> AbstractContextManager[F]:
        """The folder, for one call. Raises one of `errors`, as do its methods."""

    @abstractmethod
    def failure(self, error: Exception) -> Failure:
        """What an error before the rename means: nothing was sent, or the settings are wrong."""

    @hookimpl
    def transfer(self, file: FallbackFile) -> Outcome:
        """Upload, unless it is there already. Repeating is safe: it looks first."""
        try:
            size = file.path.stat().st_size
            file.path.open("rb").close()
        except OSError as error:
            why = os.strerror(error.errno or 0)
            return Refused(reason=f"{file.name} cannot be read in the fallback folder: {why}")
        if size != file.size:
            return Refused(reason=f"{file.name} has {size} bytes in the fallback folder, {file.size} were written")
        final, temporary = self.paths(file)
        renaming = False
        try:
            with self.connect() as folder:
                there = folder.find_size(final)
                if there is not None:
                    return self._already(folder, file, there)
                folder.put(temporary, file.path)
                arrived = folder.find_size(temporary)
                if arrived != file.size:
                    with suppress(*self.errors):
                        folder.remove(temporary)
                    return NotSent(reason=f"{arrived or 0} of {file.size} bytes of {file.name} arrived")
                renaming = True
                self.rename(folder, temporary, final)
                return Delivered()
        except self.errors as error:
            failure = self.failure(error)
            return self._after_rename(file, failure.reason) if renaming else failure

    @hookimpl
    def probe_transfer(self, folders: tuple[str, ...], trial: bool) -> Outcome:
        """Connect and look for the path; as a trial also put a file into each folder and take it away again."""
        try:
            with self.connect() as folder:
                if not folder.has_folder(self.root):
                    return self.no_folder(self.root)
                for name in folders:
                    path = f"{self.root.rstrip('/')}/{name}"
                    if not self.makes_folders and not folder.has_folder(path):
                        return self.no_folder(path)
                    if trial and (failure := self._try(folder, path)) is not None:
                        return failure
                return Delivered()
        except self.errors as error:
            return self.failure(error)

    def no_folder(self, path: str) -> Failure:
        """What it means that this folder, or the path of the settings, is not there."""
        return Misconfigured(reason=f"the file server has no folder {path}; check transfer.path")

    def _try(self, folder: F, path: str) -> Failure | None:
        """Put a file that no import reads into the folder, rename it, remove it; what failed, None when nothing did."""
        name = f"tillpost-check-{token_hex(4)}.txt"
        final, temporary = f"{path}/{name}", f"{path}/.{name}.part"
        failed, left = f"no file can be written into {path}", temporary
        failure: Failure | None = None
        with TemporaryDirectory() as here:
            source = Path(here) / name
            source.write_bytes(_TRIAL)
            try:
                folder.put(temporary, source)
                if (size := folder.find_size(temporary)) != len(_TRIAL):
                    failure = NotSent(reason=f"{failed}: {size or 0} of {len(_TRIAL)} bytes arrived")
                else:
                    failed = f"a file written into {path} cannot be renamed, so the destination would never see it"
                    self.rename(folder, temporary, final)
                    left = final
            except self.errors as error:
                why = self.failure(error)
                failure = attrs.evolve(why, reason=f"{failed}: {why.reason}")
        with suppress(*self.errors):
            folder.remove(left)
            if folder.find_size(left) is None:
                return failure
        stays = f"{left} stays on the file server: it cannot be removed there; remove it by hand"
        return NotSent(reason=stays) if failure is None else attrs.evolve(failure, reason=f"{failure.reason}; {stays}")

    @hookimpl
    def find_transferred(self, file: FallbackFile) -> bool | Failure:
        """Whether the file is still there under its final name."""
        try:
            with self.connect() as folder:
                return folder.find_size(self.paths(file)[0]) is not None
        except self.errors as error:
            return self.failure(error)

    def rename(self, folder: F, temporary: str, final: str) -> None:
        """The decisive step: from here on the file may be seen and read."""
        folder.move(temporary, final)

    def paths(self, file: FallbackFile) -> tuple[str, str]:
        """The final and the temporary path; the folder has the name of the file's own below the fallback folder."""
        folder = f"{self.root.rstrip('/')}/{file.path.parent.name}"
        return f"{folder}/{file.name}", f"{folder}/.{file.name}.part"

    def _after_rename(self, file: FallbackFile, why: str) -> Outcome:
        """After a rename without a good answer: what is there shows whether it was done."""
        final, temporary = self.paths(file)
        try:
            with self.connect() as folder:
                # The temporary name first: once it is gone the rename was done, whatever the reader did since.
                if folder.find_size(temporary) is None:
                    return Delivered(reason=f"the rename was done, though: {why}")
                there = folder.find_size(final)
                if there is not None:
                    return self._already(folder, file, there)
        except self.errors as error:
            then = self.failure(error).reason
            return MaybeSent(reason=f"the rename of {file.name} may have been done ({why}; then {then})")
        return NotSent(reason=f"the rename of {file.name} was not done: {why}")

    def _already(self, folder: F, file: FallbackFile, size: int) -> Outcome:
        if size != file.size:
            why = f"another file named {file.name} is there, with {size} bytes instead of {file.size}"
            return Refused(reason=f"{why}; remove it or rename it there")
        with suppress(*self.errors):
            folder.remove(self.paths(file)[1])  # a second name of it, or a part an earlier attempt left
        return Delivered(reason="it was there already")
