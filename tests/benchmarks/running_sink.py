"""The sink as the runner sees it: started, told what to do, asked what it has."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlsplit


class RunningSink:
    """A sink in a process of its own; ends with the block."""

    def __init__(self, delay: float = 0.0) -> None:
        self._delay = delay

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.sink"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        ready = json.loads(self._process.stdout.readline())
        self.url: str = ready["url"]
        self.pid = self._process.pid
        self._control = http.client.HTTPConnection(urlsplit(ready["control"]).netloc, timeout=60)
        self.set(delay=self._delay)
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._process.terminate()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def set(self, **how: float | str | bool) -> None:
        """How it answers from now on: `delay`, `fault`, `known`."""
        self._ask("POST", "/set", how)

    def reset(self) -> None:
        """Forget everything it has taken."""
        self._ask("POST", "/reset")

    def counts(self) -> dict[str, float]:
        """What it has taken, in numbers."""
        found: dict[str, float] = self._ask("GET", "/counts")
        return found

    def ids(self) -> dict[str, int]:
        """How often each receipt came."""
        found: dict[str, int] = self._ask("GET", "/ids")
        return found

    def arrivals(self) -> list[float]:
        """When each receipt came first, in order."""
        found: list[float] = self._ask("GET", "/arrivals")
        return found

    def requests(self) -> list[float]:
        """When each request came that was answered, contacts asked for included."""
        found: list[float] = self._ask("GET", "/requests")
        return found

    def wait(self, count: int, patience: float, look: Callable[[], bool] = lambda: True) -> int:
        """Wait until it has so many receipts, or until none came for `patience` seconds; how many it has.

        look: called at each glance; False ends the waiting.
        """
        have, since = -1, time.monotonic()
        while True:
            now = int(self.counts()["receipts"])
            if now != have:
                have, since = now, time.monotonic()
            if have >= count or not look() or time.monotonic() - since > patience:
                return have
            time.sleep(0.02)

    def _ask(self, method: str, path: str, value: Any = None) -> Any:
        self._control.request(method, path, body=None if value is None else json.dumps(value))
        with self._control.getresponse() as response:
            return json.loads(response.read())
