"""Whether the folder a source reads is the one it should read: it is there, and the share it is on is mounted.

No source makes its folder: in the empty mount point of a share that is away, a folder made there would look like an
inbox without sales. The mount point the inbox was read on is kept in the state folder, so that it is missed after a
restart too; before the first round, /etc/fstab says which mount points there should be.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import attrs

_KNOWN = "folder-source.json"
_FSTAB = Path("/etc/fstab")
_MOUNTS = Path("/proc/self/mountinfo")


@attrs.define
class Folder:
    """A folder that must be where it was. state: the pipeline's state folder. setting: what names it."""

    path: Path
    state: Path
    setting: str
    _last: tuple[int, int] | None = None
    """Device and number of the folder when it was last found to be right."""

    def fault(self, may_be_missing: bool = False) -> str:
        """Why it cannot be used now, as a sentence; "" when it can. may_be_missing: it is made when it is needed."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            missing = self._not_mounted(there=False)
            return missing or ("" if may_be_missing else self._absent())
        except OSError as error:
            return f"{self.path} cannot be looked at: {(error.strerror or '').lower()}"
        if not stat.S_ISDIR(status.st_mode):
            return f"{self.path} is not a directory; correct `{self.setting}`"
        own = status.st_dev, status.st_ino
        if own == self._last:
            return ""
        if missing := self._not_mounted(there=True):
            return missing
        self._last = own
        return ""

    def _absent(self) -> str:
        return (
            f"{self.path} is not there; if it is on a share, mount it; else make it, or correct `{self.setting}`"
            " (`tillpost init` makes the folder that its file names)"
        )

    def _not_mounted(self, there: bool) -> str:
        """What to say when the share it was on, or is to be on, is not mounted; "" when it is. Remembers it then."""
        real = os.path.realpath(self.path)
        mounts = _mount_points()
        mounted = _above(real, mounts)
        known = self._known()
        before = known.get(real, "")
        if len(before) > len(mounted):
            return (
                f"{self.path} was on what is mounted at {before}, and nothing is mounted there now: mount it again;"
                f" nothing is read until then. If the folder has moved for good, remove {self.state / _KNOWN}"
            )
        due = _above(real, _fstab())
        if len(due) > len(mounted):
            return f"{self.path} is below {due}, which /etc/fstab says is mounted, and it is not: mount it"
        if there and mounted != before and mounted != _above(os.path.realpath(self.state), mounts):
            self._remember(known | {real: mounted})  # one on the same disk as the journal cannot be away without it
        return ""

    def _known(self) -> dict[str, str]:
        """The mount point of each folder when it was last in use."""
        try:
            known = json.loads((self.state / _KNOWN).read_text())
        except (OSError, ValueError):
            return {}
        return {str(path): str(mount) for path, mount in known.items()} if isinstance(known, dict) else {}

    def _remember(self, known: dict[str, str]) -> None:
        """Without it a share that is away is only missed while this process runs; that is no reason to read nothing."""
        part = self.state / f"{_KNOWN}.part"
        try:
            with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW, 0o600), "w") as file:
                json.dump(known, file)
            part.replace(self.state / _KNOWN)
        except OSError:
            return


def _above(path: str, mounts: Iterable[str]) -> str:
    """The mount point among these that the path is on; "" when none is above it."""
    names = {path, *map(str, Path(path).parents)}
    return max((mount for mount in mounts if mount in names), key=len, default="")


def _mount_points() -> list[str]:
    try:
        return [_plain(line.split(" ")[4]) for line in _MOUNTS.read_text().splitlines()]
    except (OSError, IndexError, ValueError):
        return []


def _fstab() -> list[str]:
    """Mount points that are to be there at each start; without those that are mounted only when somebody asks."""
    try:
        rows = [line.split() for line in _FSTAB.read_text().splitlines() if not line.lstrip().startswith("#")]
    except (OSError, ValueError):
        return []
    return [_plain(row[1]) for row in rows if len(row) >= 4 and row[1] != "none" and "noauto" not in row[3].split(",")]


def _plain(name: str) -> str:
    """A name with its octal escapes undone (proc(5), fstab(5))."""
    return name.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
