"""A person who writes a plugin needs no file of the core: what they are shown and what they need is public."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, get_args, get_type_hints

import pytest

import tillpost.hookspecs
import tillpost.kit
import tillpost.kit.xml
import tillpost.model
import tillpost.plugin
import tillpost.testing

ROOT = Path(__file__).parents[2]
VENDORS = ROOT / "docs" / "vendors"
TEMPLATE = ROOT / "core" / "tillpost" / "cli" / "plugin" / "template"
PUBLIC = ("tillpost", "tillpost.model", "tillpost.kit", "tillpost.testing")
ROOMS_OF_THE_KIT = ("files", "network", "settings", "transfer", "xml")
"""Modules of the kit that are imported by their own name: what they need, not every plugin needs."""


def _python_blocks(page: Path) -> str:
    """The code of a page, parts of functions among it: only the lines that import."""
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    return "\n".join(blocks)


def _shown() -> Iterator[tuple[str, str]]:
    """Every piece of code a vendor is shown, by its place."""
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if "decisions" not in page.parts and "changes" not in page.parts:
            yield str(page.relative_to(ROOT)), _python_blocks(page)
    for path in sorted(VENDORS.rglob("*.py")):
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in sorted(TEMPLATE.rglob("*.py.template")):
        text = path.read_text(encoding="utf-8").replace("__PACKAGE__", "tillpost_mine").replace("__CLASS__", "Mine")
        yield str(path.relative_to(ROOT)), text


SHOWN = {place: code for place, code in _shown() if "import" in code}
_IMPORT = re.compile(r"^ *(?:from (tillpost[\w.]*) import (?:\(([^)]*)\)|(.*))|import (tillpost[\w.]*).*)$", re.M)


def _imports(code: str) -> Iterator[tuple[str, str]]:
    """Module and name of each import of ours; "" for a module as a whole. Whole files and parts of them alike."""
    for module, several, line, whole in _IMPORT.findall(code):
        if whole:
            yield whole, ""
        for name in re.findall(r"(\w+)(?: as \w+)?(?:,|$)", re.sub(r"#.*|\s*\n\s*", "", several or line).strip()):
            yield module, name


def _fault(module: str, name: str) -> str:
    """Why a vendor cannot rely on this import; "" when they can."""
    if not module.startswith("tillpost.") and module != "tillpost":
        return ""  # a distribution of its own, such as the example
    if module in PUBLIC:
        public = importlib.import_module(module)
        return "" if not name or name in public.__all__ else f"{module} has no public name {name}"
    room = module.removeprefix("tillpost.kit.")
    if not module.startswith("tillpost.kit.") or room not in ROOMS_OF_THE_KIT:
        return f"{module} is not public"
    return "" if hasattr(importlib.import_module(module), name or "__name__") else f"{module} has no {name}"


@pytest.mark.parametrize("place", SHOWN)
def test_code_that_a_vendor_is_shown_imports_public_names_only(place: str) -> None:
    assert [fault for module, name in _imports(SHOWN[place]) if (fault := _fault(module, name))] == []


def test_every_name_that_a_vendor_may_use_or_is_shown_stands_on_a_page_for_vendors() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in VENDORS.glob("*.md"))
    marked = " ".join(re.findall(r"`[^`\n]+`|^#+ .*$", pages, re.M))
    shown = {name for code in SHOWN.values() for module, name in _imports(code) if module.startswith("tillpost.kit.")}
    public = {name for module in PUBLIC for name in importlib.import_module(module).__all__}
    assert {name for name in shown | public if name and not re.search(rf"\b{name}\b", marked)} == set()


def test_the_code_of_every_slot_recipe_and_example_is_among_what_is_looked_at() -> None:
    slots = {place.split("/")[5] for place in SHOWN if place.startswith("core/tillpost/cli/plugin/template/")}
    assert slots == {folder.name for folder in TEMPLATE.iterdir()} - {"common"}
    assert slots == set(tillpost.plugin.SLOTS)
    recipes = (ROOT / "docs" / "recipes").glob("*.md")
    with_code = {
        str(page.relative_to(ROOT)) for page in recipes if re.search(r"^ *(?:from|import) ", page.read_text(), re.M)
    }
    assert with_code <= set(SHOWN)
    for page in VENDORS.glob("*.md"):
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
        assert [kind for kind, code in blocks if _IMPORT.search(code) and kind != "python"] == [], page.name


def test_g11_the_policy_names_each_room_that_is_public() -> None:
    policy = (VENDORS / "stability.md").read_text(encoding="utf-8")
    public = policy.partition("Everything else")[0]
    for room in (*PUBLIC, "tillpost.kit.xml", *(f".{room}" for room in ROOMS_OF_THE_KIT if room != "xml")):
        assert f"`{room}`" in public, room
    assert "deprecated for at least one minor version" in policy
    assert "Hooks may gain arguments" in policy
    assert "(stability.md)" in (VENDORS / "README.md").read_text(encoding="utf-8")


def test_the_code_is_found() -> None:
    assert {"docs/vendors/example/tillpost_corner/order.py"} <= set(SHOWN)
    assert any(place.endswith("source/package/source.py.template") for place in SHOWN)
    assert list(
        _imports("from tillpost.kit import (\n    adapter,\n    spread,  # why\n)\nimport tillpost.model\n")
    ) == [
        ("tillpost.kit", "adapter"),
        ("tillpost.kit", "spread"),
        ("tillpost.model", ""),
    ]
    assert _fault("tillpost.flow.line", "Line") == "tillpost.flow.line is not public"
    assert _fault("tillpost", "hookspec") == "tillpost has no public name hookspec"
    assert _fault("tillpost.kit.record", "read_record") == "tillpost.kit.record is not public"


def test_files_that_are_shown_whole_import_nothing_else_than_they_declare() -> None:
    for place, code in SHOWN.items():
        if place.endswith(".md"):
            continue
        for node in ast.walk(ast.parse(code)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for top in {name.partition(".")[0] for name in names}:
                known = {"tillpost", "tillpost_mine", "tillpost_corner", "attrs", "pytest"} | sys.stdlib_module_names
                assert top in known, f"{place}: {top} is in no `dependencies` of it"


def test_g12_no_code_that_is_shown_hides_the_faults_of_its_author() -> None:
    hiding = re.compile(
        r"except\b[^:]*\b(?:Exception|BaseException|AttributeError|TypeError|KeyError|NameError)\b|except:"
    )
    assert hiding.search("except (AttributeError, TypeError) as error:")
    assert [place for place, code in SHOWN.items() if hiding.search(code)] == []


@pytest.mark.parametrize("page", sorted(VENDORS.glob("*.md")), ids=lambda page: page.name)
def test_no_page_for_vendors_sends_them_into_the_core(page: Path) -> None:
    assert re.findall(r"core/tillpost[\w/.]*", page.read_text(encoding="utf-8")) == []


def _classes(hint: Any) -> Iterator[type]:
    """The classes of ours that a type is made of."""
    for part in get_args(hint):
        yield from _classes(part)
    if isinstance(hint, type) and hint.__module__.partition(".")[0] == "tillpost":
        yield hint


def _types_of_hooks() -> Iterator[tuple[str, type]]:
    for name, hook in vars(tillpost.hookspecs.Hooks).items():
        if not name.startswith("_"):
            for hint in get_type_hints(hook).values():
                yield from ((name, each) for each in _classes(hint))


def _is_public(kind: type) -> bool:
    modules: tuple[ModuleType, ...] = (tillpost, tillpost.model, tillpost.kit, tillpost.testing)
    return any(kind.__name__ in module.__all__ for module in modules)


def test_every_type_of_a_hook_has_a_public_name() -> None:
    types = set(_types_of_hooks())
    assert len(types) > 40
    assert {f"{hook}: {kind.__name__}" for hook, kind in types if not _is_public(kind)} == set()


def test_every_type_of_what_a_plugin_declares_and_is_given_has_a_public_name() -> None:
    given = [tillpost.plugin.Plugin, tillpost.plugin.Context, tillpost.plugin.Use]
    hints = [hint for each in given for hint in get_type_hints(each).values()]
    hints += [hint for each in given for member in vars(each).values() if callable(member) for hint in _hints(member)]
    assert {kind.__name__ for hint in hints for kind in _classes(hint) if not _is_public(kind)} == set()


def _hints(member: Any) -> list[Any]:
    try:
        return list(get_type_hints(member).values())
    except (NameError, TypeError):
        return []


def test_the_unions_of_the_model_are_made_of_public_names() -> None:
    unions = {name: value for name, value in vars(tillpost.model).items() if isinstance(value, UnionType)}
    assert unions
    for name, union in unions.items():
        assert all(_is_public(kind) for kind in _classes(union)), name
    assert typing.get_args(tillpost.model.Outcome)
