"""The processes that demo and drill start. They always end, and a failure shows the end of their error output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tillpost import TillpostError

_GRACE = 20.0  # seconds a child gets after SIGTERM; its own promise is shorter


class PlayFailed(TillpostError):
    """A demo or drill could not finish; the text says which part failed, with the end of its error output."""


class Child:
    """One `python -m tillpost …` in the background; its output goes to files in `folder`."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path) -> None:
        self.name = name
        self.out = folder / f"{name}.out"
        self.err = folder / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            # A session of its own: Ctrl-C reaches only the demo, which then ends its children in order.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tillpost", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=os.name == "posix",
            )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def check(self) -> None:
        """Raise PlayFailed when it has ended."""
        code = self._process.poll()
        if code is not None:
            raise PlayFailed(f"`tillpost {self.name}` ended with code {code} too early:\n{self.tail()}")

    def first_line(self, seconds: float) -> str:
        """The first whole line it writes. Raises PlayFailed when it ends or takes longer."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text = self.out.read_text("utf-8")
            if "\n" in text:
                return text.partition("\n")[0]
            self.check()
            time.sleep(0.02)
        raise PlayFailed(f"`tillpost {self.name}` was not ready within {seconds:g} s:\n{self.tail()}")

    def end(self) -> int:
        """SIGTERM, then SIGKILL when that has no effect; returns its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def tail(self) -> str:
        """The last lines of its standard error."""
        return tail(self.err.read_text("utf-8", errors="replace"))


def tail(text: str) -> str:
    """The last lines of a text, indented."""
    kept = text.strip().splitlines()[-15:]
    return "\n".join(f"    {line}" for line in kept) or "    (no output)"


@contextmanager
def terminated_like_ctrl_c() -> Iterator[None]:
    """Handle SIGTERM as Ctrl-C, so that the children are ended; without effect outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
