"""An adapter on a document, as a pipeline would build it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import attrs
import pytest

from tillpost import Context, Plugin, Use
from tillpost.clock import SystemClock
from tillpost.compose.settings import SettingsReader
from tillpost.compose.toml_lines import Lines, read_toml
from tillpost.model import Document, Found, Parsed, Receipt


def build(plugin: Plugin, **settings: Any) -> Any:
    """The adapter's object with its hook, from settings as the configuration would give them."""
    context = Context(
        pipeline="p",
        folder=Path(),
        state=Path(),
        clock=SystemClock(),
        random=random.Random(1),
        budget=lambda *_: pytest.fail("an adapter needs no budget"),
    )
    [adapter] = plugin.build([Use("adapter", plugin.slots["adapter"](**settings))], context)
    return adapter


def parse(plugin: Plugin, source: Path | bytes, **settings: Any) -> list[Parsed]:
    """Everything in a document: a path, or bytes."""
    document = Document.from_bytes("doc", source) if isinstance(source, bytes) else Document.from_path(source)
    return list(build(plugin, **settings).parse_receipts(document))


def receipt(parsed: Parsed) -> Receipt:
    """The receipt that was found."""
    assert isinstance(parsed, Found), parsed
    return parsed.receipt


def settings(plugin: Plugin, given: Path | str | dict[str, Any], folder: Path) -> dict[str, Any]:
    """What a table (a TOML file, its text or its values) says for the adapter; a finding fails the test."""
    file = given if isinstance(given, Path) else folder / "settings.toml"
    if isinstance(given, str):
        file.write_text(given, encoding="utf-8")
    table, lines = (given, Lines({})) if isinstance(given, dict) else read_toml(file, file.name)
    reader = SettingsReader(file.name, folder, lines)
    made = reader.read(table, plugin.slots["adapter"], ())
    assert made is not None, [str(finding) for finding in reader.findings]
    return {field.name: getattr(made, field.name) for field in attrs.fields(type(made))}
