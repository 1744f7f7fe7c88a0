"""Presets: the settings of exports that many vendors' tills write, each a TOML file in `presets/`."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

FOLDER = "presets"


def presets() -> Mapping[str, str]:
    """Every preset by its name, as the text of its file."""
    found = resources.files("tillpost_table").joinpath(FOLDER).iterdir()
    texts = {file.name.removesuffix(".toml"): file.read_text("utf-8") for file in found if file.name.endswith(".toml")}
    return dict(sorted(texts.items()))


@functools.cache
def preset(name: str) -> Mapping[str, Any]:
    """The settings of a preset, as the configuration would give them. Raises FileNotFoundError for an unknown one."""
    file = resources.files("tillpost_table").joinpath(FOLDER, f"{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def resolved(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings given, over those of the preset they name; in a table the keys are joined, and "" leaves one out."""
    name = given.get("preset")
    if not name:
        return dict(given)
    merged = {key: _value(value) for key, value in preset(name).items()}
    for key, value in given.items():
        merged[key] = _joined(merged[key], value) if isinstance(value, dict) and key in merged else value
    # Resolved settings name no preset: it would be laid under them again when they are copied.
    return merged | {"preset": ""}


def _joined(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(joined.get(key), dict):
            joined[key] = {**joined[key], **value}
        elif value == "":
            joined.pop(key, None)
        else:
            joined[key] = value
    return joined


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
