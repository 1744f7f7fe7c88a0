"""What the journal depends on: the SQLite library and the file system of the state folder."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import apsw

from tillpost.errors import JournalError

MOUNTS = Path("/proc/self/mountinfo")

_FIXED = (3, 51, 3)
_BACKPORTS = ((3, 50, 7), (3, 44, 6))
"""Where the WAL-reset bug is fixed (sqlite.org/wal.html#walresetbug): the first version, and its backports."""

_NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "smb2", "9p", "virtiofs", "afs", "ncpfs", "coda", "ceph", "glusterfs",
    "lustre", "gpfs", "beegfs", "gfs2", "ocfs2", "orangefs", "davfs", "sshfs", "vboxsf", "prl_fs",
})  # fmt: skip
_NETWORK_FUSE = (
    "sshfs", "smb", "cifs", "nfs", "ceph", "gluster", "s3", "rclone", "dav", "goofys", "gcs", "blobfuse", "juicefs",
    "mount-s3", "grpcfuse", "osxfs",
)  # fmt: skip

FULL, READ_ONLY, FAILING = "full", "read-only", "failing"
_TROUBLES = {errno.ENOSPC: FULL, errno.EDQUOT: FULL, errno.EROFS: READ_ONLY, errno.EIO: FAILING}

_LITTLE = 64 << 10
"""Free bytes below which the disk counts as full: less than a commit needs."""


def protection(version: str) -> str:
    """How this version of SQLite is protected from the WAL-reset bug; "" when it is not.

    Versions 3.7.0 to 3.51.2 may lose committed rows when two connections write and checkpoint at one instant.
    """
    parts = tuple(int(part) for part in version.split(".")[:3])
    if parts >= _FIXED:
        return f"SQLite {version}: the WAL-reset bug is fixed (since 3.51.3)"
    if any(parts[:2] == port[:2] and parts >= port for port in _BACKPORTS):
        return f"SQLite {version}: the WAL-reset bug is fixed (backport)"
    return ""


def require_safe_library() -> None:
    """Raise JournalError when the linked SQLite may lose committed rows."""
    version = apsw.sqlite_lib_version()
    if not protection(version):
        raise JournalError(
            f"the SQLite {version} that apsw is linked with has the WAL-reset bug (fixed in 3.51.3, 3.50.7, 3.44.6) and"
            " may lose committed rows; `pip install --upgrade apsw` brings a fixed one"
        )


def network_mount(folder: Path, mounts: str) -> str:
    """ "nfs4 at /srv/share" when the folder lies on a network file system, else "".

    mounts: the text of /proc/self/mountinfo (proc_pid_mountinfo(5)); "" where a system has none.
    """
    found, kind = Path("/"), ""
    real = folder.resolve()
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        words, type_ = fields.split(), rest.split()
        if len(words) < 5 or not type_:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), words[4]))
        if real.is_relative_to(point) and len(point.parts) >= len(found.parts):
            found, kind = point, type_[0]  # of two mounts at one point the later hides the earlier
    fuse = kind.removeprefix("fuse.") if kind.startswith("fuse.") else ""
    networked = kind in _NETWORK or fuse.startswith(_NETWORK_FUSE)
    return f"{kind} at {found}" if networked else ""


def unsuitable_folder(folder: Path) -> str:
    """Why a journal must not be in this folder; "" when it may."""
    try:
        mounts = MOUNTS.read_text(errors="surrogateescape")
    except OSError:
        return ""
    if mount := network_mount(folder, mounts):
        return (
            f"{folder} is on a network file system ({mount}): SQLite's WAL needs shared memory and locks that it"
            " does not give, and receipts could be lost"
        )
    return ""


def trouble(folder: Path) -> str:
    """Why files cannot be written in this folder: FULL (bytes or inodes), READ_ONLY or FAILING; "" when they can."""
    real = _nearest(folder)
    stand = os.statvfs(real)
    if stand.f_flag & os.ST_RDONLY:
        return READ_ONLY
    if stand.f_bavail * stand.f_frsize < _LITTLE or (stand.f_files and not stand.f_favail):
        return FULL
    try:
        # A test file without a name: a disk may be read-only or full although statvfs does not say so.
        descriptor = os.open(real, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except OSError as error:
        return _TROUBLES.get(error.errno or 0, "")
    try:
        os.write(descriptor, bytes(_LITTLE))
        os.fsync(descriptor)
    except OSError as error:
        return _TROUBLES.get(error.errno or 0, "")
    finally:
        os.close(descriptor)
    return ""


def room(folder: Path) -> tuple[int, int]:
    """Bytes that are free for us on the disk of this folder, and how large the disk is."""
    stand = os.statvfs(folder)
    return stand.f_bavail * stand.f_frsize, stand.f_blocks * stand.f_frsize


def _nearest(folder: Path) -> Path:
    real = folder.resolve()
    return next((each for each in (real, *real.parents) if each.exists()), real)
