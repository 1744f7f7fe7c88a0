"""docs/integrators/bad-input.md is whole: every line of the section Input, each with tests for all whom it concerns."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs
import pytest

from tests.support.faults import ROOT, cells, functions_of, listed
from tests.support.matrix import adapters, suite
from tillpost.testing import AdapterSuite

PAGE = ROOT / "docs" / "integrators" / "bad-input.md"
XML = {"poslog", "saft-no", "digital-receipt"}
JSON = {"receipts", "shopify", "zettle", "table"}
CONCERNS = {"every adapter": XML | JSON, "XML": XML, "JSON": JSON, "`folder`": {"folder"}, "the journal": {"journal"}}
COVERS = {
    "tests/plugins/tillpost_poslog/": {"poslog"},
    "tests/plugins/xml_adapters/": {"saft-no", "digital-receipt"},
    "tests/plugins/tillpost_receipts/": {"receipts"},
    "tests/plugins/tillpost_table/": {"table"},
    "tests/plugins/test_bad_input.py": {"shopify", "zettle", "table"},
    "tests/plugins/test_large_input.py": {"receipts", "shopify", "zettle"},
    "tests/plugins/tillpost_folder/": {"folder", "journal"},
    "tests/core/": {"journal"},
}
"""Beginning of a test's path → what its tests are about."""
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_PROMISE = re.compile(r"promise `(\w+)`")


@attrs.frozen
class Row:
    """One line of the section, whom it concerns, what happens, and the cell that names tests and promises."""

    fault: str
    concerns: str
    happens: str
    held_by: str

    def __str__(self) -> str:
        return self.fault[:40]


def _rows() -> Iterator[Row]:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| fault |"):
            yield Row(*cells(line))


ROWS = list(_rows())


def test_every_line_of_the_section_input_has_its_row_in_its_words() -> None:
    assert [row.fault for row in ROWS] == listed()["Input"]


def test_the_page_speaks_of_every_bundled_adapter() -> None:
    assert set(adapters()) == XML | JSON


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


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_names_tests_and_promises_for_all_whom_it_concerns(row: Row) -> None:
    assert row.happens, "a row says what happens"
    tests, promises = _TEST.findall(row.held_by), _PROMISE.findall(row.held_by)
    rest = _PROMISE.sub("", _TEST.sub("", row.held_by)).replace("<br>", "").strip(" ,")
    assert rest == "", "the last cell has tests and promises, and nothing else"
    assert len(set(tests)) == len(tests)
    assert set(promises) <= set(AdapterSuite.promises())
    covered = _with_suite() if promises else set()
    for path, name in tests:
        assert name in functions_of(path), f"{path} has no {name}"
        [subject] = [subject for start, subject in COVERS.items() if path.startswith(start)]
        covered |= subject
    assert covered >= CONCERNS[row.concerns], f"nothing is said of {CONCERNS[row.concerns] - covered}"
