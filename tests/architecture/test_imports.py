"""Imports go down only, and each library stays in the place that is meant for it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "tillpost"
PLUGINS = ROOT / "plugins"

LAYERS = (
    {"errors", "version"},
    {"model", "clock", "trace"},
    {"terminal"},
    {"hookspecs", "plugin"},
    {""},  # `tillpost` itself: the public names
    {"kit"},
    {"journal"},
    {"flow"},
    {"compose"},
    {"reports"},
    {"alerts", "telemetry", "support"},
    {"testing", "web"},
    {"daemon"},
    {"cli"},
    {"__main__"},
)
"""The parts of the core, lowest first; a part imports itself and those of lower layers."""

LIBRARIES = {
    "pluggy": {"hookspecs", "compose"},
    "click": {"cli", "daemon", "terminal"},
    "apsw": {"journal.sqlite"},
    "sqlite3": {"journal.sqlite"},
    "psycopg": {"journal.postgres"},
    "cattrs": {"compose"},
    "msgspec": {"model"},
    "urllib3": set[str](),
    "lxml": {"kit"},
    "asyncssh": set[str](),
    "pika": set[str](),
    "cheroot": {"web"},
    "jinja2": {"web"},
    "prometheus_client": {"telemetry"},
    "pytest": {"testing"},
}
"""Library → the parts or folders of the core that may import it; none: plugins only."""
PLUGIN_LIBRARIES = {"urllib3", "lxml", "asyncssh", "cheroot", "pika"}
EXTRAS = {"asyncssh", "cheroot", "pika"}
"""Libraries that may be missing."""


@attrs.frozen
class Import:
    """One imported module; `lazy` when it is inside a function or for type checking only."""

    module: str
    lazy: bool
    place: str


def _imports(path: Path) -> list[Import]:
    return list(_walk(ast.parse(path.read_text(encoding="utf-8")), False, path))


def _walk(node: ast.AST, lazy: bool, path: Path) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        place = f"{path.relative_to(ROOT)}:{getattr(child, 'lineno', 0)}"
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, lazy, place) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{place}: imports are absolute"
            module = child.module or ""
            yield from (
                Import(f"{module}.{alias.name}" if _is_module(f"{module}.{alias.name}") else module, lazy, place)
                for alias in child.names
            )
        else:
            checking = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(child, lazy or checking or inside, path)


def _is_module(name: str) -> bool:
    """Whether the dotted name is a module of ours (`from tillpost import model` imports one, not a value)."""
    parts = name.split(".")
    return any(
        (base.joinpath(*parts)).with_suffix(".py").is_file() or base.joinpath(*parts, "__init__.py").is_file()
        for base in (ROOT / "core", PLUGINS)
    )


def _module(path: Path, base: Path) -> str:
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _part(module: str) -> str:
    """`tillpost.journal.sqlite.store` → `journal`; `tillpost` → ``."""
    return module.split(".")[1] if "." in module else ""


def _layer(part: str) -> int:
    found = [number for number, parts in enumerate(LAYERS) if part in parts]
    assert found, f"core/tillpost/{part} has no layer in this test"
    return found[0]


CORE_FILES = sorted(CORE.rglob("*.py"))
PLUGIN_FILES = sorted(PLUGINS.rglob("*.py"))


def test_there_is_something_to_look_at() -> None:
    assert len(CORE_FILES) > 40
    assert len(PLUGIN_FILES) > 60


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda path: str(path.relative_to(CORE)))
def test_the_core_imports_itself_and_lower_layers_only(path: Path) -> None:
    own = _part(_module(path, ROOT / "core"))
    for imported in _imports(path):
        assert not imported.module.startswith("tillpost_"), f"{imported.place}: the core imports no plugin"
        if imported.module.split(".")[0] == "tillpost":
            part = _part(imported.module)
            assert part == own or _layer(part) < _layer(own), f"{imported.place}: {own} must not import {part}"


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_a_plugin_imports_public_names_and_no_other_plugin(path: Path) -> None:
    own = path.relative_to(PLUGINS).parts[0]
    for imported in _imports(path):
        top = imported.module.split(".")[0]
        assert not top.startswith("tillpost_") or top == own, f"{imported.place}: {own} must not import {top}"
        if top == "tillpost":
            assert _part(imported.module) in ("", "model", "kit", "testing"), f"{imported.place}: not a public module"


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda path: str(path.relative_to(CORE)))
def test_a_library_stays_in_its_part_of_the_core(path: Path) -> None:
    own = _module(path, ROOT / "core").removeprefix("tillpost").removeprefix(".")
    for imported in _imports(path):
        allowed = LIBRARIES.get(imported.module.split(".")[0])
        here = allowed is None or any(own == part or own.startswith(f"{part}.") for part in allowed)
        assert here, f"{imported.place}: {imported.module} does not belong here"


def test_the_tables_know_no_engine() -> None:
    """They speak to `journal/database.py`; the journal itself opens SQLite when it is given no other engine."""
    for path in CORE_FILES:
        own = _module(path, ROOT / "core")
        if own.startswith(("tillpost.journal.tables", "tillpost.journal.queries", "tillpost.journal.moves")):
            for imported in _imports(path):
                assert not imported.module.startswith("tillpost.journal.sqlite"), imported.place


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_a_plugin_leaves_the_libraries_of_the_core_alone(path: Path) -> None:
    for imported in _imports(path):
        top = imported.module.split(".")[0]
        assert top not in LIBRARIES or top in PLUGIN_LIBRARIES, f"{imported.place}: {top} belongs to the core"


@pytest.mark.parametrize("library", sorted(EXTRAS))
def test_an_optional_library_is_imported_only_when_something_is_built(library: str) -> None:
    """A module that has it at its top may itself be imported only inside functions, or by such a module."""
    eager = {_module(path, PLUGINS): [each for each in _imports(path) if not each.lazy] for path in PLUGIN_FILES}
    having = {name for name, found in eager.items() if any(each.module.split(".")[0] == library for each in found)}
    for name, found in eager.items():
        if name not in having:
            for each in found:
                assert each.module not in having, (
                    f"{each.place}: import {each.module} inside the function that needs it"
                )
    named = {point.module for group in ("tillpost.plugins", "tillpost.tools") for point in entry_points(group=group)}
    assert not having & named


def _loaded(code: str) -> set[str]:
    """The top-level modules a fresh interpreter has after the code."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_tillpost_loads_no_library_of_journal_or_plugins() -> None:
    loaded = _loaded("import tillpost\nfor name in tillpost.__all__: getattr(tillpost, name)")
    assert {"tillpost", "pluggy"} <= loaded
    assert not loaded & {"lxml", "urllib3", "apsw", "http", "ssl", "cattrs", "msgspec", *EXTRAS}


