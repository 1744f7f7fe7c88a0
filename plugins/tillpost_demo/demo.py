"""`tillpost demo`: a day of receipts through an outage, and the report at its end."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tillpost import UsageError
from tillpost_demo.child import PlayFailed, terminated_like_ctrl_c
from tillpost_demo.config import Till
from tillpost_demo.generator import documents, make_day
from tillpost_demo.outcome import Outcome, summary, table
from tillpost_demo.report import render
from tillpost_demo.story import Script, play

DEFAULT_RECEIPTS = 120


def run(
    *,
    from_file: Path | None,
    adapter: str | None,
    anonymous: str | None,
    timezone: str | None,
    seed: int,
    receipts: int,
    dir: Path | None,
    report: Path | None,
    as_json: bool,
    echo: Callable[[str], None],
) -> int:
    """Run the day; 0 when the sandbox holds every accepted receipt exactly once, else 1.

    from_file and adapter: a real export instead of a generated day. anonymous: `kind:value` of the contact
    that gets the receipts without a customer. dir: a new or empty folder; without it a temporary one, which
    is kept, so that its journal can be asked about every receipt. report: where the HTML page goes (default
    report.html in the folder). Raises UsageError for arguments that do not fit together.
    """
    began = time.monotonic()
    _check(from_file, adapter, dir, receipts)
    folder = (dir or Path(tempfile.mkdtemp(prefix="tillpost-demo-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    script = _script(folder, from_file, adapter, anonymous, timezone, seed, receipts)
    with terminated_like_ctrl_c():
        try:
            outcome = play(script, folder, echo)
        except PlayFailed as failure:
            echo(f"The demo failed: {failure}")
            echo(f"What its processes wrote is in {folder}")
            return 1
    page = (report or folder / "report.html").absolute()
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render(outcome), encoding="utf-8")
    seconds = round(time.monotonic() - began, 1)
    _print(outcome, page, folder, seconds, echo)
    if as_json:
        echo(json.dumps(summary(outcome) | {"seconds": seconds, "report": str(page)}))
    return 0 if outcome.verdict.ok else 1


def _check(from_file: Path | None, adapter: str | None, dir: Path | None, receipts: int) -> None:
    if from_file is not None and adapter is None:
        raise UsageError("--from needs --adapter: which format is the file? `tillpost plugins` lists the adapters")
    if from_file is None and adapter is not None:
        raise UsageError("--adapter needs --from: a generated day is always in Tillpost's own JSON lines")
    if from_file is not None and not from_file.is_file():
        raise UsageError(f"--from {from_file}: there is no such file")
    if receipts < 1:
        raise UsageError(f"--receipts {receipts}: a day has at least one receipt")
    if dir is not None and dir.exists() and (not dir.is_dir() or any(dir.iterdir())):
        raise UsageError(f"--dir {dir}: name a folder that is new or empty")


def _script(
    folder: Path,
    from_file: Path | None,
    adapter: str | None,
    anonymous: str | None,
    timezone: str | None,
    seed: int,
    receipts: int,
) -> Script:
    drop = folder / "exports"
    drop.mkdir()
    if from_file is not None and adapter is not None:
        copied = drop / from_file.name
        shutil.copyfile(from_file, copied)
        till = Till(adapter=adapter, timezone=timezone, anonymous=anonymous)
        return Script(title=f"the export {from_file.name}", till=till, files=(copied,), known=())
    day = make_day(seed, receipts)
    files = []
    for name, content in documents(day.receipts):
        files.append(drop / name)
        files[-1].write_bytes(content)
    return Script(
        title=f"a generated day (seed {seed})",
        till=Till(adapter="receipts", anonymous=anonymous),
        files=tuple(files),
        known=tuple(person.contact() for person in day.known),
    )


def _print(outcome: Outcome, page: Path, folder: Path, seconds: float, echo: Callable[[str], None]) -> None:
    echo("")
    for line in table(outcome):
        echo(line)
    echo("")
    echo(f"{outcome.verdict.sentence()}, in {seconds:g} s.")
    echo(f"Report:      {page}")
    echo(f"The journal: tillpost --config {folder / 'tillpost.toml'} receipts")
