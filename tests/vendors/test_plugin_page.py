"""docs/vendors/plugin.md: its example runs, and its tables have what Plugin and Context have."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import attrs

from tillpost.compose.standalone import standalone_hooks
from tillpost.model import Delivered, Document, NotSent
from tillpost.plugin import CAPABILITIES, Context, Plugin

PAGE = (Path(__file__).parents[2] / "docs" / "vendors" / "plugin.md").read_text(encoding="utf-8")


def _names(heading: str) -> set[str]:
    """The first column of the table below this line."""
    table = re.search(r"(?:^\|.*\n)+", PAGE.split(heading, 1)[1], re.M)
    assert table is not None
    return set(re.findall(r"^\| `(\w+)", table[0], re.M))


def test_g10_the_example_builds_and_its_source_hands_over_a_document(tmp_path: Path) -> None:
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
    module: dict[str, Any] = {}
    exec(compile(code, "plugin.md", "exec"), module)
    hooks = standalone_hooks("greeter", module["plugin"], {"source": {"greeting": "hej"}}, folder=tmp_path)
    taken: list[Document] = []

    def accept(document: Document) -> dict[str, int]:
        taken.append(document)
        return {}

    assert hooks.collect_documents(accept) == 1
    assert [document.content for document in taken] == [b"hej"]
    assert hooks.probe_source() == Delivered()
    silent = standalone_hooks("greeter", module["plugin"], {"source": {"greeting": ""}}, folder=tmp_path)
    assert isinstance(silent.probe_source(), NotSent)


def test_every_field_of_a_plugin_is_on_the_page() -> None:
    assert _names("# The plugin, its build and its context") == {field.name for field in attrs.fields(Plugin)}
    assert [word for word in CAPABILITIES if f"`{word}`" not in PAGE] == []


def test_g9_everything_a_context_has_is_on_the_page() -> None:
    fields = {field.name for field in attrs.fields(Context) if not field.name.startswith("_")}
    calls = {name for name, _ in inspect.getmembers(Context, inspect.isfunction) if not name.startswith("_")}
    assert _names("## `context`") == fields | calls
