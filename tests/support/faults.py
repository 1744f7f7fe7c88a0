"""The list of faults beside the project, the table of the tests that hold it, and the pages that answer it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import attrs

from tests.support.exports import beside

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests" / "architecture" / "faults.md"
FAULTS_PAGE = ROOT / "docs" / "operators" / "faults.md"
INPUT_PAGE = ROOT / "docs" / "integrators" / "bad-input.md"
INPUT = "Input"
"""The section of the list that INPUT_PAGE answers; FAULTS_PAGE answers all the others."""
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_PROMISE = re.compile(r"promise `(\w+)`")


@attrs.frozen
class Row:
    """A fault in the words of the list, the row of the page that answers it, and what holds it."""

    section: str
    fault: str
    answer: tuple[str, ...]
    tests: list[tuple[str, str]]
    promises: list[str]
    rest: str

    def __str__(self) -> str:
        return f"{self.section}: {self.fault[:40]}"


def listed() -> dict[str, list[str]]:
    """Section → its faults, as the list separates them. Missing: as with every file beside the project."""
    text = beside("faults.md").read_text(encoding="utf-8")
    sections = re.findall(r"^\*\*(.+?)\.\*\* (.*)$", text, re.M)
    assert len(sections) == len(re.findall(r"^\*\*", text, re.M)) > 5, "the list has another form"
    return {name: re.split(r"\s*·\s*", faults.strip()) for name, faults in sections}


def rows() -> Iterator[Row]:
    """The rows of the table, each with the row of its page. Fails when one has more rows than the other."""
    answers = sections(FAULTS_PAGE) | {INPUT: sections(INPUT_PAGE)[""]}
    table = sections(TABLE)
    assert list(table) == list(answers), "the page has the sections of the table, in their order"
    for section, found in table.items():
        for (fault, held_by), answer in zip(found, answers[section], strict=True):
            rest = _PROMISE.sub("", _TEST.sub("", held_by)).replace("<br>", "").strip(" ,")
            yield Row(section, fault, answer, _TEST.findall(held_by), _PROMISE.findall(held_by), rest)


def sections(page: Path) -> dict[str, list[tuple[str, ...]]]:
    """Heading → the rows of its table, without the head of the table; "" where no heading stands before it."""
    found: dict[str, list[tuple[str, ...]]] = {}
    section = ""
    lines = page.read_text(encoding="utf-8").splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("| ") and not after.startswith("|---"):
            found.setdefault(section, []).append(tuple(cells(line)))
    return found


def cells(line: str) -> list[str]:
    """The cells of a row of a Markdown table; `\\|` is a bar."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@cache
def parsed(path: str) -> ast.Module:
    """A module of the project. Fails when there is none."""
    file = ROOT / path
    assert file.is_file(), f"{path} does not exist"
    return ast.parse(file.read_text(encoding="utf-8"))
