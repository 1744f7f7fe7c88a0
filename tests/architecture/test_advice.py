"""Advice: every command that a message, a page or an alert names exists, and each that moves receipts is carried out by
a test, so that no advice doubles, loses or strands a sale."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tillpost.cli import COMMANDS

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "core").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
PAGES = sorted(
    [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/operators").glob("*.md"), *(ROOT / "docs/integrators").glob("*.md")]
)
_ADVICE = re.compile(r"`tillpost ([^`]+)`")

READING = {
    "init", "check", "status", "metrics", "top", "day", "plan", "receipt", "receipts", "gaps", "diff", "bundle",
    "plugins", "sandbox", "demo", "drill", "account", "alerts", "held", "held list", "held show", "stranded",
    "stranded list", "alerts test", "drill outage", "contacts pending", "mapping", "mapping show", "contacts",
    "contacts list", "contacts conflicts", "contacts joined", "documents", "documents list", "documents show", "files",
    "files list", "files show", "replay", "replay list", "replay show", "journal", "journal verify",
    "journal losses", "journal stats", "journal export", "journal backup",
    "adapter", "adapter preset", "adapter sample", "adapter try", "plugin", "plugin new", "plugin test",
}  # fmt: skip
"""Commands that move no receipt."""

CARRIED_OUT = {
    "run": "tests/scenarios/test_kill.py::",
    "reload": "tests/scenarios/test_reload.py::test_reloads_under_load_lose_nothing_and_send_nothing_twice",
    "accept": "tests/scenarios/test_ways_out.py::test_b32_no_advice_that_moves_receipts_doubles_a_sale",
    "held retry": "tests/scenarios/test_ways_out.py::test_b32_no_advice_that_moves_receipts_doubles_a_sale",
    "held correct": "tests/scenarios/test_ways_out.py::test_b14_b28_each_way_out_of_a_change_after_delivery_works",
    "held return": "tests/scenarios/test_ways_out.py::test_t6_b28_a_void_after_delivery_is_told_and_answered",
    "held discard": "tests/scenarios/test_ways_out.py::test_t6_b28_a_void_after_delivery_is_told_and_answered",
    "stranded move": "tests/scenarios/test_ways_out.py::test_b32_no_advice_that_moves_receipts_doubles_a_sale",
    "replay start": "tests/scenarios/test_ways_out.py::test_b32_no_advice_that_moves_receipts_doubles_a_sale",
    "replay stop": "tests/core/flow/upkeep/test_replay.py::",
    "replay resume": "tests/scenarios/test_replay.py::",
    "files resend": "tests/core/cli/test_files.py::",
    "documents retry": "tests/scenarios/test_doors.py::",
    "documents discard": "tests/scenarios/test_doors.py::",
    "mapping release": "tests/scenarios/test_mapping_guard.py::",
    "contacts resolve": "tests/scenarios/test_contacts.py::",
    "contacts separate": "tests/core/journal/tables/test_contact_links.py::",
    "contacts recheck": "tests/core/cli/test_commands.py::",
    "contacts forget": "tests/core/cli/test_contacts.py::",
    "journal repair": "tests/scenarios/test_ways_out.py::test_b32_no_advice_that_moves_receipts_doubles_a_sale",
    "journal restore": "tests/scenarios/test_backup.py::",
    "journal recover": "tests/scenarios/test_restored.py::",
    "journal compact": "tests/core/cli/test_journal.py::",
}
"""Command → the test that carries it out; "" behind the colons: all of the file is about it."""

MISLEADING = (
    r"[Cc]hange `?receipt_id", r"so that the two differ", r"another `?receipt_id", r"[Dd]elete the journal",
    r"[Rr]emove the state folder",
)  # fmt: skip
"""Advice that has doubled a day, or would."""


def _texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text of a module but docstrings, with `{…}` in place of values."""
    docs = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if id(node) in docs or id(node) in inside:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "VALUE" for part in node.values)
            yield node.lineno, "".join(map(str, parts))


def _advice() -> dict[str, str]:
    """What is advised → one place where it is."""
    found: dict[str, str] = {}
    for path in SOURCES:
        for number, text in _texts(ast.parse(path.read_text(encoding="utf-8"))):
            for advice in _ADVICE.findall(text):
                found.setdefault(advice, f"{path.relative_to(ROOT)}:{number}")
    for path in PAGES:
        for advice in _ADVICE.findall(path.read_text(encoding="utf-8")):
            found.setdefault(" ".join(advice.split()), str(path.relative_to(ROOT)))
    return found


ADVICE = _advice()


def _commands(group: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(words), group
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from _commands(command, (*words, name))


ALL = {
    words: command
    for name in COMMANDS
    for words, command in _commands(importlib.import_module(f"tillpost.cli.{name}").command, (name,))
}


def _named(advice: str) -> str:
    """The longest command the advice begins with; "" for none."""
    words = advice.split()
    return next((name for n in (3, 2, 1) if (name := " ".join(words[:n])) in ALL), "")


def test_there_is_advice_to_look_at() -> None:
    assert len(ADVICE) > 60
    assert "held list" in ADVICE


@pytest.mark.parametrize("advice", sorted(ADVICE))
def test_what_is_advised_is_a_command_with_its_options(advice: str) -> None:
    if advice.startswith(("COMMAND", "VALUE", "--", "…")):
        return
    name = _named(advice)
    assert name, f"`tillpost {advice}` ({ADVICE[advice]}) is no command"
    known = {option for param in ALL[name].params for option in param.opts} | {"--help", "-h"}
    if isinstance(ALL[name], click.Group):
        rest = advice.removeprefix(name).split()
        assert not rest or rest[0].startswith(("-", "…", "NAME", "VALUE")), f"{ADVICE[advice]}: {advice}"
    for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", advice):
        assert option in known, f"`tillpost {advice}` ({ADVICE[advice]}) has no {option}"


def test_every_command_that_is_advised_reads_or_is_carried_out_by_a_test() -> None:
    unknown = {_named(advice) for advice in ADVICE} - READING - CARRIED_OUT.keys() - {""}
    assert not unknown, f"say in this file whether they move receipts, and which test carries them out: {unknown}"


@pytest.mark.parametrize("command", sorted(set(CARRIED_OUT) & set(ALL)))
def test_the_test_that_carries_a_command_out_is_there(command: str) -> None:
    file, _, name = CARRIED_OUT[command].partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    if name:
        assert re.search(rf"^def {name}\(", text, re.M), CARRIED_OUT[command]
    assert command.split()[-1] in text, f"{file} does not name {command}"


@pytest.mark.parametrize("misleading", MISLEADING)
def test_nothing_advises_what_doubles_or_loses(misleading: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {text[:80]}"
        for path in SOURCES
        for number, text in _texts(ast.parse(path.read_text(encoding="utf-8")))
        if re.search(misleading, text)
    ]
    assert not found, "\n".join(found)
