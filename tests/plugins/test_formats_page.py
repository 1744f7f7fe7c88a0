"""docs/integrators/formats.md says what the READMEs of the adapters say of their formats."""

from __future__ import annotations

import pytest

from tests.support.formats import COLUMNS, PAGE, formats, page
from tests.support.matrix import adapters


def test_the_page_is_what_the_readmes_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.support.formats"


@pytest.mark.parametrize("name", adapters())
def test_an_adapter_names_its_formats_with_what_it_reads_and_holds(name: str) -> None:
    rows = [row.strip("|").split("|") for row in formats(name)]
    assert rows, (
        "the README has no table that begins with | format | vendors met | what is read | what is held, and why |"
    )
    for row in rows:
        assert len(row) == COLUMNS, row
        assert row[0].strip(), row
