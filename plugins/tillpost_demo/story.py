"""The course of the demo: online, an outage in the middle of the day, files, back again, settled, compared."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from tillpost_demo.child import Child, PlayFailed
from tillpost_demo.config import PIPELINE, Till, write_config, write_secrets
from tillpost_demo.engage import Engage
from tillpost_demo.launcher import Launcher
from tillpost_demo.outcome import Outcome, judged
from tillpost_demo.progress import Progress
from tillpost_demo.text import counted

OPEN = ("accepted", "resolved", "waiting", "uncertain")
ON_THE_WAY = (*OPEN, "written", "transferred")
_UNTIL_OUTAGE, _UNTIL_FILES, _UNTIL_SETTLED = 30.0, 40.0, 90.0  # seconds; more than a slow machine needs
_MOST_BEFORE_OUTAGE = 60  # receipts; a large export must not be sent at the demo's low rate for long
_BETWEEN = 0.15  # seconds from one document to the next: a day comes in over time
_STRAGGLERS = 4.0  # seconds that further receipts get after the first fallback file


@attrs.frozen(kw_only=True)
class Script:
    """What happens. files: the day's exports in order; known: contacts Engage has beforehand."""

    title: str
    till: Till
    files: tuple[Path, ...]
    known: tuple[Mapping[str, str], ...]


def play(script: Script, folder: Path, echo: Callable[[str], None]) -> Outcome:
    """Run the day in `folder` and compare. Raises PlayFailed; every child has ended when this returns or raises."""
    progress = Progress(echo)
    key = secrets.token_hex(16)
    with Engage(folder, key) as engage:
        write_secrets(folder, key, str(engage.ready["password"]))
        before = engage.seed(script.known)
        progress.say(f"sandbox: {engage.ready['url']}, SFTP port {engage.ready['sftp']}, {before} known contacts")
        read = _read_ahead(script, folder, engage)
        progress.say(
            f"input: {script.title}: {counted(read['accepted'], 'receipt')} in "
            f"{counted(len(script.files), 'document')}, {read['skipped']} skipped, {read['ignored']} ignored"
        )
        config = _config(script, folder, engage, "tillpost", int(read["accepted"]))
        (folder / "inbox").mkdir()
        launcher = Launcher(config, PIPELINE)
        with launcher.run(folder) as child:
            stage = _Stage(
                script.files, int(read["accepted"]), int(read["held"]), folder, engage, launcher, child, progress
            )
            began = time.time()
            stage.online()
            outage_from = time.time()
            stage.outage()
            outage_to = time.time()
            stage.back_again()
            ended = time.time()
            code = child.end()
            if code != 0:
                raise PlayFailed(f"`tillpost run` ended with code {code} after SIGTERM:\n{child.tail()}")
        engage.import_now()
        return judged(
            title=script.title,
            documents=len(script.files),
            known_contacts=before,
            times=(began, outage_from, outage_to, ended),
            engage=engage,
            launcher=launcher,
        )


def _config(script: Script, folder: Path, engage: Engage, name: str, receipts: int) -> Path:
    # So low that a third of the receipts takes at least a second: some must be on their way when the outage begins,
    # even when the day is a single document. And below the 200 requests/s at which Engage answers 429.
    rate = min(max(receipts // 3, 4), 150)
    return write_config(folder, script.till, engage.ready, rate=rate, name=name)


def _read_ahead(script: Script, folder: Path, engage: Engage) -> dict[str, Any]:
    """Read the input into a journal of its own, to know how many receipts will come."""
    config = _config(script, folder, engage, "ahead", 0)
    read = Launcher(config, PIPELINE).read_ahead(script.files, script.title)
    config.unlink()
    shutil.rmtree(folder / "ahead-state")
    return read


@attrs.define
class _Stage:
    """Steps while `tillpost run` works."""

    files: Sequence[Path]
    expected: int
    held: int
    folder: Path
    engage: Engage
    launcher: Launcher
    child: Child
    progress: Progress

    def online(self) -> None:
        """Drop the first third of the documents, and wait until part of it arrived."""
        self._drop(0)
        share = 3 if len(self.files) < 3 else 5  # one document is the whole day, three are thirds of it
        target = min(self.expected // share, _MOST_BEFORE_OUTAGE)
        self.progress.say(f"online: receipts go by API; the outage comes after {target}")
        deadline = time.monotonic() + _UNTIL_OUTAGE
        while self.engage.arrived() < target:  # by the sandbox: the launcher would take too long to answer
            self._alive()
            if time.monotonic() > deadline:
                raise PlayFailed(f"{target} receipts did not arrive by API in time:\n{self.child.tail()}")
            time.sleep(0.02)

    def outage(self) -> None:
        """Take the API away, drop the second third, and wait until files hold what waits."""
        self.engage.take_away()
        self.progress.say(f"outage: the API is gone after {self.engage.arrived()} receipts; the tills continue")
        self._drop(1)
        first_seen: list[float] = []

        def written(status: Mapping[str, Any]) -> bool:
            if any(path.is_file() for path in (self.folder / "inbox").iterdir()):
                return False
            waiting = any(status["counts"][state] for state in OPEN)
            if any(row["kind"] == "receipts" for row in self.launcher.files()):
                first_seen.append(time.monotonic())
                return not waiting or time.monotonic() - first_seen[0] > _STRAGGLERS
            return not waiting  # a very small day: nothing is left for a file

        if not self._until(written, _UNTIL_FILES):
            raise PlayFailed(f"no files were written during the outage:\n{self.child.tail()}")
        files = len(self.launcher.files())
        self.progress.say(f"files: {files} written" if files else "files: none, nothing was left to send")

    def back_again(self) -> None:
        """Bring the API back, drop the last third, and wait until all is settled and every contact has its id."""
        self.engage.bring_back()
        self.progress.say("back again: the API answers, files go up")
        self._drop(2)

        def settled(status: Mapping[str, Any]) -> bool:
            counts = status["counts"]
            known = sum(counts.values()) - counts["skipped"]
            return (
                known >= self.expected + self.held
                and not any(counts[state] for state in ON_THE_WAY)
                and not status["contacts"]["pending"]
            )

        if self._until(settled, _UNTIL_SETTLED):
            self.progress.say("settled: nothing is on its way")
        else:
            self.progress.say(f"not settled within {_UNTIL_SETTLED:g} s; compared as it is")

    def _drop(self, third: int) -> None:
        size = -(-len(self.files) // 3)
        for path in self.files[third * size : (third + 1) * size]:
            path.replace(self.folder / "inbox" / path.name)
            self._alive()
            time.sleep(_BETWEEN)

    def _alive(self) -> None:
        self.engage.check()
        self.child.check()

    def _until(self, met: Callable[[Mapping[str, Any]], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._alive()
            status = self.launcher.status()
            self.progress.show(status)
            if met(status):
                return True
            time.sleep(0.1)
        return False
