"""Stranded receipts: what waits in the state folder of a pipeline that is no longer in the configuration file.

`run` keeps a list of the pipelines of the file and of every state folder they ever had in `pipelines.json` of the state
folder, because a pipeline that is taken out takes the name of its folder with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import attrs

from tillpost.compose.config import Config
from tillpost.compose.shared_folders import source_of
from tillpost.errors import Finding, JournalError
from tillpost.journal import OPEN, OPEN_FILES, Journal, State
from tillpost.journal.sqlite.locks import running_process
from tillpost.journal.tables.settings_seen import Seen
from tillpost.terminal import counted

_LIST = "pipelines.json"
_WAITING = (*OPEN, State.WRITTEN, State.TRANSFERRED)


@attrs.frozen(kw_only=True)
class Stranded:
    """What waits in the state folder of a pipeline that is not in the file.

    waiting: receipts that are neither delivered, held nor skipped. files: fallback files that are not confirmed.
    problem: why the journal cannot be read, "" when it can.
    """

    name: str
    folder: Path
    waiting: int = 0
    held: int = 0
    files: int = 0
    problem: str = ""

    def what(self) -> str:
        """As a sentence."""
        if self.problem:
            why = f"its journal in {self.folder} cannot be read: {self.problem}"
            return f"pipeline {self.name} is not in the file, and {why}"
        parts = [counted(self.waiting, "receipt")]
        parts += [counted(self.held, "held receipt")] if self.held else []
        parts += [counted(self.files, "fallback file")] if self.files else []
        verb = "waits" if len(parts) == 1 and self.waiting == 1 else "wait"
        return f"pipeline {self.name} is not in the file, and {' and '.join(parts)} {verb} in {self.folder}"

    def ways(self) -> str:
        """What a person can do."""
        return (
            f"Put [pipelines.{self.name}] back, without its `source`, until `tillpost status` shows nothing left; or"
            f" `tillpost stranded move {self.name} --to PIPELINE` gives them to another pipeline."
        )

    def finding(self) -> Finding:
        """For `check`, `reload` and the log."""
        return Finding(message=f"{self.what()}.", key=f"pipelines.{self.name}", next_step=self.ways(), level="trouble")


def note_pipelines(config: Config, names: Iterable[str]) -> None:
    """Write down which pipelines the file has, and their folders. names: those with an error, too."""
    before = _read(config.state)
    folders = before["folders"] | {pipeline.name: str(pipeline.state) for pipeline in config.pipelines}
    now = {"in_file": sorted(set(names)), "folders": folders}
    if now == before:
        return
    with suppress(OSError):  # a list that cannot be written must keep no pipeline from running
        config.state.mkdir(parents=True, exist_ok=True)
        part = config.state / f"{_LIST}.part"
        part.write_text(json.dumps(now, indent=1, sort_keys=True), encoding="utf-8")
        part.replace(config.state / _LIST)


def find_stranded(config: Config, names: Iterable[str]) -> list[Stranded]:
    """What waits beside the pipelines of the file. names: all of the file, those with an error, too."""
    used = {pipeline.state.resolve() for pipeline in config.pipelines}
    kept = set(names)
    folders = {Path(folder): name for name, folder in _read(config.state)["folders"].items()}
    folders |= {file.parent: file.parent.name for file in sorted(config.state.glob("*/journal.db"))}
    return _look(
        {folder: name for folder, name in folders.items() if folder.resolve() not in used and name not in kept}
    )


def listed_stranded(folder: Path) -> list[Stranded]:
    """As `find_stranded`, from what `run` has noted, for the first pipeline of the file alone: one alert is enough.

    folder: the state folder of the pipeline.
    """
    listed = _read(folder.parent)
    kept = [name for name in listed["in_file"] if name in listed["folders"]]
    if not kept or Path(listed["folders"][kept[0]]) != folder:
        return []
    used = {listed["folders"][name] for name in kept}
    return _look({Path(path): name for name, path in listed["folders"].items() if path not in used})


def names_in(config: Config) -> set[str]:
    """The names of all pipelines of the file, those with an error, too."""
    return {str(path[1]) for path in config.lines.by_path if path[0] == "pipelines" and len(path) > 1}


def left_in_sources(config: Config) -> list[Finding]:
    """Files that lie unread in a folder that a pipeline has read before."""
    found: list[Finding] = []
    for pipeline in config.pipelines:
        source = source_of(pipeline)
        if source is None or not (pipeline.state / "journal.db").exists():
            continue
        with suppress(JournalError), closing(Journal.read_only(pipeline.state)) as journal:
            for earlier in journal.settings_seen.values(Seen.SOURCE):
                folder = Path(earlier)
                count = _unread(folder) if folder != source else 0
                if count:
                    message = (
                        f"{counted(count, 'file')} in {folder} are not read: the source was there, and is now {source}."
                    )
                    step = f"Move them to {source}; what is known is not taken twice."
                    key = f"pipelines.{pipeline.name}.source.path"
                    found.append(Finding(message=message, key=key, next_step=step, level="trouble"))
    return found


def _unread(folder: Path) -> int:
    try:
        return sum(1 for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
    except OSError:
        return 0


def _look(folders: Mapping[Path, str]) -> list[Stranded]:
    found = []
    for folder, name in folders.items():
        if not (folder / "journal.db").exists() or running_process(folder) is not None:
            continue  # another process, with a file of its own, works on it
        try:
            with closing(Journal.read_only(folder)) as journal:
                counts, files = journal.receipts.counts(), journal.file_states.counts()
        except JournalError as error:
            found.append(Stranded(name=name, folder=folder, problem=str(error)))
            continue
        one = Stranded(
            name=name, folder=folder, waiting=sum(counts[state] for state in _WAITING), held=counts[State.HELD],
            files=sum(files[state] for state in OPEN_FILES),
        )  # fmt: skip
        if one.waiting or one.held or one.files:
            found.append(one)
    return found


def _read(state: Path) -> dict[str, Any]:
    try:
        listed = json.loads((state / _LIST).read_text(encoding="utf-8"))
        return {"in_file": [*map(str, listed["in_file"])], "folders": {**listed["folders"]}}
    except (OSError, ValueError, TypeError, KeyError):
        return {"in_file": [], "folders": {}}
