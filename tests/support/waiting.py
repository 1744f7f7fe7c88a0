"""Waiting for what comes about."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable


def until(
    condition: Callable[[], object],
    seconds: float = 120.0,
    *,
    process: subprocess.Popen[bytes] | None = None,
    why: Callable[[], object] = str,
) -> None:
    """Ask until the condition holds. Fails after so many seconds, or when the process ends, with what `why` says."""
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, f"it ended by itself: {why()}"
        assert time.monotonic() < end, f"not within {seconds:g} s: {why()}"
        time.sleep(0.02)
