"""What demo and drill have in common: a day through an outage on the sandbox, judged by what the sandbox holds."""

from __future__ import annotations

import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import attrs

from tillpost import UsageError
from tillpost_demo.child import Child, PlayFailed
from tillpost_demo.engage import SHORT_DAY, Engage
from tillpost_demo.generator import documents, make_day
from tillpost_demo.launcher import Launcher
from tillpost_demo.outcome import Outcome, written_at
from tillpost_demo.progress import Progress
from tillpost_demo.text import counted
from tillpost_demo.verdict import judge

OPEN = ("accepted", "resolved", "waiting", "uncertain")
_ON_THE_WAY = (*OPEN, "written", "transferred")


@attrs.define(kw_only=True, eq=False)
class Play(ABC):
    """One day. A subclass writes the configuration, and has the steps before, during and after the outage.

    title: of the report. source: what is read, for a line of progress. files: the day's documents in order; known:
    contacts Engage has beforehand; sandbox: its settings; read: the counts of the documents, read ahead.
    """

    what: ClassVar[str]
    title: str
    source: str
    pipeline: str
    files: Sequence[Path]
    known: Sequence[Mapping[str, str]]
    folder: Path
    progress: Progress
    sandbox: Mapping[str, object] = SHORT_DAY
    pause: float = 0.1
    """Seconds between two looks at the pipeline."""
    engage: Engage = attrs.field(init=False)
    launcher: Launcher = attrs.field(init=False)
    child: Child = attrs.field(init=False)
    read: Mapping[str, Any] = attrs.field(init=False)

    @abstractmethod
    def write_config(self, name: str, receipts: int) -> Path:
        """Write `NAME.toml`, with its state in `NAME-state`, for so many receipts (0: not known yet)."""

    @abstractmethod
    def online(self) -> None:
        """Drop the first documents and wait until the API may go."""

    @abstractmethod
    def outage(self) -> None:
        """The API is gone: drop documents and wait until it may come back."""

    @abstractmethod
    def settle(self) -> None:
        """The API is back: drop the last documents and wait until nothing is on its way."""

    def run(self) -> Outcome:
        """Run the day and compare. Raises PlayFailed; every child has ended when this returns or raises."""
        with Engage(self.folder, self.sandbox) as self.engage:
            known_contacts = self.engage.seed(self.known)
            ready = self.engage.ready
            self.progress.say(f"sandbox: {ready['url']}, SFTP port {ready['sftp']}, {known_contacts} known contacts")
            self._read_ahead()
            self.launcher = Launcher(self.write_config("tillpost", int(self.read["accepted"])), self.pipeline)
            (self.folder / "inbox").mkdir()
            with self.launcher.run(self.folder) as self.child:
                began = time.time()
                self.online()
                self.engage.take_away()
                outage_from = time.time()
                self.outage()
                self.engage.bring_back()
                outage_to = time.time()
                self.settle()
                ended = time.time()
                code = self.child.end()
                if code != 0:
                    raise PlayFailed(f"`tillpost run` ended with code {code} after SIGTERM:\n{self.child.tail()}")
            self.engage.control("import", {})  # so that what is judged is all there is
            receipts, status = self.launcher.receipts(), self.launcher.status()
            stats, stored, contacts = (
                self.engage.control("stats"),
                self.engage.control("receipts"),
                self.engage.contacts(),
            )
            return Outcome(
                title=self.title,
                what=self.what,
                began=began,
                outage_from=outage_from,
                outage_to=outage_to,
                ended=ended,
                receipts=tuple(receipts),
                arrivals=tuple((row["receivedAt"], row["route"]) for row in stored if row["status"] == "imported"),
                files=tuple(sorted(self.launcher.files(), key=written_at)),
                documents=len(self.files),
                skipped=status["skipped"],
                ignored=status["ignored"],
                history=status["history"],
                known_contacts=known_contacts,
                contacts_created=len(contacts) - known_contacts,
                contacts_by_file=sum(contact["origin"] == "file" for contact in contacts),
                contacts_reconciled=int(status["contacts"]["reconciled"]),
                sent_again=int(stats["ignored_duplicates"]),
                verdict=judge(receipts, stored, int(stats["duplicated"])),
            )

    def _read_ahead(self) -> None:
        """Read the input into a journal of its own, to know how many receipts will come."""
        config = self.write_config("ahead", 0)
        self.read = read = Launcher(config, self.pipeline).read_ahead(self.files, self.source)
        config.unlink()
        shutil.rmtree(self.folder / "ahead-state")
        self.progress.say(
            f"input: {self.source}: {counted(read['accepted'], 'receipt')} in "
            f"{counted(len(self.files), 'document')}, {read['skipped']} skipped, {read['ignored']} ignored"
        )

    def drop(self, files: Sequence[Path], between: float = 0.0) -> None:
        """Move documents into the folder the pipeline reads. between: seconds from one to the next."""
        for path in files:
            path.replace(self.folder / "inbox" / path.name)
            self.check()
            time.sleep(between)

    def check(self) -> None:
        """Raise PlayFailed when the sandbox or the pipeline has ended."""
        self.engage.check()
        self.child.check()

    def show(self, status: Mapping[str, Any]) -> None:
        """Show how far the pipeline is."""
        self.progress.show(status)

    def until(self, met: Callable[[Mapping[str, Any]], bool], seconds: float) -> bool:
        """Wait until the pipeline's status meets the condition. False after `seconds`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.check()
            status = self.launcher.status()
            self.show(status)
            if met(status):
                return True
            time.sleep(max(0.0, min(self.pause, left)))
        return False

    def until_settled(self, met: Callable[[Mapping[str, Any]], bool], seconds: float) -> None:
        """Wait until nothing is on its way and the condition is met, and say whether that came within `seconds`."""

        def settled(status: Mapping[str, Any]) -> bool:
            return not any(status["counts"][state] for state in _ON_THE_WAY) and met(status)

        if self.until(settled, seconds):
            self.progress.say("settled: nothing is on its way")
        else:
            self.progress.say(f"not settled within {seconds:.0f} s; compared as it is")

    def inbox_is_empty(self) -> bool:
        """Whether the pipeline has read every document that was dropped."""
        return not any(path.is_file() for path in (self.folder / "inbox").iterdir())


def new_folder(wanted: Path | None, prefix: str) -> Path:
    """The folder of a play: the one wanted, else a temporary one. Raises UsageError unless it is new or empty."""
    if wanted is not None and wanted.exists() and (not wanted.is_dir() or any(wanted.iterdir())):
        raise UsageError(f"--dir {wanted}: name a folder that is new or empty")
    folder = (wanted or Path(tempfile.mkdtemp(prefix=prefix))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def prepare(folder: Path, given: Sequence[Path], seed: int, receipts: int) -> tuple[list[Path], list[dict[str, str]]]:
    """Put copies of the given documents into the folder, or a generated day; returns them and the known contacts."""
    drop = folder / "documents"
    drop.mkdir()
    if given:
        return [Path(shutil.copyfile(file, drop / f"{n:04}-{file.name}")) for n, file in enumerate(given)], []
    day = make_day(seed, receipts)
    files = []
    for name, content in documents(day.receipts):
        files.append(drop / name)
        files[-1].write_bytes(content)
    return files, [person.contact() for person in day.known]
