"""Writes a configuration file with one pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def write_pipeline(folder: Path, name: str, comment: str, pipeline: str, table: Mapping[str, object]) -> Path:
    """Write `NAME.toml`: the pipeline, its keys and slots from `table`, its journal below `NAME-state`."""
    lines = [f"# {comment}", "[tillpost]", f'state = "{name}-state"', "", f"[pipelines.{pipeline}]"]
    lines += [f"{_key(key)} = {toml_text(value)}" for key, value in table.items()]
    path = folder / f"{name}.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def toml_text(value: object) -> str:
    """A value as TOML writes it, on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case Mapping():
            return "{ " + ", ".join(f"{_key(str(name))} = {toml_text(item)}" for name, item in value.items()) + " }"
        case list() | tuple():
            return "[ " + ", ".join(toml_text(item) for item in value) + " ]"
    # A JSON string is a TOML basic string, except for DEL and for surrogate pairs, which ensure_ascii would write.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_text(name)
