"""Whether the limits of a configuration fit the outage that was rehearsed, and Engage's own import times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs

from tillpost_demo.outcome import Outcome, moment
from tillpost_demo.rehearsal import Rehearsal
from tillpost_demo.text import duration_text

RECEIPTS_JOB = timedelta(minutes=15)
"""Engage imports receipts that came by API every 15 minutes (Engage contract, "save a receipt")."""
FILES_JOB = timedelta(hours=1)
"""Engage reads files about hourly (Engage contract, file import)."""
_LONGEST_BLIND = timedelta(minutes=10)
"""When the return of the destination is noticed later, a person wonders what the pipeline is doing."""
_MANY_FILES = 100
_ROUND = 5.0
"""Seconds a machine may need from the moment a file is due until it exists."""


@attrs.frozen
class Finding:
    """One limit: whether it fits, and why."""

    key: str
    fits: bool
    says: str


def judge_limits(rehearsal: Rehearsal, outcome: Outcome) -> list[Finding]:
    """Every limit that an outage touches."""
    found = [_noticed(rehearsal, outcome), _confirm_after(rehearsal)]
    if "fallback" in rehearsal.pipeline:
        found += [
            _after(rehearsal, outcome),
            _every(rehearsal, outcome.files),
            _confirm_within(rehearsal, outcome.files),
        ]
    else:
        found.append(Finding("fallback", True, "none: receipts wait for the API, however long it is away"))
    given = int(rehearsal.pipeline["transport"]["attempts"])
    most = max((int(row["attempts"]) for row in outcome.receipts), default=0)
    return [*found, Finding("transport.attempts", True, f"{given}; no receipt needed more than {most}")]


def _noticed(rehearsal: Rehearsal, outcome: Outcome) -> Finding:
    key = "transport.wait_max"
    longest = rehearsal.limit("transport", "wait_max")
    later = [at for row in outcome.history if (at := moment(row["at"])) is not None and at >= outcome.outage_to]
    if not later:
        return Finding(key, True, "nothing was sent while the API was away")
    blind = timedelta(seconds=(later[0] - outcome.outage_to) * rehearsal.factor)
    noticed = f"the return of the API was noticed after {duration_text(blind)}"
    much = f": more than {duration_text(_LONGEST_BLIND)}, choose a shorter one" if longest > _LONGEST_BLIND else ""
    return Finding(key, not much, f"{noticed}; probes are at most {duration_text(longest)} apart{much}")


def _confirm_after(rehearsal: Rehearsal) -> Finding:
    key, given = "transport.confirm_after", rehearsal.limit("transport", "confirm_after")
    if given < RECEIPTS_JOB:
        says = (
            f"{duration_text(given)} is shorter than the {duration_text(RECEIPTS_JOB)} between "
            "Engage's imports: a receipt that is not shown may still come"
        )
        return Finding(key, False, says)
    return Finding(key, True, f"{duration_text(given)}, Engage imports every {duration_text(RECEIPTS_JOB)}")


def _after(rehearsal: Rehearsal, outcome: Outcome) -> Finding:
    key, given = "fallback.after", rehearsal.limit("fallback", "after")
    if given >= rehearsal.length:
        outage = duration_text(rehearsal.length)
        says = f"{duration_text(given)}: an outage of {outage} is waited out, receipts go by API after it"
        return Finding(key, True, says)
    if outcome.files:
        return Finding(key, True, f"files were written once the API had been away for {duration_text(given)}")
    degraded = (row["at"] for row in outcome.history if row["state"] == "degraded")
    missed = moment(next(degraded, None))
    if missed is None or outcome.outage_to - missed < rehearsal.seconds(given) + _ROUND:
        says = f"{duration_text(given)}, counted from the first calls that failed: too late for a file"
        return Finding(key, True, says)
    return Finding(key, False, f"{duration_text(given)} had passed, and no file was written: see the timeline")


def _every(rehearsal: Rehearsal, files: Sequence[Mapping[str, Any]]) -> Finding:
    given = rehearsal.limit("fallback", "every")
    many = ": choose a longer one, each file costs requests" if len(files) > _MANY_FILES else ""
    return Finding("fallback.every", not many, f"{len(files)} files, a batch every {duration_text(given)}{many}")


def _confirm_within(rehearsal: Rehearsal, files: Sequence[Mapping[str, Any]]) -> Finding:
    key, given = "fallback.confirm_within", rehearsal.limit("fallback", "confirm_within")
    needed = 2 * FILES_JOB + 2 * rehearsal.limit("fallback", "check_every")
    if given < needed:
        says = (
            f"{duration_text(given)}: Engage reads files about every {duration_text(FILES_JOB)}, contacts and then "
            f"receipts; below {duration_text(needed)} receipts are held that would still have shown"
        )
        return Finding(key, False, says)
    spans = [
        done - read
        for row in files
        if (read := moment(row["consumed_at"])) is not None and (done := moment(row["confirmed_at"])) is not None
    ]
    slowest = timedelta(seconds=max(spans, default=0.0) * rehearsal.factor)
    return Finding(key, True, f"{duration_text(given)}; the slowest file here needed {duration_text(slowest)}")
