"""docs/integrators/capability-matrix.md says what the adapters declare."""

from __future__ import annotations

import pytest

from tests.support.matrix import PAGE, adapters, page, suite


def test_the_page_is_what_the_code_generates() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.support.matrix"


@pytest.mark.parametrize("name", adapters())
def test_a_bundled_adapter_has_a_suite_whose_waivers_name_promises(name: str) -> None:
    waivers = suite(name).waivers
    assert set(waivers) <= set(suite(name).promises())
    assert all(reason.strip() for reason in waivers.values())
