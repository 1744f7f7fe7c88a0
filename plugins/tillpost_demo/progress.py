"""Progress: a line per phase, and on a terminal one more line that changes in place."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

_CLEAR = "\r\x1b[K"


class Progress:
    """Prints phases by `echo` with the seconds since the start; shows counts on a terminal's standard error."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        self._echo = echo
        self._began = time.monotonic()
        self._shown = False

    def say(self, text: str) -> None:
        """One line that stays."""
        self._wipe()
        self._echo(f"{time.monotonic() - self._began:5.1f} s  {text}")

    def show(self, status: Mapping[str, Any]) -> None:
        """Show the counts of receipts in place of those before; nothing where standard error is not a terminal."""
        if not sys.stderr.isatty():
            return
        counts = [f"{count} {state}" for state, count in status["counts"].items() if count]
        self._wipe()
        sys.stderr.write(f"         {status['state']}: {', '.join(counts)}")
        sys.stderr.flush()
        self._shown = True

    def _wipe(self) -> None:
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._shown = False
