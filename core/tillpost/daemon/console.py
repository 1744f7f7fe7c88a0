"""What `tillpost run` prints while it runs: accepted documents, changes of state, a live line on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from tillpost.clock import SystemClock
from tillpost.daemon.systemd import Notifier
from tillpost.flow.line import Line
from tillpost.journal import Accepted
from tillpost.model import Document
from tillpost.telemetry.health import alive
from tillpost.terminal import answer, when

_PROGRESS_EVERY = 10.0
"""Seconds between two lines about a document that is being read."""


def print_accepted(name: str, as_json: bool, document: Document, counts: Accepted) -> None:
    """Print a line for a document that was read to its end."""
    event = {"event": "accepted", "pipeline": name, "document": document.name, "accepted": counts.accepted}
    text = f"{counts.accepted} accepted, {counts.skipped} skipped, {counts.held} held"
    answer(as_json, event, f"{name}: {document.name}: {text}")


class ReadingProgress:
    """Prints every ten seconds how much of a large document has been read."""

    def __init__(self, line: Line, as_json: bool) -> None:
        self._line = line
        self._json = as_json
        self._next = 0.0
        self._document = ""

    def __call__(self, document: Document, counts: Accepted) -> None:
        now = self._line.clock.monotonic()
        if document.sha256 != self._document:
            self._document, self._next = document.sha256, now + _PROGRESS_EVERY
        if now < self._next:
            return
        self._next = now + _PROGRESS_EVERY
        name, percent, records = self._line.name, document.progress.percent(), counts.records()
        event = {"event": "reading", "pipeline": name, "document": document.name, "records": records}
        text = f"{name}: {document.name}: {records} records so far, {percent} % read"
        answer(self._json, event | {"percent": percent}, text)


def states(lines: Sequence[Line]) -> str:
    """The state of each pipeline's destination: `stores online, web degraded`."""
    return ", ".join(f"{line.name} {line.breaker.destination.state}" for line in lines)


class StateChanges:
    """Prints changes of state, on a terminal a live line of counts too, and pings systemd while all is well."""

    def __init__(self, as_json: bool, notifier: Notifier) -> None:
        self._json = as_json
        self._notifier = notifier
        self._live = sys.stdout.isatty() and not as_json
        self._last: dict[str, str] = {}
        self._next = 0.0

    def look(self, lines: Sequence[Line]) -> None:
        """Print what has changed since the last look."""
        self._notifier.status(states(lines))
        clock = lines[0].clock if lines else SystemClock()
        # One that has stopped by itself is started again here: the watchdog would end the others with it.
        working = [line for line in lines if line.heartbeat.fault is None]
        if self._notifier.is_ping_due(clock.monotonic()) and alive(working, clock.time())[0]:
            self._notifier.ping()
        for line in lines:
            now = line.clock.monotonic()
            destination = line.breaker.destination
            state, reason = destination.state, destination.reason
            if self._last.get(line.name) != state:
                self._last[line.name] = state
                event = {"event": "state", "pipeline": line.name, "state": state, "reason": reason}
                text = f"{line.name}: {state}" + (f" ({reason})" if reason else "")
                answer(self._json, event | {"since": when(destination.since or None)}, text)
            if self._live and now >= self._next:
                self._next = now + 0.5
                counts = line.journal.receipts.counts()
                text = " ".join(f"{name} {count}" for name, count in counts.items() if count)
                click.echo(f"\r\x1b[2K{line.name}: {text}", nl=False)
