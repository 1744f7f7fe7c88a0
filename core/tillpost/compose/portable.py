"""A pipeline as a table for a configuration file in another folder, as `tillpost drill` needs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from tillpost.compose.config import LISTS, POLICIES
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.plugin import Secret


def portable_table(pipeline: PipelineConfig, folder: Path) -> dict[str, Any]:
    """The pipeline's keys and slots with absolute paths and every limit of the core written out.

    folder: that of the configuration file. Durations of the core's keys are `timedelta`; secrets stay references.
    """
    limits: dict[str, Any] = dict(
        zip(POLICIES, (pipeline.source, pipeline.retry, pipeline.fallback, pipeline.transfer), strict=True)
    )
    table: dict[str, Any] = {"receipt_id": pipeline.recipe, "unknown_contact": pipeline.unknown_contact}
    if pipeline.workers is not None:
        table["workers"] = pipeline.workers
    if pipeline.anonymous is not None:
        table["anonymous"] = f"{pipeline.anonymous.kind}:{pipeline.anonymous.value}"
    for use in pipeline.slots:
        # A default path is relative to the file's folder, too.
        paths = {
            field.alias or field.name: str(value)
            for field in attrs.fields(type(use.settings))
            if isinstance(value := getattr(use.settings, field.name), Path)
        }
        written = {key: _absolute(value, getattr(use.settings, key, None), folder) for key, value in use.table.items()}
        slot = {"use": use.plugin, **written, **paths}
        if use.slot in limits:
            slot |= {key: value for key, value in attrs.asdict(limits[use.slot]).items() if value is not None}
        if use.slot in LISTS:
            table.setdefault(use.slot, []).append(slot)
        else:
            table[use.slot] = slot
    return table


def _absolute(value: Any, setting: Any, folder: Path) -> Any:
    """The value of the file with absolute paths. setting: what the plugin's Settings have read from it."""
    if isinstance(setting, Path):
        return str(setting)
    if isinstance(setting, Secret) and isinstance(value, Mapping) and "file" in value:
        return {"file": str(folder / str(value["file"]))}
    if isinstance(value, Mapping):
        of = setting if isinstance(setting, Mapping) else {}
        if attrs.has(type(setting)):
            of = attrs.asdict(setting, recurse=False)
        return {name: _absolute(item, of.get(name), folder) for name, item in value.items()}
    if isinstance(value, list):
        each = setting if isinstance(setting, tuple) and len(setting) == len(value) else (None,) * len(value)
        return [_absolute(item, one, folder) for item, one in zip(value, each, strict=True)]
    return value
