"""Every recipe stands in the list, and a test runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.recipe import RECIPES

PAGES = sorted(path.name for path in RECIPES.glob("*.md") if path.name != "README.md")


@pytest.mark.parametrize("page", PAGES)
def test_a_recipe_is_listed_and_run(page: str) -> None:
    assert f"]({page})" in (RECIPES / "README.md").read_text(encoding="utf-8")
    tests = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    assert any(f'Recipe("{page}"' in text for text in tests), f"no test in tests/recipes runs {page}"
