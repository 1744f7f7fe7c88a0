"""The list of faults beside the project, and the tests that pages about it name."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.support.exports import beside

ROOT = Path(__file__).parents[2]


def listed() -> dict[str, list[str]]:
    """Section → its faults, as the list separates them. Missing: as with every file beside the project."""
    text = beside("faults.md").read_text(encoding="utf-8")
    sections = re.findall(r"^\*\*(.+?)\.\*\* (.*)$", text, re.M)
    assert len(sections) == len(re.findall(r"^\*\*", text, re.M)) > 5, "the list has another form"
    return {name: re.split(r"\s*·\s*", faults.strip()) for name, faults in sections}


def cells(line: str) -> list[str]:
    """The cells of a row of a Markdown table; `\\|` is a bar."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@cache
def parsed(path: str) -> ast.Module:
    """A module of the project. Fails when there is none."""
    file = ROOT / path
    assert file.is_file(), f"{path} does not exist"
    return ast.parse(file.read_text(encoding="utf-8"))


def functions_of(path: str) -> frozenset[str]:
    """The names of the test functions of a module of the project. Fails when there is no such module."""
    return frozenset(node.name for node in parsed(path).body if isinstance(node, ast.FunctionDef))
