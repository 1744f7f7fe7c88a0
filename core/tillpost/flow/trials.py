"""Trials: what was in hand at two ends of the process is tried in a process of its own before it is done again.

A process that ends cannot say why: a power cut, `kill -9` and the receipt in hand look the same afterwards. A process
that sees another one end can: what ends every process that tries it is the cause, and what does not was only there.

Many are tried in one process, one after the other. Where that ends, the one in hand is tried alone, and then the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from tillpost.flow.heartbeat import record_progress
from tillpost.flow.retry_policy import MAX_CRASHES
from tillpost.journal import Entry
from tillpost.model import Gone, Outcome

SUSPECT = MAX_CRASHES - 1
"""Ends of the process with something in hand from which on it is tried apart."""
_DEATHS = 2
"""Processes that must end by themselves: the machine may be out of memory just then."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What a trial showed. died: the process that tried it ended by itself.

    how: the exit code or signal; without a death that it was stopped. records: of a document, how many were read before
    that. outcome: of a delivery that was made in the trial. parts: of a job of many, those that came to their end, in
    order.
    """

    died: bool = False
    how: str = ""
    records: int = 0
    outcome: Outcome | Gone | None = None
    parts: tuple[Verdict, ...] = ()


class Trials(Protocol):
    """Starts processes that try one thing with the plugins of the pipeline."""

    def run(self, job: Mapping[str, Any]) -> Verdict:
        """Try the job in a new process, and wait for its end.

        A process that cannot be started shows nothing. Jobs: {"do": "read", "name", "path" or "content"} a document;
        {"do": "ask", "receipt"} what is asked before a receipt is sent; {"do": "deliver", "receipt", "contact_id"} a
        receipt by API; {"do": "map", "receipt"} a receipt for a file; {"do": "write", "contacts", "receipts"} a batch;
        {"do": "all", "jobs"} such jobs one after the other, as many as it has time for.
        """


def try_apart(trials: Trials | None, job: Mapping[str, Any], deaths: int = _DEATHS) -> Verdict:
    """The verdict on a job; it has died only if it ended each of the processes that tried it."""
    verdict = Verdict()
    for _ in range(deaths if trials is not None else 0):
        assert trials is not None
        verdict = trials.run(job)
        if not verdict.died:
            break
    return verdict


def try_all(trials: Trials | None, jobs: Sequence[Mapping[str, Any]]) -> list[Verdict]:
    """The verdict on each job, in order, as `try_apart` gives it; one process for all of them if none ends it."""
    verdicts: list[Verdict] = []
    while rest := jobs[len(verdicts) :]:
        record_progress()
        if len(rest) == 1 or trials is None:
            verdicts.append(try_apart(trials, rest[0]))
            continue
        shown = trials.run({"do": "all", "jobs": list(rest)})
        verdicts += shown.parts
        if len(shown.parts) == len(rest):
            continue
        if shown.died:
            verdicts.append(try_apart(trials, rest[len(shown.parts)]))
        elif shown.how or not shown.parts:
            verdicts.append(Verdict())  # it hangs at this one, or could not be started
    return verdicts


def try_suspects(trials: Trials | None, do: str, entries: Sequence[Entry]) -> dict[int, Verdict]:
    """The verdicts on those receipts that were in hand at two ends of the process, by row."""
    suspects = [entry for entry in entries if entry.crashes >= SUSPECT]
    verdicts = try_all(trials, [{"do": do, "receipt": entry.id} for entry in suspects])
    return dict(zip((entry.seq for entry in suspects), verdicts, strict=True))


def blame(step: str, verdict: Verdict) -> str:
    """Why it is held or set aside."""
    return (
        f"it ends the process that {step} ({verdict.how}): the process ended with it in hand, and so did each one that"
        " tried it alone"
    )
