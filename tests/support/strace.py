"""kill -9 of a process at one exact system call, by strace: `-e inject=NAME:signal=KILL:when=N`.

The signal comes as the call is entered, and the call is then not made. So a kill at each call in turn shows the
disk and the destination as they are between any two of them; a kill after the last is a run to the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import attrs

WRITES = (
    "write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg",
    "fsync", "fdatasync", "ftruncate",
    "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat",
)  # fmt: skip
"""The calls after which a disk or a destination differs, or may be relied on. Sockets are written to by sendto."""

_PAGE = "pwrite64"


@attrs.frozen
class Ended:
    """How a step ended. `code`: the exit code, or the signal as a negative number; `said`: what it printed before."""

    code: int
    said: tuple[str, ...]

    @property
    def killed(self) -> bool:
        """True when the kill came; else it had ended before so many calls."""
        return self.code == -9


def around_commits(calls: Sequence[str]) -> list[tuple[str, int]]:
    """The kill points of a step that is a row of such calls: each as the so manieth of its name.

    All, but for a write of a page between two others: a commit writes its pages together, and what is on the disk
    counts from its sync on. The first and the last one before each sync, rename, unlink or answer are points.
    """
    padded = ["", *calls, ""]
    seen = Counter[str]()
    points = []
    for before, call, after in zip(padded, calls, padded[2:], strict=False):
        seen[call] += 1
        if (before, call, after) != (_PAGE,) * 3:
            points.append((call, seen[call]))
    return points


@contextmanager
def killed_at(process: subprocess.Popen[bytes], call: str, number: int) -> Iterator[None]:
    """Kill a process as one of its threads makes this system call for the so manieth time from now on. It has ended
    when the block has."""
    with _traced(process.pid, _kill(call, number)):
        yield
        process.wait(60)


def _kill(call: str, number: int) -> list[str]:
    return [f"trace={call}", f"inject={call}:signal=KILL:when={number}"]


@contextmanager
def _traced(pid: int, expressions: Sequence[str], log: Path = Path(os.devnull)) -> Iterator[None]:
    words = [word for each in expressions for word in ("-e", each)]
    command = ["strace", "-f", "-o", str(log), *words, "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        attached = strace.stderr.readline()
        assert "attached" in attached, attached + strace.stderr.read()
        yield
        strace.communicate(timeout=20)


class Steps:
    """A process of tests/support/steps.py; one job at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.steps"], cwd=Path(__file__).parents[2], env=dict(environment),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def run(self, config: Path) -> Ended:
        """`tillpost run --until-idle`, without a kill."""
        self._tell({"do": "run", "config": str(config)})
        return self._end()

    def kill(self, step: str, config: Path, control: str, call: str, number: int) -> Ended:
        """Do a step, killed as it enters this system call for the so manieth time."""
        return self._traced(step, config, control, _kill(call, number))

    def walk(self, step: str, config: Path, control: str = "") -> Ended:
        """Do a step to its end, not traced."""
        self._tell({"do": step, "config": str(config), "control": control})
        ready = self._line()
        if not ready.startswith("ready "):
            return self._end(ready)
        assert self._process.stdin is not None
        self._process.stdin.write(b"!")
        return self._end()

    def count(self, step: str, config: Path, control: str) -> tuple[list[str], Ended]:
        """Do a step to its end; which of WRITES it calls, in their order."""
        log = config.parent / "strace.log"
        ended = self._traced(step, config, control, ["trace=" + ",".join(f"?{name}" for name in WRITES)], log)
        calls = [line.split(maxsplit=1)[1].partition("(") for line in log.read_text().splitlines()]
        return [name for name, bracket, _ in calls if bracket and name in WRITES], ended

    def _traced(
        self, step: str, config: Path, control: str, expressions: list[str], log: Path = Path(os.devnull)
    ) -> Ended:
        self._tell({"do": step, "config": str(config), "control": control})
        ready = self._line()
        if not ready.startswith("ready "):
            return self._end(ready)
        with _traced(int(ready.split()[1]), expressions, log):
            assert self._process.stdin is not None
            self._process.stdin.write(b"!")
            return self._end()

    def _tell(self, job: dict[str, str]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode().rstrip("\n")
        assert line, "tests.support.steps has ended"
        return line

    def _end(self, line: str = "") -> Ended:
        said = []
        line = line or self._line()
        while not line.startswith("ended "):
            said.append(line)
            line = self._line()
        return Ended(int(line.split()[1]), tuple(said))