def test_the_kit_loads_no_lxml_until_its_xml_is_imported() -> None:
    loaded = _loaded("import tillpost.kit\nfor name in tillpost.kit.__all__: getattr(tillpost.kit, name)")
    assert "tillpost" in loaded
    assert not loaded & {"lxml", "urllib3", "apsw", "cattrs", "msgspec", *EXTRAS}
    assert "lxml" in _loaded("import tillpost.kit.xml")


def test_the_launcher_starts_with_nothing_but_click() -> None:
    """What a shell waits for at each `tillpost --version` and `--help`."""
    loaded = _loaded(
        "import contextlib, io, sys\nfrom tillpost.cli import cli\nsys.argv = ['tillpost', '--help']\n"
        "with contextlib.redirect_stdout(io.StringIO()) as said: cli(standalone_mode=False)\n"
        "assert 'receipts' in said.getvalue()"
    )
    assert {"tillpost", "click"} <= loaded
    assert not loaded & {"attr", "attrs", "pluggy", "apsw", "lxml", "urllib3", "zoneinfo", "email", "msgspec"}


@pytest.mark.parametrize("point", sorted(entry_points(group="tillpost.plugins")), ids=lambda point: str(point.name))
def test_naming_a_plugin_does_not_need_the_extra(point: object) -> None:
    module = getattr(point, "module", "")
    loaded = _loaded(f"import {module}")
    assert module.split(".")[0] in loaded
    assert not loaded & EXTRAS


def test_no_test_module_is_imported_by_another() -> None:
    """What several share stands in tests/support, or in a conftest.py as a fixture."""
    found = re.compile(r"^\s*(?:from|import) tests\.[\w.]*\btest_\w+", re.M)
    files = (ROOT / "tests").rglob("*.py")
    assert [str(path) for path in files if found.search(path.read_text(encoding="utf-8"))] == []
