"""A journal as a kill -9 leaves it: its WAL holds what was acknowledged, and nobody has it open."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_WRITER = """
import os, signal, sys
from pathlib import Path
from tests.support.receipts import accept, found
from tillpost.journal import Journal
first, count = int(sys.argv[2]), int(sys.argv[3])
journal = Journal(Path(sys.argv[1]))
for number in range(first, first + count):
    accept(journal, found(number=str(number), customer=f"c{number % 7}"))
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(folder: Path, count: int, first: int = 1) -> list[str]:
    """Accept so many receipts, one commit each, in a process that is killed; the numbers it acknowledged."""
    done = subprocess.run(
        [sys.executable, "-c", _WRITER, str(folder), str(first), str(count)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    return done.stdout.split()


def copied(folder: Path, to: Path) -> Path:
    """A copy of the state folder."""
    shutil.copytree(folder, to)
    return to


def flip(path: Path, bit: int) -> None:
    """One bit of a file is flipped."""
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
