"""A configuration file with one pipeline, written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path


def write_pipeline(path: Path, comment: str, name: str, state: str, table: Mapping[str, object]) -> None:
    """Write the file: the pipeline `name`, its keys and slots from `table`, its journal below `state`."""
    lines = [f"# {comment}", "[tillpost]", f"state = {said(state)}", "", f"[pipelines.{name}]"]
    lines += [f"{key} = {said(value)}" for key, value in table.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def said(value: object) -> str:
    """A value as TOML writes it, on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case Mapping():
            return "{ " + ", ".join(f"{said(str(name))} = {said(item)}" for name, item in value.items()) + " }"
        case list() | tuple():
            return "[ " + ", ".join(said(item) for item in value) + " ]"
    # A JSON string is a TOML basic string, but for DEL and for surrogate pairs, which ensure_ascii would write.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
