"""The example of the vendor guide: a stranger's plugin, on its own samples."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import tillpost_corner
from tillpost_corner import promises

EXAMPLE = Path(__file__).parents[2] / "docs" / "vendors" / "example"
ALLOWED = {"tillpost", "tillpost.kit", "tillpost.kit.xml", "tillpost.model", "tillpost.testing"}


class TestCornerAsOurs(promises.TestCorner):
    """The suite of the example, without installing it."""

    plugin = tillpost_corner.plugin  # type: ignore[assignment] # by value: it is not installed here
    samples = Path(promises.__file__).parent / "samples"


@pytest.mark.parametrize("path", sorted(EXAMPLE.rglob("*.py")), ids=lambda path: path.name)
def test_it_imports_nothing_of_ours_but_what_is_public(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            continue
        for module in modules:
            top = module.partition(".")[0]
            assert top in {"tillpost_corner", "attrs", "tillpost"} | sys.stdlib_module_names, f"{path.name}: {module}"
            assert top != "tillpost" or module in ALLOWED, f"{path.name}: {module} is not public"


def test_g6_it_reads_json_with_what_the_kit_recommends() -> None:
    imported = {
        alias.name
        for path in (EXAMPLE / "tillpost_corner").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "tillpost.kit"
        for alias in node.names
    }
    assert {"json_records", "parse_clean_json", "JsonObject", "read_record"} <= imported
