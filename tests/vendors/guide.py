"""The guide for vendors, taken apart."""

from __future__ import annotations

import re
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "docs" / "vendors" / "example"
PAGE = EXAMPLE.parent / "write-an-adapter.md"


def snippets() -> list[tuple[str, str]]:
    """Each block of code with the file the line before it names."""
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(r"^`([\w/.]+)`\n\n```(?:python|toml)\n(.*?)^```$", text, re.M | re.S)


def blocks() -> list[str]:
    """Each block of lines a person types, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def commands() -> list[str]:
    """Each line a person types, in order."""
    return [line for block in blocks() for line in block.splitlines()]
