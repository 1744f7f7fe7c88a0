"""Pipelines that would share a state folder or the folder their source reads; both are refused."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.compose.toml_lines import KeyPath


def shared_folders(pipelines: Sequence[PipelineConfig]) -> Iterator[tuple[str, KeyPath, str, str]]:
    """For both pipelines of each pair that shares a folder: its name, the key, the message, the next step."""
    for first, second in combinations(pipelines, 2):
        for one, other in ((first, second), (second, first)):
            path: KeyPath = ("pipelines", one.name)
            if relation := _relation(one.state, other.state):
                message = f"the state folder {one.state} {relation} pipeline {other.name}."
                yield one.name, (*path, "state"), message, "Give each pipeline a folder of its own."
            source = source_of(one)
            if source is not None and source == source_of(other):
                message = f"pipeline {other.name} reads the folder {source} too."
                yield one.name, (*path, "source", "path"), message, "Let one pipeline read one folder."
            remote = _remote_folder(one)
            if remote is not None and remote == _remote_folder(other):
                message = f"pipeline {other.name} fetches from {remote} too."
                yield one.name, (*path, "source", "path"), message, "Let one pipeline read one folder."


def _folded(path: Path) -> tuple[str, ...]:
    """The parts of the path as a file system that ignores case compares them."""
    return tuple(unicodedata.normalize("NFC", part).casefold() for part in path.resolve().parts)


def _relation(one: Path, other: Path) -> str:
    """How the first folder shares the second, as words before a pipeline's name; "" when it does not."""
    ours, theirs = _folded(one), _folded(other)
    if ours == theirs:
        same = one.resolve() == other.resolve()
        return "is also that of" if same else "differs only in letter case from that of"
    if ours[: len(theirs)] == theirs:
        return "is inside that of"
    return "contains that of" if theirs[: len(ours)] == ours else ""


def source_of(pipeline: PipelineConfig) -> Path | None:
    """The folder a source reads: the setting `path`, as every source of files calls it."""
    for use in pipeline.slots:
        path = getattr(use.settings, "path", None)
        if use.slot == "source" and isinstance(path, Path):
            return path.resolve()
    return None


def _remote_folder(pipeline: PipelineConfig) -> str | None:
    """The folder of a server that a source fetches from: its settings `host`, `port` and `path`."""
    for use in pipeline.slots:
        host, path = (getattr(use.settings, name, None) for name in ("host", "path"))
        if use.slot == "source" and isinstance(host, str) and isinstance(path, str):
            return f"{host.lower()}:{getattr(use.settings, 'port', '')}{path}"
    return None
