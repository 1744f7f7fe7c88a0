"""`tillpost demo`: a day of receipts through an outage, and the report at its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from tillpost import UsageError
from tillpost_demo.child import PlayFailed, terminated_like_ctrl_c
from tillpost_demo.config import PIPELINE, write_config
from tillpost_demo.outcome import summary, table
from tillpost_demo.play import OPEN, Play, new_folder, prepare
from tillpost_demo.progress import Progress
from tillpost_demo.report import render

_UNTIL_OUTAGE, _UNTIL_FILES, _UNTIL_SETTLED = 30.0, 40.0, 90.0  # seconds; more than a slow machine needs
_MOST_BEFORE_OUTAGE = 60  # receipts; a large export must not be sent at the demo's low rate for long
_BETWEEN = 0.15  # seconds from one document to the next: a day comes in over time
_STRAGGLERS = 4.0  # seconds that further receipts get after the first fallback file


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
    _check(from_file, adapter, receipts)
    folder = new_folder(dir, "tillpost-demo-")
    files, known = prepare(folder, [from_file] if from_file else [], seed, receipts)
    title = f"the export {from_file.name}" if from_file else f"a generated day (seed {seed})"
    settings = {"use": adapter or "receipts"}
    if adapter == "poslog":  # it needs a time zone and the meaning of loyalty cards
        settings |= {"timezone": "America/Chicago", "loyalty": "externalId"}
    if adapter and timezone is not None:
        settings["timezone"] = timezone
    day = _Day(
        title=title,
        source=title,
        pipeline=PIPELINE,
        files=files,
        known=known,
        folder=folder,
        progress=Progress(echo),
        adapter=settings,
        anonymous=anonymous,
    )
    with terminated_like_ctrl_c():
        try:
            outcome = day.run()
        except PlayFailed as failure:
            echo(f"The demo failed: {failure}")
            echo(f"What its processes wrote is in {folder}")
            return 1
    page = (report or folder / "report.html").absolute()
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render(outcome), encoding="utf-8")
    seconds = round(time.monotonic() - began, 1)
    for line in (
        "",
        *(f"  {line}" for line in table(outcome)),
        "",
        f"{outcome.verdict.sentence()}, in {seconds:g} s.",
        f"Report:      {page}",
        f"The journal: tillpost --config {folder / 'tillpost.toml'} receipts",
    ):
        echo(line)
    if as_json:
        echo(json.dumps(summary(outcome) | {"seconds": seconds, "report": str(page)}))
    return 0 if outcome.verdict.ok else 1


def _check(from_file: Path | None, adapter: str | None, receipts: int) -> None:
    if from_file is not None and adapter is None:
        raise UsageError("--from needs --adapter: which format is the file? `tillpost plugins` lists the adapters")
    if from_file is None and adapter is not None:
        raise UsageError("--adapter needs --from: a generated day is always in Tillpost's own JSON lines")
    if from_file is not None and not from_file.is_file():
        raise UsageError(f"--from {from_file}: there is no such file")
    if receipts < 1:
        raise UsageError(f"--receipts {receipts}: a day has at least one receipt")


@attrs.define(kw_only=True, eq=False)
class _Day(Play):
    """A day in three thirds, with files written in the second. adapter: its table; anonymous: `kind:value`."""

    what = "Tillpost demo"
    adapter: Mapping[str, str]
    anonymous: str | None

    def write_config(self, name: str, receipts: int) -> Path:
        """See Play."""
        # So low that a third of the receipts takes at least a second: some must be on their way when the outage begins,
        # even when the day is a single document. And below the 200 requests/s at which Engage answers 429.
        rate = min(max(receipts // 3, 4), 150)
        return write_config(self.folder, self.adapter, self.anonymous, self.engage.ready, rate=rate, name=name)

    def online(self) -> None:
        """Drop the first third of the documents, and wait until part of it arrived."""
        self.drop(self._third(0), _BETWEEN)
        share = 3 if len(self.files) < 3 else 5  # one document is the whole day, three are thirds of it
        target = min(int(self.read["accepted"]) // share, _MOST_BEFORE_OUTAGE)
        self.progress.say(f"online: receipts go by API; the outage comes after {target}")
        deadline = time.monotonic() + _UNTIL_OUTAGE
        while self.engage.arrived() < target:  # by the sandbox: the launcher would take too long to answer
            self.check()
            if time.monotonic() > deadline:
                raise PlayFailed(f"{target} receipts did not arrive by API in time:\n{self.child.tail()}")
            time.sleep(0.02)

    def outage(self) -> None:
        """Drop the second third, and wait until files hold what waits."""
        self.progress.say(f"outage: the API is gone after {self.engage.arrived()} receipts; the tills continue")
        self.drop(self._third(1), _BETWEEN)
        first_seen: list[float] = []

        def written(status: Mapping[str, Any]) -> bool:
            if not self.inbox_is_empty():
                return False
            waiting = any(status["counts"][state] for state in OPEN)
            if any(row["kind"] == "receipts" for row in self.launcher.files()):
                first_seen.append(time.monotonic())
                return not waiting or time.monotonic() - first_seen[0] > _STRAGGLERS
            return not waiting  # a very small day: nothing is left for a file

        if not self.until(written, _UNTIL_FILES):
            raise PlayFailed(f"no files were written during the outage:\n{self.child.tail()}")
        files = len(self.launcher.files())
        self.progress.say(f"files: {files} written" if files else "files: none, nothing was left to send")

    def settle(self) -> None:
        """Drop the last third, and wait until all is settled and every contact has its id."""
        self.progress.say("back again: the API answers, files go up")
        self.drop(self._third(2), _BETWEEN)
        expected = int(self.read["accepted"]) + int(self.read["held"])

        def complete(status: Mapping[str, Any]) -> bool:
            known = sum(status["counts"].values()) - status["counts"]["skipped"]
            return known >= expected and not status["contacts"]["pending"]

        self.until_settled(complete, _UNTIL_SETTLED)

    def _third(self, number: int) -> Sequence[Path]:
        size = -(-len(self.files) // 3)
        return self.files[number * size : (number + 1) * size]
