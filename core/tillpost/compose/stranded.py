"""Stranded receipts: what waits in a state folder in which no pipeline of the configuration file works any more.

The pipeline was taken out or renamed, or its `state` is another folder now. `run` keeps a list of the pipelines of the
file and of their state folders in `pipelines.json` of the state folder, because a pipeline that is taken out takes the
name of its folder with it; and the marks beside the configuration tell of the folders from before `state` was changed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import attrs

from tillpost.compose.config import Config
from tillpost.compose.shared_folders import source_of
from tillpost.compose.toml_lines import KeyPath, key_text
from tillpost.errors import Finding, JournalError
from tillpost.flow.contacts.resolve import not_looked_up
from tillpost.flow.hook_calls import observer_names
from tillpost.journal import OPEN, OPEN_FILES, Journal, State
from tillpost.journal.sqlite.locks import running_process
from tillpost.journal.sqlite.outside_mark import marked_folders
from tillpost.journal.tables.settings_seen import Seen
from tillpost.terminal import counted

_LIST = "pipelines.json"
_WAITING = (*OPEN, State.WRITTEN, State.TRANSFERRED)


@attrs.frozen(kw_only=True)
class Stranded:
    """What waits in the state folder of a pipeline that is not in the file, or works in another folder now.

    now: that folder, "" when the pipeline is not in the file. key: the setting that has changed. waiting: receipts that
    are neither delivered, held nor skipped. files: fallback files that are not confirmed. problem: why the journal
    cannot be read, "" when it can.
    """

    name: str
    folder: Path
    waiting: int = 0
    held: int = 0
    files: int = 0
    problem: str = ""
    now: str = ""
    key: str = ""

    def what(self) -> str:
        """As a sentence."""
        begin = f"pipeline {self.name} " + (f"works in {self.now} now" if self.now else "is not in the file")
        if self.problem:
            return f"{begin}, and its journal in {self.folder} cannot be read: {self.problem}"
        parts = [counted(self.waiting, "receipt")]
        parts += [counted(self.held, "held receipt")] if self.held else []
        parts += [counted(self.files, "fallback file")] if self.files else []
        verb = "waits" if len(parts) == 1 and self.waiting == 1 else "wait"
        return f"{begin}, and {' and '.join(parts)} {verb} in {self.folder}"

    def ways(self) -> str:
        """What a person can do."""
        if self.now:
            move = (
                f"`tillpost stranded move {self.name} --to {self.name}` gives them to the pipeline where it works now"
            )
            if (Path(self.now) / "journal.db").exists():
                return f"Stop `tillpost run`; then {move}."
            return f"Set `{self.key.rpartition('.')[2]}` back, or move {self.folder} to {self.now}; or {move}."
        return (
            f"Put [pipelines.{self.name}] back, without its `source`, until `tillpost status` shows nothing left; or"
            f" `tillpost stranded move {self.name} --to PIPELINE` gives them to another pipeline."
        )

    def finding(self) -> Finding:
        """For `check`, `reload` and the log."""
        key = self.key or f"pipelines.{self.name}"
        return Finding(message=f"{self.what()}.", key=key, next_step=self.ways(), level="trouble")


def note_pipelines(config: Config, names: Iterable[str]) -> None:
    """Write down which pipelines the file has, and their folders. names: those with an error, too."""
    before = _read(config.state)
    folders = before["folders"] | {pipeline.name: str(pipeline.state) for pipeline in config.pipelines}
    earlier = {str(folder): name for folder, name in _earlier(config, before).items()}
    now = {"in_file": sorted(set(names)), "folders": folders, "earlier": earlier}
    if now == before:
        return
    with suppress(OSError):  # a list that cannot be written must keep no pipeline from running
        config.state.mkdir(parents=True, exist_ok=True)
        part = config.state / f"{_LIST}.part"
        part.write_text(json.dumps(now, indent=1, sort_keys=True), encoding="utf-8")
        part.replace(config.state / _LIST)


def find_stranded(config: Config, names: Iterable[str]) -> list[Stranded]:
    """What waits beside the pipelines of the file. names: all of the file, those with an error, too."""
    listed, kept = _read(config.state), set(names)
    today = {pipeline.name: str(pipeline.state) for pipeline in config.pipelines}
    folders = {Path(folder): name for name, folder in listed["folders"].items()}
    folders |= {file.parent: file.parent.name for file in sorted(config.state.glob("*/journal.db"))}
    gone = {folder: name for folder, name in folders.items() if name not in kept}
    found = _look(gone | _earlier(config, listed), today, kept)
    return [attrs.evolve(each, key=_state_key(config, each.name)) if each.now else each for each in found]


def listed_stranded(folder: Path) -> list[Stranded]:
    """As `find_stranded`, from what `run` has noted, for the first pipeline of the file alone: one alert is enough.

    folder: the state folder of the pipeline.
    """
    listed = _read(folder.parent)
    today = {name: listed["folders"][name] for name in listed["in_file"] if name in listed["folders"]}
    if not today or Path(next(iter(today.values()))) != folder:
        return []
    folders = {Path(path): name for name, path in listed["folders"].items() if name not in listed["in_file"]}
    return _look(folders | {Path(path): name for path, name in listed["earlier"].items()}, today, {*listed["in_file"]})


def _earlier(config: Config, listed: Mapping[str, Any]) -> dict[Path, str]:
    """The state folders that pipelines of this file had before, by the marks beside it and the list."""
    found = {Path(folder): str(name) for folder, name in listed["earlier"].items()}
    found |= {Path(folder): name for name, folder in listed["folders"].items()}
    found |= {folder: name for name, folder in marked_folders(config.file.parent, config.file.name)}
    used = {pipeline.state.resolve() for pipeline in config.pipelines}
    return {folder: name for folder, name in found.items() if folder.resolve() not in used}


def _state_key(config: Config, name: str) -> str:
    own: KeyPath = ("pipelines", name, "state")
    return key_text(own if own in config.lines.by_path else ("tillpost", "state"))


def names_in(config: Config) -> set[str]:
    """The names of all pipelines of the file, those with an error, too."""
    return {str(path[1]) for path in config.lines.by_path if path[0] == "pipelines" and len(path) > 1}


def left_in_sources(config: Config) -> list[Finding]:
    """Files that lie unread in a folder that a pipeline has read before, and none reads now."""
    found: list[Finding] = []
    read = {source_of(pipeline) for pipeline in config.pipelines}
    for pipeline in config.pipelines:
        if not (pipeline.state / "journal.db").exists():
            continue
        source = source_of(pipeline)
        with suppress(JournalError), closing(Journal.read_only(pipeline.state)) as journal:
            for folder in map(Path, journal.settings_seen.values(Seen.SOURCE)):
                count = 0 if folder in read else _unread(folder)
                if count:
                    now = f"is now {source}" if source is not None else "has been taken out"
                    message = f"{counted(count, 'file')} in {folder} are not read: the source was there, and {now}."
                    step = f"Move them to {source}" if source is not None else "Put the source back"
                    key = f"pipelines.{pipeline.name}.source" + (".path" if source is not None else "")
                    step += "; what is known is not taken twice."
                    found.append(Finding(message=message, key=key, next_step=step, level="trouble"))
    return found


def not_asked_for(config: Config) -> list[Finding]:
    """Receipts whose contact no resolver asks for, since a resolver or one of its keys was taken out."""
    found: list[Finding] = []
    for pipeline in config.pipelines:
        keys = pipeline.lookup_keys()
        if keys is None or not (pipeline.state / "journal.db").exists():
            continue
        with suppress(JournalError), closing(Journal.read_only(pipeline.state)) as journal:
            for has, count in journal.backlogs.not_looked_up(keys).items():
                message = f"{counted(count, 'receipt')} cannot go on: {not_looked_up(keys, [has])}."
                step = "Receipts that are held by then: `tillpost held retry`."
                key = f"pipelines.{pipeline.name}.resolve"
                found.append(Finding(message=message, key=key, next_step=step, level="trouble"))
    return found


def not_observed(config: Config) -> list[Finding]:
    """Events that wait for an observer that a pipeline does not name any more: a start of `run` lets go of them."""
    found: list[Finding] = []
    for pipeline in config.pipelines:
        names = observer_names([use.plugin for use in pipeline.slots if use.slot == "observe"])
        if not (pipeline.state / "journal.db").exists():
            continue
        with suppress(JournalError), closing(Journal.read_only(pipeline.state)) as journal:
            for behind in journal.observers_behind.all():
                if behind.name in names:
                    continue
                waiting = counted(journal.observers_behind.count_waiting(behind), "event")
                message = f"observer {behind.name} is not named any more, and has not got {waiting}: {behind.reason}."
                step = "Put it back until `tillpost status` shows none, or the next start counts them as lost."
                key = f"pipelines.{pipeline.name}.observe"
                found.append(Finding(message=message, key=key, next_step=step, level="trouble"))
    return found


def _unread(folder: Path) -> int:
    try:
        return sum(1 for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
    except OSError:
        return 0


def _look(folders: Mapping[Path, str], today: Mapping[str, str], kept: Collection[str]) -> list[Stranded]:
    """today: pipeline → the folder it works in. kept: the pipelines of the file, those with an error, too."""
    found = []
    used = {Path(folder).resolve() for folder in today.values()}
    tokens = {token for folder in today.values() if (token := _token(Path(folder)))}
    for folder, name in folders.items():
        if folder.resolve() in used or not (folder / "journal.db").exists() or running_process(folder) is not None:
            continue  # another process, with a file of its own, works on it
        if name in kept and name not in today:
            continue  # with an error in its table, nobody knows where it works
        if _token(folder) in tokens:
            continue  # a copy was taken, and the pipeline works on that
        now = today.get(name, "")
        try:
            with closing(Journal.read_only(folder)) as journal:
                counts, files = journal.receipts.counts(), journal.file_states.counts()
        except JournalError as error:
            found.append(Stranded(name=name, folder=folder, problem=str(error), now=now))
            continue
        one = Stranded(
            name=name, folder=folder, waiting=sum(counts[state] for state in _WAITING), held=counts[State.HELD],
            files=sum(files[state] for state in OPEN_FILES), now=now,
        )  # fmt: skip
        if one.waiting or one.held or one.files:
            found.append(one)
    return found


def _token(folder: Path) -> str:
    with suppress(JournalError, IndexError), closing(Journal.read_only(folder)) as journal:
        return journal.token()
    return ""


def _read(state: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        listed = json.loads((state / _LIST).read_text(encoding="utf-8"))
        folders, earlier = {**listed["folders"]}, {**listed.get("earlier", {})}
        return {"in_file": [*map(str, listed["in_file"])], "folders": folders, "earlier": earlier}
    return {"in_file": [], "folders": {}, "earlier": {}}
