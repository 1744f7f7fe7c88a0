"""`tillpost drill outage`: runs the operator's own pipeline against the sandbox, through an outage."""

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

from tillpost import UsageError
from tillpost_demo.child import PlayFailed, terminated_like_ctrl_c
from tillpost_demo.config import write_secrets
from tillpost_demo.course import Course
from tillpost_demo.drill_stage import Stage
from tillpost_demo.engage import Engage
from tillpost_demo.fit import judge_limits
from tillpost_demo.generator import documents, make_day
from tillpost_demo.launcher import Launcher
from tillpost_demo.outcome import judged
from tillpost_demo.progress import Progress
from tillpost_demo.rehearsal import Rehearsal, check, factor_for, sandbox_settings, write_rehearsal
from tillpost_demo.report import render
from tillpost_demo.text import counted, duration_text

_SEED = 7


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
            shutil.rmtree(folder, ignore_errors=True)  # it has documents of the operator in it
    course.print(rehearsal, echo)
    if report is not None:
        report.absolute().parent.mkdir(parents=True, exist_ok=True)
        report.write_text(render(course.outcome, course.sections(rehearsal)), encoding="utf-8")
        echo(f"Report: {report.absolute()}")
    if as_json:
        echo(json.dumps(course.figures(rehearsal)))
    return 0 if course.ok else 1


def _play(rehearsal: Rehearsal, files: Sequence[Path], receipts: int, folder: Path, progress: Progress) -> Course:
    key = secrets.token_hex(16)
    prepared, known, title = _documents(files, receipts, folder)
    house = rehearsal.pipeline.get("anonymous")
    if house is not None and not house.startswith(("contactId:", "memberNumber:")):  # Engage assigns those
        known = [*known, dict([house.split(":", 1)])]
    with Engage(folder, key, sandbox_settings(rehearsal)) as engage:
        write_secrets(folder, key, str(engage.ready["password"]))
        before = engage.seed(known)
        ahead = write_rehearsal(rehearsal, folder, engage.ready, "ahead-state", "ahead")
        read = Launcher(ahead, rehearsal.name).read_ahead(prepared, title)
        shutil.rmtree(folder / "ahead-state")
        progress.say(f"pipeline {rehearsal.name}: {title}, {_amount(read, prepared)}")
        (folder / "inbox").mkdir()
        launcher = Launcher(write_rehearsal(rehearsal, folder, engage.ready, "state"), rehearsal.name)
        with launcher.run(folder) as child:
            stage = Stage(rehearsal, prepared, folder, engage, launcher, child, progress)
            times = (time.time(), stage.online(), stage.outage(), stage.settle())
            code = child.end()
            if code != 0:
                raise PlayFailed(f"`tillpost run` ended with code {code} after SIGTERM:\n{child.tail()}")
        engage.import_now()
        outcome = judged(
            title=f"an outage of {duration_text(rehearsal.length)}, pipeline {rehearsal.name}",
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


def _amount(read: Mapping[str, Any], files: Sequence[Path]) -> str:
    return f"{counted(read['accepted'], 'receipt')} in {counted(len(files), 'document')}"


def _documents(files: Sequence[Path], receipts: int, folder: Path) -> tuple[list[Path], list[Mapping[str, str]], str]:
    drop = folder / "documents"
    drop.mkdir()
    if files:
        for number, file in enumerate(files):
            shutil.copyfile(file, drop / f"{number:04}-{file.name}")
        return sorted(drop.iterdir()), [], f"{counted(len(files), 'document')} of yours"
    day = make_day(_SEED, receipts)
    for number, (file_name, content) in enumerate(documents(day.receipts)):
        (drop / f"{number:04}-{file_name}").write_bytes(content)
    return sorted(drop.iterdir()), [person.contact() for person in day.known], "generated receipts"
