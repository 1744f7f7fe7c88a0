"""Every fault of the list has tests that exist and speak of it, and a row in the page of those whom it concerns."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.faults import FAULTS_PAGE, INPUT, INPUT_PAGE, Row, listed, parsed, rows
from tests.support.matrix import adapters, suite
from tillpost.testing import AdapterSuite

ROWS = list(rows())
XML = {"poslog", "saft-cash", "digital-receipt"}
JSON = {"lightspeed", "receipts", "shopify", "square", "zettle", "table"}
ZIP = {"dsfinvk"}
CONCERNS = {
    "every adapter": XML | JSON | ZIP,
    "XML": XML,
    "JSON": JSON,
    "`folder`": {"folder"},
    "the journal": {"journal"},
}
COVERS = {
    "tests/plugins/tillpost_poslog/": {"poslog"},
    "tests/plugins/xml_adapters/": {"poslog", "saft-cash", "digital-receipt"},
    "tests/plugins/tillpost_dsfinvk/": {"dsfinvk"},
    "tests/plugins/tillpost_receipts/": {"receipts"},
    "tests/plugins/tillpost_table/": {"table"},
    "tests/plugins/test_bad_input.py": {"lightspeed", "shopify", "square", "zettle", "table"},
    "tests/plugins/test_large_input.py": {"lightspeed", "receipts", "shopify", "square", "zettle"},
    "tests/plugins/tillpost_folder/": {"folder", "journal"},
    "tests/core/": {"journal"},
}
"""Beginning of a test's path → what its tests are about."""


def test_every_fault_of_the_list_has_its_row_in_its_words() -> None:
    """A fault that is added, taken out or worded otherwise there must be so here: word by word, in order."""
    there: dict[str, list[str]] = {}
    for row in ROWS:
        there.setdefault(row.section, []).append(row.fault)
    assert there == listed()


def test_the_pages_for_readers_name_no_test() -> None:
    for page in (FAULTS_PAGE, INPUT_PAGE):
        assert "tests/" not in page.read_text(encoding="utf-8")


def test_the_page_of_bad_input_speaks_of_every_bundled_adapter() -> None:
    assert set(adapters()) == XML | JSON | ZIP


def _words_of(path: str, name: str) -> str:
    """What a test says of itself: its name, its docstring and that of its module. Fails when there is no such test."""
    tree = parsed(path)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name]
    assert found, f"{path} has no {name}"
    return " ".join([name, ast.get_docstring(found[0]) or "", ast.get_docstring(tree) or ""])


def _stems(text: str) -> set[str]:
    """Words of four letters and more, by their first five: `renamed` speaks of a `rename`."""
    return {word[:5] for word in re.findall(r"[a-zåäö0-9]{4,}", text.lower().replace("_", " "))}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_names_tests_that_exist(row: Row) -> None:
    assert all(row.answer), "a row says what Tillpost does"
    assert row.tests, "a row names a test"
    assert row.rest == "", "and nothing but tests and promises"
    assert len(set(row.tests)) == len(row.tests)
    assert set(row.promises) <= set(AdapterSuite.promises())
    for path, name in row.tests:
        assert _words_of(path, name)


@pytest.mark.parametrize("row", [row for row in ROWS if row.section != INPUT], ids=str)
def test_the_tests_of_a_row_speak_of_it(row: Row) -> None:
    words = _stems(row.fault) | _stems(" ".join(row.answer))
    for path, name in row.tests:
        said = _stems(_words_of(path, name))
        assert len(said & words) >= 2, f"{path}::{name} does not say that it is about this"


def _with_suite() -> set[str]:
    """The adapters that bring the suite: each keeps a promise or waives it with a reason, which their tests hold."""
    found = set()
    for name in adapters():
        try:
            suite(name)
        except ModuleNotFoundError:
            continue
        found.add(name)
    return found


@pytest.mark.parametrize("row", [row for row in ROWS if row.section == INPUT], ids=str)
def test_a_row_of_bad_input_has_tests_for_all_whom_it_concerns(row: Row) -> None:
    covered = _with_suite() if row.promises else set()
    for path, _ in row.tests:
        [subject] = [subject for start, subject in COVERS.items() if path.startswith(start)]
        covered |= subject
    concerned = CONCERNS[row.answer[1]]
    assert covered >= concerned, f"nothing is said of {concerned - covered}"


def test_there_are_as_many_rows_as_faults_were_met() -> None:
    assert len(ROWS) > 60
