"""Plugins as a stranger writes them: text of a module, installed for a test, and a configuration that names it."""

from __future__ import annotations

import textwrap
from pathlib import Path

import attrs
import pytest

HEAD = """\
from __future__ import annotations
from decimal import Decimal
import attrs
from tillpost import Plugin, hookimpl, simple
from tillpost.model import *

@attrs.frozen(kw_only=True)
class Nothing:
    pass

"""
"""The beginning of each module; what a test writes begins at line 11."""
_CONFIG = {
    "source": '{ use = "folder", path = "inbox", poll = "100ms", settle = "0s" }',
    "adapter": '{ use = "receipts" }',
    "resolve": '{ use = "known" }',
    "map": '{ use = "engage" }',
    "transport": '{ use = "engage", url = "http://127.0.0.1:9", api_key = { file = "key" } }',
}


@attrs.frozen
class Strange:
    """Installs plugins into one folder of the import path. Each has a name nobody had before."""

    folder: Path
    patch: pytest.MonkeyPatch

    def install(self, name: str, code: str, head: str = HEAD) -> Path:
        """Write the module `name` with this code, and an entry point for its `plugin`; where the module is."""
        info = self.folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[tillpost.plugins]\n{name} = {name}:plugin\n")
        module = self.folder / f"{name}.py"
        module.write_text(head + textwrap.dedent(code), encoding="utf-8")
        self.patch.syspath_prepend(self.folder)
        return module

    def configure(self, **slots: str) -> Path:
        """A configuration with one pipeline; slots: tables that replace those of a shop that sends nowhere."""
        (self.folder / "inbox").mkdir(exist_ok=True)
        (self.folder / "key").write_text("k\n")
        lines = [f"{slot} = {table}" for slot, table in {**_CONFIG, **slots}.items()]
        file = self.folder / "tillpost.toml"
        file.write_text("[pipelines.shop]\n" + "\n".join(lines) + "\n", encoding="utf-8")
        return file


def line_of(module: Path, text: str) -> int:
    """The number of the first line with this text."""
    return next(i for i, line in enumerate(module.read_text().splitlines(), 1) if text in line)
