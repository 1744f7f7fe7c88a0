"""docs/operators/faults.md is whole: every fault has its row, and every row tests that exist and speak of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import attrs
import pytest

from tests.support.faults import ROOT, cells, listed, parsed

PAGE = ROOT / "docs" / "operators" / "faults.md"
LEFT_OUT = {"Input"}
"""Sections of the list that docs/integrators/bad-input.md answers."""
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@attrs.frozen
class Row:
    """One fault: its section, its words, what is promised, and the cell that names its tests."""

    section: str
    fault: str
    promise: str
    tests: str

    def __str__(self) -> str:
        return f"{self.section}: {self.fault[:40]}"


def _rows() -> Iterator[Row]:
    section = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("| ") and not line.startswith("| fault |"):
            yield Row(section, *cells(line))


ROWS = list(_rows())


def test_every_fault_of_the_list_has_its_row_in_its_words() -> None:
    """A fault that is added, taken out or told otherwise there must be so here: word by word, in order."""
    there = {row.section: [each.fault for each in ROWS if each.section == row.section] for row in ROWS}
    assert there == {name: faults for name, faults in listed().items() if name not in LEFT_OUT}


def _told(path: str, name: str) -> str:
    """What a test says of itself: its name, its docstring and that of its module. Fails when there is no such test."""
    tree = parsed(path)
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    assert found, f"{path} has no {name}"
    return " ".join([name, ast.get_docstring(found[0]) or "", ast.get_docstring(tree) or ""])


def _stems(text: str) -> set[str]:
    """Words of four letters and more, by their first five: `renamed` speaks of a `rename`."""
    return {word[:5] for word in re.findall(r"[a-zåäö0-9]{4,}", text.lower().replace("_", " "))}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_names_tests_that_exist_and_speak_of_it(row: Row) -> None:
    assert row.promise, "a row says what Tillpost does"
    named = _TEST.findall(row.tests)
    assert named, "a row names a test"
    assert _TEST.sub("", row.tests).replace("<br>", "").strip() == "", "and nothing but tests"
    said = [_stems(_told(*each)) for each in named]
    words = _stems(row.fault) | _stems(row.promise)
    for (path, name), stems in zip(named, said, strict=True):
        assert len(stems & words) >= 2, f"{path}::{name} does not say that it is about this"


def test_every_section_has_rows_and_no_test_is_named_twice_in_a_row() -> None:
    assert len(ROWS) > 40
    for row in ROWS:
        named = _TEST.findall(row.tests)
        assert len(set(named)) == len(named), str(row)
