"""Every real export beside the project is read by a test that names it: what is added there is not forgotten here."""

from __future__ import annotations

import ast
from fnmatch import fnmatch
from pathlib import Path

from tests.support.exports import beside

TESTS = Path(__file__).parents[1]
NO_DATA = ("SOURCES.md", "LICENSE*", "*.xsd", "*.schemas.json", "PredefinedBasicID-*.csv", "BasicType.csv")
"""Where it came from, under which licence, schemas, and the code lists that have a test of their own."""


def _said() -> set[str]:
    """Every text a test has; that of this module does not count."""
    found = set()
    for path in TESTS.rglob("*.py"):
        if path.name.startswith(("test_", "conftest")) and path != Path(__file__):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
    return found


def test_every_file_of_data_is_named_by_a_test() -> None:
    folder = beside("pos-data")
    files = [path for path in folder.rglob("*") if path.is_file()]
    data = [path for path in files if not any(fnmatch(path.name, pattern) for pattern in NO_DATA)]
    assert len(data) > 25
    said = _said()
    forgotten = [
        str(path.relative_to(folder))
        for path in data
        if not {path.name, path.name.removesuffix(".xml"), path.name.removesuffix(".example.json")} & said
    ]
    assert forgotten == []
