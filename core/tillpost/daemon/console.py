"""What `tillpost run` tells while it runs: documents, changes of state, a live line on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from tillpost.clock import SystemClock
from tillpost.daemon.systemd import Notify
from tillpost.flow.line import Line
from tillpost.journal import Accepted
from tillpost.model import Document
from tillpost.telemetry.health import alive
from tillpost.terminal import plain, say, when

_TELL_EVERY = 10.0
"""Seconds between two lines about a document that is being read."""


def telling(name: str, as_json: bool) -> Callable[[Document, Accepted], None]:
    """Tells of each document that was read to its end."""

    def tell(document: Document, counts: Accepted) -> None:
        if as_json:
            say({"event": "accepted", "pipeline": name, "document": document.name, "accepted": counts.accepted})
        else:
            said = f"{counts.accepted} accepted, {counts.skipped} skipped, {counts.held} held"
            click.echo(f"{name}: {plain(document.name)}: {said}")

    return tell


class Reading:
    """Tells every ten seconds how far a large document has been read."""

    def __init__(self, line: Line, as_json: bool) -> None:
        self._line = line
        self._json = as_json
        self._next = 0.0
        self._document = ""

    def __call__(self, document: Document, counts: Accepted) -> None:
        now = self._line.clock.monotonic()
        if document.sha256 != self._document:
            self._document, self._next = document.sha256, now + _TELL_EVERY
        if now < self._next:
            return
        self._next = now + _TELL_EVERY
        told = {"event": "reading", "pipeline": self._line.name, "document": document.name}
        percent, records = document.reading.percent(), counts.records()
        if self._json:
            say(told | {"records": records, "percent": percent})
        else:
            click.echo(f"{self._line.name}: {document.name}: {records} records so far, {percent} % read")


def stand(made: Sequence[Line]) -> str:
    """The destination of each pipeline in a few words."""
    return ", ".join(f"{line.name} {line.breaker.destination.state}" for line in made)


class Watch:
    """Tells changes: a live line on a terminal, plain lines elsewhere; and the service manager that all is well."""

    def __init__(self, as_json: bool, notify: Notify) -> None:
        self._json = as_json
        self._notify = notify
        self._live = sys.stdout.isatty() and not as_json
        self._last: dict[str, Any] = {}
        self._next = 0.0

    def look(self, made: Sequence[Line]) -> None:
        """Tell of these what has changed since the last look."""
        self._notify.status(stand(made))
        clock = made[0].clock if made else SystemClock()
        if self._notify.due(clock.monotonic()) and alive(made, clock.time())[0]:
            self._notify.well()
        for line in made:
            now = line.clock.monotonic()
            state = line.breaker.destination
            if self._last.get(line.name) != state.state:
                self._last[line.name] = state.state
                told = {"event": "state", "pipeline": line.name, "state": state.state, "reason": state.reason}
                if self._json:
                    say(told | {"since": when(state.since or None)})
                else:
                    click.echo(f"{line.name}: {state.state}" + (f" ({plain(state.reason)})" if state.reason else ""))
            if self._live and now >= self._next:
                self._next = now + 0.5
                counts = line.journal.receipts.counts()
                text = " ".join(f"{name} {count}" for name, count in counts.items() if count)
                click.echo(f"\r\x1b[2K{line.name}: {text}", nl=False)
