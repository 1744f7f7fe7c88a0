"""`tillpost drill outage`: the operator's own pipeline against the sandbox, through an outage, and what came of it."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

from tillpost import UsageError
from tillpost_demo.child import Child, PlayFailed, terminated_like_ctrl_c
from tillpost_demo.config import write_secrets
from tillpost_demo.engage import Engage
from tillpost_demo.fit import Finding, judge_limits
from tillpost_demo.fit import told as said
from tillpost_demo.generator import documents, make_day
from tillpost_demo.launcher import Launcher
from tillpost_demo.outcome import Outcome, judged, summary, table
from tillpost_demo.progress import Progress
from tillpost_demo.rehearsal import Rehearsal, check, factor_for, sandbox_settings, write_rehearsal
from tillpost_demo.report import render
from tillpost_demo.story import ON_THE_WAY

_SEED = 7
_BEFORE = 30.0
"""Seconds the first receipts get to arrive; a destination that cannot be reached then has another reason."""


@attrs.frozen(kw_only=True)
class Course:
    """What the drill came to."""

    outcome: Outcome
    history: Sequence[Mapping[str, Any]]
    findings: Sequence[Finding]
    held: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """Nothing lost, doubled or left over, nobody needed, and every limit fits."""
        return self.outcome.verdict.ok and all(finding.fits for finding in self.findings)


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
    """Rehearse; 0 when nobody is needed and every limit fits, else 1.

    pipeline: keys and slots of the operator's pipeline, paths absolute, durations of the core as timedelta. files:
    documents in its own format; without them receipts are generated. dir: a new or empty folder that stays.
    Raises UsageError for what cannot be rehearsed.
    """
    check(pipeline, not files)
    if length <= timedelta(0) or receipts < 1:
        raise UsageError("an outage lasts longer than zero, and meets at least one receipt")
    if dir is not None and dir.exists() and (not dir.is_dir() or any(dir.iterdir())):
        raise UsageError(f"--dir {dir}: name a folder that is new or empty")
    rehearsal = Rehearsal(
        name=name,
        pipeline=pipeline,
        length=length,
        factor=factor_for(pipeline, length) if quick else 1,
        generated=not files,
    )
    folder = (dir or Path(tempfile.mkdtemp(prefix="tillpost-drill-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with terminated_like_ctrl_c():
            course = _play(rehearsal, files, receipts, folder, Progress(echo))
    except PlayFailed as failure:
        echo(f"The drill failed: {failure}")
        return 1
    finally:
        if dir is None:
            shutil.rmtree(folder, ignore_errors=True)  # documents of the operator's were read into it
    _tell(rehearsal, course, echo)
    if report is not None:
        report.absolute().parent.mkdir(parents=True, exist_ok=True)
        report.write_text(render(course.outcome, _sections(rehearsal, course)), encoding="utf-8")
        echo(f"Report: {report.absolute()}")
    if as_json:
        echo(json.dumps(_figures(rehearsal, course)))
    return 0 if course.ok else 1


def _play(rehearsal: Rehearsal, files: Sequence[Path], receipts: int, folder: Path, progress: Progress) -> Course:
    key = secrets.token_hex(16)
    prepared, known, title = _documents(files, receipts, folder)
    house = rehearsal.pipeline.get("anonymous")
    if house is not None and not house.startswith(("contactId:", "memberNumber:")):  # those only Engage gives
        known = [*known, dict([house.split(":", 1)])]
    with Engage(folder, key, sandbox_settings(rehearsal)) as engage:
        write_secrets(folder, key, str(engage.ready["password"]))
        before = engage.seed(known)
        ahead = write_rehearsal(rehearsal, folder, engage.ready, "ahead-state", "ahead")
        read = Launcher(ahead, rehearsal.name).read_ahead(prepared, title)
        shutil.rmtree(folder / "ahead-state")
        progress.say(f"pipeline {rehearsal.name}: {title}, {read['accepted']} receipts in {len(prepared)} document(s)")
        (folder / "inbox").mkdir()
        launcher = Launcher(write_rehearsal(rehearsal, folder, engage.ready, "state"), rehearsal.name)
        with launcher.run(folder) as line:
            stage = _Stage(rehearsal, prepared, folder, engage, launcher, line, progress)
            times = (time.time(), stage.online(), stage.outage(), stage.settle())
            code = line.end()
            if code != 0:
                raise PlayFailed(f"`tillpost run` ended with code {code} after SIGTERM:\n{line.tail()}")
        engage.import_now()
        outcome = judged(
            title=f"an outage of {said(rehearsal.length)}, pipeline {rehearsal.name}",
            documents=len(prepared),
            known_contacts=before,
            times=times,
            engage=engage,
            launcher=launcher,
            what="Tillpost drill",
        )
        history = launcher.status()["history"]
    held = Counter(str(row["reason"]) for row in outcome.receipts if row["state"] == "held")
    found = judge_limits(rehearsal, history, outcome.files, outcome.receipts, outcome.outage_to)
    return Course(outcome=outcome, history=history, findings=found, held=held)


def _documents(files: Sequence[Path], receipts: int, folder: Path) -> tuple[list[Path], list[Mapping[str, str]], str]:
    drop = folder / "documents"
    drop.mkdir()
    if files:
        for number, file in enumerate(files):
            shutil.copyfile(file, drop / f"{number:04}-{file.name}")
        return sorted(drop.iterdir()), [], f"{len(files)} document(s) of yours"
    day = make_day(_SEED, receipts)
    for number, (file_name, content) in enumerate(documents(day.receipts)):
        (drop / f"{number:04}-{file_name}").write_bytes(content)
    return sorted(drop.iterdir()), [person.contact() for person in day.known], "generated receipts"


class _Stage:
    """The moving parts while the line runs. A quarter of the documents comes before, a quarter after the outage."""

    def __init__(
        self,
        rehearsal: Rehearsal,
        files: Sequence[Path],
        folder: Path,
        engage: Engage,
        launcher: Launcher,
        line: Child,
        progress: Progress,
    ) -> None:
        quarter = len(files) // 4
        self._before, self._during = files[:quarter], files[quarter : len(files) - quarter]
        self._after = files[len(files) - quarter :]
        self._rehearsal, self._folder = rehearsal, folder
        self._engage, self._launcher, self._line, self._progress = engage, launcher, line, progress
        self._state = ""
        self._pause = 0.2 if rehearsal.factor > 1 else 1.0

    def online(self) -> float:
        """The first documents, until some of it is with Engage; then the API goes. When that was."""
        self._drop(self._before)
        self._progress.say("online: receipts go by API")
        self._until(lambda status: not self._before or self._engage.arrived() > 0, _BEFORE)
        self._engage.take_away()
        self._progress.say(f"outage: the API is away for {said(self._rehearsal.length)}{self._scaled()}")
        return time.time()

    def outage(self) -> float:
        """Documents go on coming, evenly; then the API is back. When that was."""
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
        """The last documents, until nothing is on its way. When that was; gives up after the limits' own time."""
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
        """Watch until it is met; changes of the state of the destination are said. False after so many seconds."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._engage.check()
            self._line.check()
            status = self._launcher.status()
            self._progress.show(status)
            if status["state"] != self._state:
                self._state = status["state"]
                self._progress.say(f"  {self._state}" + (f": {status['reason']}" if status["reason"] else ""))
            if met(status):
                return True
            time.sleep(max(0.0, min(self._pause, left)))
        return False


def _timeline(course: Course) -> list[tuple[str, str, str]]:
    """Local time, state, reason."""
    rows = [(row["at"][11:19], str(row["state"]), _reason(row)) for row in course.history]
    marks = [(course.outcome.outage_from, "the API goes"), (course.outcome.outage_to, "the API is back")]
    rows += [(time.strftime("%H:%M:%S", time.localtime(at)), what, "") for at, what in marks]
    return sorted(rows, key=lambda row: row[0])


def _reason(row: Mapping[str, Any]) -> str:
    return str(json.loads(row["detail"]).get("reason", "")) if row["detail"] else ""


def _person(course: Course) -> list[str]:
    """What a person would have to look at."""
    verdict = course.outcome.verdict
    told = [f"{count} receipts held: {reason}" for reason, count in course.held.items()]
    told += [f"{len(verdict.unsettled)} receipts not settled"] if verdict.unsettled else []
    told += [f"{len(verdict.lost)} receipts lost"] if verdict.lost else []
    told += [f"{verdict.duplicates} receipts doubled"] if verdict.duplicates else []
    told += [f"{finding.key}: {finding.says}" for finding in course.findings if not finding.fits]
    return told


def _tell(rehearsal: Rehearsal, course: Course, echo: Callable[[str], None]) -> None:
    echo("\nTimeline of the destination")
    for at, state, reason in _timeline(course):
        echo(f"  {at}  {state}" + (f" ({reason})" if reason else ""))
    echo("\nReceipts, files and contacts")
    for line in table(course.outcome):
        echo(line)
    echo("\nYour limits")
    for finding in course.findings:
        echo(f"  {'fits' if finding.fits else 'LOOK'}  {finding.key}: {finding.says}")
    echo("\nNot as in your configuration")
    for text in rehearsal.replaced():
        echo(f"  {text}")
    needed = _person(course)
    echo("\nA person is needed for" if needed else "\nNobody is needed.")
    for text in needed:
        echo(f"  {text}")
    echo("")
    echo(course.outcome.verdict.sentence())


def _sections(rehearsal: Rehearsal, course: Course) -> list[tuple[str, Sequence[str], Sequence[Sequence[object]]]]:
    limits = [(finding.key, "fits" if finding.fits else "look", finding.says) for finding in course.findings]
    return [
        ("Timeline of the destination", ("time", "state", "why"), _timeline(course)),
        ("Your limits", ("key", "", "what was found"), limits),
        ("Not as in your configuration", ("",), [(text,) for text in rehearsal.replaced()]),
        ("A person is needed for", ("",), [(text,) for text in _person(course)]),
    ]


def _figures(rehearsal: Rehearsal, course: Course) -> dict[str, object]:
    return summary(course.outcome) | {
        "pipeline": rehearsal.name,
        "outage_seconds": rehearsal.length.total_seconds(),
        "divided_by": rehearsal.factor,
        "files": Counter(str(row["state"]) for row in course.outcome.files),
        "timeline": [{"at": row["at"], "state": row["state"], "reason": _reason(row)} for row in course.history],
        "limits": [attrs.asdict(finding) for finding in course.findings],
        "replaced": rehearsal.replaced(),
        "person": _person(course),
        "ok": course.ok,
    }
