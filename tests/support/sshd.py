"""OpenSSH's sshd on loopback, with a login by key, or by password for an account of the machine."""

from __future__ import annotations

import getpass
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import attrs

from tests.support.program import Account, free_ports, needed, serving


@attrs.frozen
class Sshd:
    """A running server. home: the folder below which files go, as the server names it too."""

    port: int
    host_key: str
    user: str
    key: Path
    home: Path


@contextmanager
def sshd(
    folder: Path, kind: str = "ed25519", options: str = "", sftp_options: str = "", account: Account | None = None
) -> Iterator[Sshd]:
    """Start it in `folder`. With an account, its password is taken as well, and files go to its home."""
    program = needed("sshd", "openssh-server", root=account is not None)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # privilege separation wants it
    home = (account.home if account else folder) / "integration"
    home.mkdir(parents=True)
    folder.mkdir(parents=True, exist_ok=True)
    if account:
        os.chown(home, account.home.stat().st_uid, -1)
    host_key, user_key = _write_key(folder / "host", kind), _write_key(folder / "user", "ed25519")
    (folder / "authorized").write_text(user_key)
    (port,) = free_ports(1)
    # UsePAM no: sshd then reads the password itself, and the machine's own rules for logins have no say.
    (folder / "config").write_text(f"""Port {port}
ListenAddress 127.0.0.1
HostKey {folder / "host"}
AuthorizedKeysFile {folder / "authorized"}
PasswordAuthentication {"yes" if account else "no"}
UsePAM no
StrictModes no
PidFile none
Subsystem sftp internal-sftp {sftp_options}
{options}
""")
    with serving([program, "-D", "-e", "-f", str(folder / "config")], port, folder):
        user = account.name if account else getpass.getuser()
        yield Sshd(port, host_key.rsplit(" ", 1)[0], user, folder / "user", home)


def _write_key(path: Path, kind: str) -> str:
    """Write a private key there, for its owner alone; its public half."""
    private, public = _key(path.name, kind)
    path.touch(0o600)
    path.write_text(private)
    return public


@cache
def _key(name: str, kind: str) -> tuple[str, str]:
    """A pair for this name, made once for all tests: an RSA key takes seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
        return path.read_text(), Path(f"{path}.pub").read_text()
