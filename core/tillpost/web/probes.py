"""Probes for machines: alive, ready, and the metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tillpost.flow.line import Line
from tillpost.telemetry.health import alive, ready
from tillpost.telemetry.metrics import exposition
from tillpost.web.request import Answer, Request
from tillpost.web.site import Site


def healthz(site: Site, request: Request) -> Answer:
    """200 while every thread makes progress, else 503: then restart the process."""
    return _health(site, alive)


def readyz(site: Site, request: Request) -> Answer:
    """200 while a receipt handed over now can be committed, else 503: send nothing new."""
    return _health(site, ready)


def metrics(site: Site, request: Request) -> Answer:
    """The text format of Prometheus, or OpenMetrics for who accepts it."""
    body, kind = exposition(list(site.lines.values()), site.clock.time(), request.headers.get("accept", ""))
    return Answer(body=body, kind=kind)


def _health(site: Site, probe: Callable[[Sequence[Line], float], tuple[bool, dict[str, Any]]]) -> Answer:
    is_well, report = probe(list(site.lines.values()), site.clock.time())
    return Answer(body=json.dumps(report).encode(), status=200 if is_well else 503, kind="application/json")
