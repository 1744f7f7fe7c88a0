"""Two pipelines that would work on one folder: their journals or their inboxes would meet."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.compose.toml_lines import KeyPath

Clash = tuple[str, KeyPath, str, str]


def clashes(pipelines: Sequence[PipelineConfig]) -> Iterator[Clash]:
    """For both of each clashing pair: its name, the key, the message, the next step."""
    for first, second in combinations(pipelines, 2):
        for one, other in ((first, second), (second, first)):
            path: KeyPath = ("pipelines", one.name)
            if how := _meet(one.state, other.state):
                message = f"the state folder {one.state} {how} pipeline {other.name}."
                yield one.name, (*path, "state"), message, "Give each pipeline a folder of its own."
            source = _source(one)
            if source is not None and source == _source(other):
                message = f"pipeline {other.name} reads the folder {source} too."
                yield one.name, (*path, "source", "path"), message, "Let one pipeline read one folder."


def _folded(path: Path) -> tuple[str, ...]:
    """The parts of the path as a file system without case would tell them apart."""
    return tuple(unicodedata.normalize("NFC", part).casefold() for part in path.resolve().parts)


def _meet(one: Path, other: Path) -> str:
    mine, theirs = _folded(one), _folded(other)
    if mine == theirs:
        same = one.resolve() == other.resolve()
        return "is also that of" if same else "differs only in letter case from that of"
    if mine[: len(theirs)] == theirs:
        return "is inside that of"
    return "contains that of" if theirs[: len(mine)] == mine else ""


def _source(pipeline: PipelineConfig) -> Path | None:
    """The folder a source reads, by the setting every source of files calls `path`."""
    for use in pipeline.slots:
        path = getattr(use.settings, "path", None)
        if use.slot == "source" and isinstance(path, Path):
            return path.resolve()
    return None
