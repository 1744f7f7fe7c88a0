"""A program that is measured: started in a process group of its own, looked at while it runs, ended or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]


class BenchmarkFailed(Exception):
    """Something that is measured did not do its work; the text has its last words."""


@attrs.frozen
class Used:
    """What a process took. cpu: seconds, with its children; peak: bytes of resident memory; seconds: by the clock."""

    cpu: float
    peak: int
    seconds: float


class Running:
    """A program in the background; its output goes to a file."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] = {}) -> None:
        self._log = log
        self._peak = 0
        self._began = time.monotonic()
        self.began = self._began
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env=os.environ | environment,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether it runs; looks at its memory, too."""
        self._look()
        # Without reaping it: `ended` wants its usage.
        found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found is None

    def cpu(self) -> float:
        """CPU seconds so far, of this one process and all its threads."""
        return time.clock_gettime(
            (~self._process.pid << 3) | 2
        )  # the clock of another process, as in <linux/posix-timers.h>

    def kill(self) -> Used:
        """kill -9 of the whole group, as a power cut does it to a program."""
        return self._end(signal.SIGKILL)

    def stop(self, patience: float = 15.0) -> Used:
        """SIGTERM, and SIGKILL when it does not listen."""
        self._look()
        self._signal(signal.SIGTERM)
        until = time.monotonic() + patience
        while self.alive() and time.monotonic() < until:
            time.sleep(0.01)
        return self._end(signal.SIGKILL)

    def ended(self, limit: float) -> Used:
        """Wait until it ends by itself. Raises BenchmarkFailed when it takes longer or ends with an error."""
        until = time.monotonic() + limit
        while self.alive():
            if time.monotonic() > until:
                self.kill()
                raise BenchmarkFailed(f"{self.named} took over {limit:g} s:\n{self.tail()}")
            time.sleep(0.01)
        used = self._end(None)
        if self._process.returncode:
            raise BenchmarkFailed(f"{self.named} ended with code {self._process.returncode}:\n{self.tail()}")
        return used

    @property
    def named(self) -> str:
        """Its command line, shortened."""
        return " ".join(map(str, self._process.args))[:120]  # type: ignore[arg-type]

    def tail(self) -> str:
        """Its last lines."""
        return (
            "\n".join(self._log.read_text("utf-8", errors="replace").strip().splitlines()[-15:]) or "(it said nothing)"
        )

    def _look(self) -> None:
        # VmHWM, for ru_maxrss begins with the memory of whoever started it.
        with suppress(OSError, IndexError, ValueError):
            status = Path(f"/proc/{self._process.pid}/status").read_text()
            self._peak = max(self._peak, int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _end(self, number: signal.Signals | None) -> Used:
        self._look()
        if number is not None:
            self._signal(number)
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return Used(usage.ru_utime + usage.ru_stime, self._peak, time.monotonic() - self._began)


def finish(command: Sequence[str], log: Path, limit: float = 600.0, environment: Mapping[str, str] = {}) -> Used:
    """Run a program to its end."""
    return Running(command, log, environment).ended(limit)
