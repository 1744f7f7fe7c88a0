"""`tillpost drill outage`: runs the operator's own pipeline against the sandbox, through an outage."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

from tillpost import UsageError
from tillpost_demo.child import PlayFailed, terminated_like_ctrl_c
from tillpost_demo.course import Course
from tillpost_demo.fit import judge_limits
from tillpost_demo.play import Play, new_folder, prepare
from tillpost_demo.progress import Progress
from tillpost_demo.rehearsal import Rehearsal, check, factor_for, sandbox_settings, write_rehearsal
from tillpost_demo.report import render
from tillpost_demo.text import counted, duration_text

_SEED = 7
_BEFORE = 30.0
"""Seconds the first receipts get to arrive; a destination that cannot be reached then has another reason."""


def run(
    *,
    pipeline: Mapping[str, Any],
    name: str,
    length: timedelta,
    quick: bool,
    receipts: int,
    files: Sequence[Path],
    dir: Path | None,
    report: Path | None,
    as_json: bool,
    echo: Callable[[str], None],
) -> int:
    """Rehearse; 0 when no action is needed and every limit is right, else 1.

    pipeline: keys and slots of the operator's pipeline, paths absolute, durations of the core as timedelta. files:
    documents in its own format; without them receipts are generated. dir: a new or empty folder that is kept.
    Raises UsageError for what cannot be rehearsed.
    """
    check(pipeline, not files)
    if length <= timedelta(0) or receipts < 1:
        raise UsageError("an outage is longer than zero, and has at least one receipt")
    rehearsal = Rehearsal(
        name=name,
        pipeline=pipeline,
        length=length,
        factor=factor_for(pipeline, length) if quick else 1,
        generated=not files,
    )
    folder = new_folder(dir, "tillpost-drill-")
    try:
        with terminated_like_ctrl_c():
            course = _play(rehearsal, files, receipts, folder, Progress(echo))
    except PlayFailed as failure:
        echo(f"The drill failed: {failure}")
        return 1
    finally:
        if dir is None:
            shutil.rmtree(folder, ignore_errors=True)  # it has documents of the operator in it
    course.print(echo)
    if report is not None:
        report.absolute().parent.mkdir(parents=True, exist_ok=True)
        report.write_text(render(course.outcome, course.sections()), encoding="utf-8")
        echo(f"Report: {report.absolute()}")
    if as_json:
        echo(json.dumps(course.figures()))
    return 0 if course.ok else 1


def _play(rehearsal: Rehearsal, files: Sequence[Path], receipts: int, folder: Path, progress: Progress) -> Course:
    prepared, known = prepare(folder, files, _SEED, receipts)
    anonymous = rehearsal.pipeline.get("anonymous")
    if anonymous is not None and not anonymous.startswith(("contactId:", "memberNumber:")):  # Engage assigns those
        known.append(dict([anonymous.split(":", 1)]))
    title = f"{counted(len(files), 'document')} of yours" if files else "generated receipts"
    outcome = _Drill(
        title=f"an outage of {duration_text(rehearsal.length)}, pipeline {rehearsal.name}",
        source=f"pipeline {rehearsal.name}: {title}",
        pipeline=rehearsal.name,
        files=prepared,
        known=known,
        folder=folder,
        progress=progress,
        sandbox=sandbox_settings(rehearsal),
        pause=0.2 if rehearsal.factor > 1 else 1.0,
        rehearsal=rehearsal,
    ).run()
    return Course(rehearsal=rehearsal, outcome=outcome, findings=judge_limits(rehearsal, outcome))


@attrs.define(kw_only=True, eq=False)
class _Drill(Play):
    """An outage of the length that is rehearsed. A quarter of the documents comes before it, a quarter after it."""

    what = "Tillpost drill"
    rehearsal: Rehearsal
    _state: str = attrs.field(default="", init=False)

    def write_config(self, name: str, receipts: int) -> Path:
        """See Play."""
        return write_rehearsal(self.rehearsal, self.folder, self.engage.ready, name)

    @property
    def _quarter(self) -> int:
        return len(self.files) // 4

    def online(self) -> None:
        """Drop the first documents, and wait until some arrived."""
        self.drop(self.files[: self._quarter])
        self.progress.say("online: receipts go by API")
        self.until(lambda status: not self._quarter or self.engage.arrived() > 0, _BEFORE)

    def outage(self) -> None:
        """Drop documents evenly until the outage is over."""
        length = self.rehearsal.seconds(self.rehearsal.length)
        scaled = f" ({length:.1f} s here)" if self.rehearsal.factor > 1 else ""
        self.progress.say(f"outage: the API is away for {duration_text(self.rehearsal.length)}{scaled}")
        began, during = time.monotonic(), self.files[self._quarter : len(self.files) - self._quarter]
        for number, file in enumerate(during, start=1):
            self.drop([file])
            self.until(lambda _: False, began + number * length / (len(during) + 1) - time.monotonic())
        self.until(lambda _: False, began + length - time.monotonic())

    def settle(self) -> None:
        """Drop the last documents, and wait until all is settled, as long as the limits need."""
        self.progress.say("the API is back")
        self.drop(self.files[len(self.files) - self._quarter :])
        limit = self.rehearsal.limit
        longest = limit("transport", "confirm_after") + 4 * limit("transport", "wait_max")
        if "fallback" in self.rehearsal.pipeline:
            longest += 8 * limit("fallback", "check_every") + 4 * limit("transfer", "wait_max")

        def complete(status: Mapping[str, Any]) -> bool:
            files = status["files"]
            confirmed = files["confirmed"] == sum(files.values())
            return status["state"] == "online" and confirmed and self.inbox_is_empty()

        self.until_settled(complete, 120.0 + self.rehearsal.seconds(longest))

    def show(self, status: Mapping[str, Any]) -> None:
        """Show the counts, and a line for each change of the destination's state."""
        super().show(status)
        if status["state"] != self._state:
            self._state = status["state"]
            self.progress.say(f"  {self._state}" + (f": {status['reason']}" if status["reason"] else ""))
