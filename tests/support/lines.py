"""The one way tests make a line over a real journal; `line_on` has a destination in memory, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from inspect import signature
from pathlib import Path
from random import Random
from typing import Any

from tillpost.clock import Clock, SystemClock
from tillpost.flow.breaker import Breaker
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, SourcePolicy, TransferPolicy
from tillpost.flow.line import Line
from tillpost.flow.rate_limit.pace import Pace
from tillpost.journal import Journal
from tillpost.model import Delivered, Identified, Identifier, NotSent, Outcome, Payload

MOMENT = timedelta(milliseconds=1)


class Ahead(SystemClock):
    """The machine's clock, some seconds ahead."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def make_line(
    journal: Journal, hooks: HookCalls, *, clock: Clock | None = None, chance: Random | None = None, **changes: Any
) -> Line:
    """A line with one worker, no source and no fallback, unless `changes` say otherwise."""
    clock, chance, retry = clock or SystemClock(), chance or Random(3), changes.pop("retry", RetryPolicy())
    given = {"name": "shop", "source": None, "fallback": None, "transfer": None, "anonymous": None, "workers": 1}
    breaker = Breaker(journal, retry, clock, chance)
    return Line(
        **(given | changes), journal=journal, hooks=hooks, clock=clock, random=chance, breaker=breaker, retry=retry
    )


@contextmanager
def line_on(
    folder: Path,
    deliver: Callable[[Payload], Outcome] = lambda payload: Delivered(status=202),
    *,
    clock: SystemClock | None = None,
    pace: Pace | None = None,
    **hooks: Callable[..., Any],
) -> Iterator[Line]:
    """The line; `hooks` are further ones, or take the place of those that are here."""

    def one(call: Any) -> list[tuple[str, Any]]:
        wanted = signature(call).parameters  # of what the hook is given, a plugin takes what it needs
        whole = any(each.kind is each.VAR_KEYWORD for each in wanted.values())
        return [("memory", lambda **given: call(**{k: v for k, v in given.items() if whole or k in wanted}))]

    own = {
        "resolve_contact": lambda contact: Identified(contact_id="guid", holds=dict(contact.attributes)),
        "map_receipt": lambda receipt, match: Payload(receipt_id=receipt.id, match=match, fields={}),
        "deliver": deliver,
        "probe": lambda: Delivered(),
        "match_in_file": lambda contact: Identifier("externalId", "4711"),
        "transfer": lambda file: NotSent(reason="no file server"),
        "find_transferred": lambda file: True,
    }
    journal = Journal(folder)
    retry = RetryPolicy(attempts=3, wait_initial=MOMENT, wait_max=MOMENT, confirm_after=MOMENT)
    try:
        yield make_line(
            journal,
            HookCalls({name: one(call) for name, call in (own | hooks).items()}),
            clock=clock,
            source=SourcePolicy(poll=timedelta(milliseconds=20)),
            retry=retry,
            fallback=FallbackPolicy(after=timedelta(days=1), every=timedelta(days=1)),
            transfer=TransferPolicy(),
            workers=2,
            pace=pace,
        )
    finally:
        journal.close()
