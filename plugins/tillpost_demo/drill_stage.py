"""The moving parts of a drill: the documents come, the API goes and comes back, until everything is settled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tillpost_demo.child import Child
from tillpost_demo.engage import Engage
from tillpost_demo.launcher import Launcher
from tillpost_demo.progress import Progress
from tillpost_demo.rehearsal import Rehearsal
from tillpost_demo.story import ON_THE_WAY
from tillpost_demo.text import duration_text

_BEFORE = 30.0
"""Seconds the first receipts get to arrive; a destination that cannot be reached then has another reason."""


class Stage:
    """Steps while `tillpost run` works. A quarter of the documents comes before, a quarter after the outage."""

    def __init__(
        self,
        rehearsal: Rehearsal,
        files: Sequence[Path],
        folder: Path,
        engage: Engage,
        launcher: Launcher,
        child: Child,
        progress: Progress,
    ) -> None:
        quarter = len(files) // 4
        self._before, self._during = files[:quarter], files[quarter : len(files) - quarter]
        self._after = files[len(files) - quarter :]
        self._rehearsal, self._folder = rehearsal, folder
        self._engage, self._launcher, self._child, self._progress = engage, launcher, child, progress
        self._state = ""
        self._pause = 0.2 if rehearsal.factor > 1 else 1.0

    def online(self) -> float:
        """Drop the first documents, wait until some arrived, and take the API away; returns the time."""
        self._drop(self._before)
        self._progress.say("online: receipts go by API")
        self._until(lambda status: not self._before or self._engage.arrived() > 0, _BEFORE)
        self._engage.take_away()
        self._progress.say(f"outage: the API is away for {duration_text(self._rehearsal.length)}{self._scaled()}")
        return time.time()

    def outage(self) -> float:
        """Drop documents evenly until the outage is over; returns the time when the API is back."""
        began, length = time.monotonic(), self._rehearsal.seconds(self._rehearsal.length)
        step = length / (len(self._during) + 1)
        for number, file in enumerate(self._during):
            self._drop([file])
            self._until(lambda _: False, max(0.0, began + (number + 1) * step - time.monotonic()))
        self._until(lambda _: False, max(0.0, began + length - time.monotonic()))
        self._engage.bring_back()
        self._progress.say("the API is back")
        return time.time()

    def settle(self) -> float:
        """Drop the last documents, wait until nothing is on its way (as long as the limits need); returns the time."""
        self._drop(self._after)
        limit, pipeline = self._rehearsal.limit, self._rehearsal.pipeline
        longest = limit("transport", "confirm_after") + 4 * limit("transport", "wait_max")
        if "fallback" in pipeline:
            longest += 8 * limit("fallback", "check_every") + 4 * limit("transfer", "wait_max")
        seconds = 120.0 + self._rehearsal.seconds(longest)

        def settled(status: Mapping[str, Any]) -> bool:
            on_the_way = any(status["counts"][state] for state in ON_THE_WAY)
            files = status["files"]
            return (
                not on_the_way
                and status["state"] == "online"
                and files["confirmed"] == sum(files.values())
                and not any(path.is_file() for path in (self._folder / "inbox").iterdir())
            )

        done = self._until(settled, seconds)
        self._progress.say("settled: nothing is on its way" if done else f"not settled within {seconds:.0f} s")
        return time.time()

    def _scaled(self) -> str:
        factor = self._rehearsal.factor
        return f" ({self._rehearsal.seconds(self._rehearsal.length):.1f} s here)" if factor > 1 else ""

    def _drop(self, files: Sequence[Path]) -> None:
        for file in files:
            file.replace(self._folder / "inbox" / file.name)

    def _until(self, met: Callable[[Mapping[str, Any]], bool], seconds: float) -> bool:
        """Wait until the condition is met, printing changes of the destination's state. False after `seconds`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._engage.check()
            self._child.check()
            status = self._launcher.status()
            self._progress.show(status)
            if status["state"] != self._state:
                self._state = status["state"]
                self._progress.say(f"  {self._state}" + (f": {status['reason']}" if status["reason"] else ""))
            if met(status):
                return True
            time.sleep(max(0.0, min(self._pause, left)))
        return False
