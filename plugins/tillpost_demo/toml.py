"""Writes a configuration file with one pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tillpost.kit.settings import toml_key, toml_text


def write_pipeline(folder: Path, name: str, comment: str, pipeline: str, table: Mapping[str, object]) -> Path:
    """Write `NAME.toml`: the pipeline, its keys and slots from `table`, its journal below `NAME-state`."""
    lines = [f"# {comment}", "[tillpost]", f'state = "{name}-state"', "", f"[pipelines.{pipeline}]"]
    lines += [f"{toml_key(key)} = {toml_text(value)}" for key, value in table.items()]
    path = folder / f"{name}.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
