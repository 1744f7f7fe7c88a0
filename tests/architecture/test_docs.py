"""The docs say what the code says: hooks, errors and states, in both directions; the glossary stays short."""

from __future__ import annotations

import inspect
import re
from enum import StrEnum
from pathlib import Path

import pytest

from tillpost import errors
from tillpost.compose.hook_faults import HOOKS, ONE_OF
from tillpost.flow.breaker import STATES
from tillpost.hookspecs import Hooks
from tillpost.journal import ANOTHER_TENANT, GIVEN_AWAY, MOVES, REPLAYS, VERIFICATIONS, FileState, State
from tillpost.journal.tables import replays

DOCS = Path(__file__).parents[2] / "docs"


MOST_WORDS = 60
"""Words of our own a reader may have to learn."""


def _headings(page: str) -> list[str]:
    return re.findall(r"^## `([^`]+)`$", (DOCS / page).read_text(encoding="utf-8"), re.M)


def _section(page: str, heading: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found is not None, f"{page} has no heading {heading}"
    return found[1]


def _signatures() -> dict[str, str]:
    """Hook → its name with its arguments, in the order of hookspecs.py."""
    return {
        name: f"{name}({', '.join(list(inspect.signature(hook).parameters)[1:])})"
        for name, hook in vars(Hooks).items()
        if inspect.isfunction(hook)
    }


def test_every_hook_stands_in_order_with_its_exact_arguments() -> None:
    assert _headings("hooks.md") == list(_signatures().values())


@pytest.mark.parametrize("slot", HOOKS)
def test_a_hook_names_its_slot_and_whether_the_slot_needs_it(slot: str) -> None:
    needed, optional = HOOKS[slot]
    for hook in (*needed, *optional):
        said = "needed" if hook in needed else "one of two" if hook in ONE_OF.get(slot, ()) else "optional"
        assert f"Slot `{slot}`, {said}." in _section("hooks.md", f"`{_signatures()[hook]}`")


def test_every_error_stands_in_order_with_its_base() -> None:
    classes = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.TillpostError)
    ]
    assert _headings("errors.md") == [each.__name__ for each in classes]
    for each in classes[1:]:
        assert re.search(rf"An? `{each.__bases__[0].__name__}`\.", _section("errors.md", f"`{each.__name__}`"))


def _drawing(heading: str) -> set[tuple[str, str]]:
    """The arrows of the state diagram below a heading, aliases spelt out."""
    block = re.search(r"^```mermaid\nstateDiagram-v2\n(.*?)^```$", _section("states.md", heading), re.M | re.S)
    assert block is not None, heading
    aliases = {short: name for name, short in re.findall(r'state "([^"]+)" as (\w+)', block[1])}
    arrows = re.findall(r"^\s*(\S+) --> ([^\s:]+)", block[1], re.M)
    return {(aliases.get(old, old), aliases.get(new, new)) for old, new in arrows if "[*]" not in (old, new)}


def _rows(heading: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", _section("states.md", heading), re.M)


def test_the_drawing_of_receipts_has_the_allowed_moves_and_no_other() -> None:
    drawn = [*MOVES.items(), *REPLAYS.items(), *VERIFICATIONS.items(), *ANOTHER_TENANT.items(), *GIVEN_AWAY.items()]
    assert _drawing("Receipt") == {(old, new) for old, moves in drawn for new in moves}


def test_what_only_a_replay_may_do_is_drawn_as_its_move() -> None:
    text = _section("states.md", "Receipt")
    drawn = set(re.findall(r"^    (\w+) --> (\w+): replay", text, re.M))
    assert drawn == {(old, new) for old, moves in REPLAYS.items() for new in moves}


def test_what_only_the_verification_may_do_is_drawn_as_its_move() -> None:
    text = _section("states.md", "Receipt")
    drawn = set(re.findall(r"^    (\w+) --> (\w+): verification", text, re.M))
    assert drawn == {(old, new) for old, moves in VERIFICATIONS.items() for new in moves}


def test_the_table_of_replays_is_whole() -> None:
    assert _rows("Replay") == [replays.RUNNING, replays.STOPPED, replays.DONE]


@pytest.mark.parametrize(("heading", "states"), [("Receipt", State), ("File", FileState)])
def test_the_table_of_states_is_whole(heading: str, states: type[StrEnum]) -> None:
    assert _rows(heading) == [str(state) for state in states]


def test_the_destination_stands_with_every_state_in_table_and_drawing() -> None:
    assert tuple(_rows("Destination")) == STATES
    assert {state for arrow in _drawing("Destination") for state in arrow} == set(STATES)


def test_the_glossary_is_short_sorted_and_its_words_are_used() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", text, re.M)[1:]  # without the table's head
    assert len(words) == len(re.findall(r"^\| ", text, re.M)) - 1
    assert 1 < len(words) <= MOST_WORDS
    assert words == sorted(set(words), key=str.lower)
    pages = [page for page in DOCS.rglob("*.md") if page.name != "glossary.md"]
    prose = "\n".join(page.read_text(encoding="utf-8") for page in pages).lower()
    for word in ", ".join(words).split(", "):
        assert re.search(rf"\b{re.escape(word.lower())}s?\b", prose), f"no page uses {word}"


def test_every_path_the_contributing_page_names_exists() -> None:
    text = (DOCS / "contributing.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:core|plugins|tests|docs)/[^`\s]+)`", text)
    assert [path for path in paths if not (DOCS.parent / path).exists()] == []
    answers = re.findall(r"^\| Where .*\? \| (.+) \|$|^\| What .*\? \| (.+) \|$", text, re.M)
    assert len(answers) == 10
    assert all(re.search(r"`core/tillpost/[^`]+`", first or second) for first, second in answers)
