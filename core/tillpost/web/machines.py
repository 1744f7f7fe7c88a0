"""What machines ask: whether the process lives, whether it can take receipts, and the metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tillpost.flow.line import Line
from tillpost.telemetry.health import alive, ready
from tillpost.telemetry.metrics import exposition
from tillpost.web.desk import Desk
from tillpost.web.request import Answer, Request


def healthz(desk: Desk, request: Request) -> Answer:
    """200 while every thread gets on with its work, 503 otherwise: then restart the process."""
    return _health(desk, alive)


def readyz(desk: Desk, request: Request) -> Answer:
    """200 while what is handed over now can be committed, 503 otherwise: send nothing new."""
    return _health(desk, ready)


def metrics(desk: Desk, request: Request) -> Answer:
    """The text format of Prometheus, or OpenMetrics for who accepts it."""
    body, kind = exposition(list(desk.lines.values()), desk.clock.time(), request.headers.get("accept", ""))
    return Answer(body=body, kind=kind)


def _health(desk: Desk, asked: Callable[[Sequence[Line], float], tuple[bool, dict[str, Any]]]) -> Answer:
    well, told = asked(list(desk.lines.values()), desk.clock.time())
    return Answer(body=json.dumps(told).encode(), status=200 if well else 503, kind="application/json")
