"""An adapter on a document, as a pipeline would build it."""

from __future__ import annotations

import random
from collections.abc import Iterator
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


def records(plugin: Plugin, source: Path | bytes, **settings: Any) -> Iterator[Parsed]:
    """The records of a document, given as a path or as bytes, one at a time."""
    document = Document.from_bytes("doc", source) if isinstance(source, bytes) else Document.from_path(source)
    yield from build(plugin, **settings).parse_receipts(document)


def parse(plugin: Plugin, source: Path | bytes, **settings: Any) -> list[Parsed]:
    """All records of a document."""
    return list(records(plugin, source, **settings))


def receipt(parsed: Parsed) -> Receipt:
    """The receipt of a record that must be one."""
    assert isinstance(parsed, Found), parsed
    return parsed.receipt


def receipts(found: list[Parsed]) -> list[Receipt]:
    """The receipts of records that must all be receipts."""
    return [receipt(record) for record in found]


def settings(plugin: Plugin, given: Path | str | dict[str, Any], folder: Path) -> dict[str, Any]:
    """The adapter's settings by a table (a TOML file, its text or its values); a finding fails the test."""
    file = given if isinstance(given, Path) else folder / "settings.toml"
    if isinstance(given, str):
        file.write_text(given, encoding="utf-8")
    table, lines = (given, Lines({})) if isinstance(given, dict) else read_toml(file, file.name)
    reader = SettingsReader(file.name, folder, lines)
    values = reader.read(table, plugin.slots["adapter"], ())
    assert values is not None, [str(finding) for finding in reader.findings]
    return {field.name: getattr(values, field.name) for field in attrs.fields(type(values))}
