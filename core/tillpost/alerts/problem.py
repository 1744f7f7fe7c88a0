"""What a rule finds, and what it is given to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from tillpost.compose.alert_settings import AlertSettings
from tillpost.journal import Alert, Destination, Journal

if TYPE_CHECKING:
    from tillpost.flow.line import Line

CLOCK_OFF = 60.0
"""Seconds by which a stored moment may be ahead of the clock."""


@attrs.frozen
class Problem:
    """What happened, what it means, what to do. key: at most one alert of a key stands at a time.

    The first word of the key is the rule's name; what follows says what it is about (`gap 12/1`).
    """

    key: str
    what: str
    means: str
    next_step: str


@attrs.frozen(kw_only=True)
class Context:
    """What the rules evaluate: the journal, the limits, and now. standing: the alerts raised before, by key.

    sequence: whether the adapter promises numbers without a gap. keep: the pipeline's retention. line: the pipeline at
    work in this process; None where a command evaluates the rules, which knows the journal alone.
    """

    pipeline: str
    journal: Journal
    limits: AlertSettings
    now: float
    standing: Mapping[str, Alert]
    sequence: bool
    keep: timedelta | None = None
    line: Line | None = None
    destination: Destination = attrs.field(
        default=attrs.Factory(lambda context: context.journal.destination.get(), takes_self=True)
    )

    def lasted(self, since: float) -> float:
        """Seconds since a stored moment; without end where it is still to come: a clock that was ahead wrote it."""
        seconds = self.now - since
        return seconds if seconds >= -CLOCK_OFF else float("inf")


Rule = Callable[[Context], Iterable[Problem]]
"""Finds problems of a pipeline. No text names a customer."""
