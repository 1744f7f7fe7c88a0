"""A pipeline as a table that can stand in a file of another folder: what `tillpost drill` rehearses with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from tillpost.compose.config import LISTS, POLICIES
from tillpost.compose.pipeline_config import PipelineConfig, SlotConfig
from tillpost.plugin import Secret


def portable(pipeline: PipelineConfig, folder: Path) -> dict[str, Any]:
    """The pipeline's keys and slots with every path made absolute, and every limit of the core as it is in force.

    folder: where the configuration file lies. Durations of the core's own keys are `timedelta`; secrets are still
    named by where they come from.
    """
    limits: dict[str, Any] = dict(
        zip(POLICIES, (pipeline.source, pipeline.retry, pipeline.fallback, pipeline.transfer), strict=True)
    )
    table: dict[str, Any] = {
        "receipt_id": pipeline.recipe,
        "unknown_contact": pipeline.unknown_contact,
    }
    if pipeline.workers is not None:
        table["workers"] = pipeline.workers
    if pipeline.anonymous is not None:
        table["anonymous"] = f"{pipeline.anonymous.kind}:{pipeline.anonymous.value}"
    for use in pipeline.slots:
        made = {"use": use.plugin, **_placed(use, folder)}
        if use.slot in limits:
            made |= {key: value for key, value in attrs.asdict(limits[use.slot]).items() if value is not None}
        if use.slot in LISTS:
            table.setdefault(use.slot, []).append(made)
        else:
            table[use.slot] = made
    return table


def _placed(use: SlotConfig, folder: Path) -> dict[str, Any]:
    # A path that is left out has a default, and that is relative to the file's folder too.
    paths = {
        field.alias or field.name: str(value)
        for field in attrs.fields(type(use.settings))
        if isinstance(value := getattr(use.settings, field.name), Path)
    }
    return {
        name: _absolute(value, getattr(use.settings, name, None), folder) for name, value in use.table.items()
    } | paths


def _absolute(value: Any, made: Any, folder: Path) -> Any:
    """`value` as it stands in the file, `made`: what the settings made of it."""
    if isinstance(made, Path):
        return str(made)
    if isinstance(made, Secret) and isinstance(value, Mapping) and "file" in value:
        return {"file": str(folder / str(value["file"]))}
    if isinstance(value, Mapping):
        of = made if isinstance(made, Mapping) else attrs.asdict(made, recurse=False) if attrs.has(type(made)) else {}
        return {name: _absolute(item, of.get(name), folder) for name, item in value.items()}
    if isinstance(value, list):
        each = made if isinstance(made, tuple) and len(made) == len(value) else (None,) * len(value)
        return [_absolute(item, one, folder) for item, one in zip(value, each, strict=True)]
    return value
