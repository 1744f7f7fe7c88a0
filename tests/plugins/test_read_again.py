"""The record an adapter keeps of a receipt is a document of its own: read again, it is the same receipt.

`tillpost diff` and the mapping guard compare and fix by it, and so does `tillpost held retry`.
"""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest

from tillpost.compose.plugins import load_plugin
from tillpost.compose.standalone import standalone_hooks
from tillpost.model import Document, Found

SETTINGS: dict[str, dict[str, Any]] = {
    "digital-receipt": {"loyalty": "externalId", "timezone": "Europe/Stockholm"},
    "lightspeed": {"timezone": "Europe/Stockholm", "currency": "SEK"},
    "dsfinvk": {"stores": {"Laden Mitte": "12"}},
    "poslog": {"loyalty": "externalId", "timezone": "Europe/Stockholm"},
    "receipts": {},
    "saft-cash": {"customer": "externalId", "timezone": "Europe/Oslo"},
    "square": {"timezone": "Europe/Stockholm"},
    "shopify": {"timezone": "Europe/Stockholm"},
    "table": {},
    "zettle": {"timezone": "Europe/Stockholm"},
}
LEAST = {"table": 7, "receipts": 15}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_receipt_of_the_samples_is_read_the_same_from_its_record_alone(name: str) -> None:
    plugin = load_plugin(name)
    known = {field.name for field in attrs.fields(plugin.slots["adapter"])}
    given = {key: value for key, value in SETTINGS[name].items() if key in known}
    module = importlib.import_module(f"tillpost_{name.replace('-', '_')}")
    samples = Path(str(module.__file__)).parent / "samples"
    read = 0
    for file in sorted(item for item in samples.rglob("*") if item.is_file() and item.suffix != ".toml"):
        beside = file.with_suffix(".toml")
        if name == "table" and not beside.exists():
            continue  # read with columns of the suite's own
        own = tomllib.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
        while not own.keys() & known and own:
            own = next(iter(own.values()))
        own.pop("use", None)
        hooks = standalone_hooks(name, plugin, {"adapter": given | own}, folder=samples)
        for found in hooks.parse_receipts(Document.from_path(file)):
            if isinstance(found, Found):
                again = next(hooks.parse_receipts(Document.from_bytes(file.name, found.raw)), None)
                assert isinstance(again, Found), (file.name, again)
                assert attrs.evolve(again.receipt, raw=found.receipt.raw) == found.receipt, file.name
                read += 1
    assert read >= LEAST.get(name, 20)
