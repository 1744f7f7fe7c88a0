"""docs/vendors/events.md has every event that the code records, with the names in its detail, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import tillpost
from tillpost.flow.breaker import CATCHING_UP, CONFIRMING, DEGRADED, FALLBACK, ONLINE, PAUSED
from tillpost.journal import Journal
from tillpost.journal.states import State
from tillpost.journal.tables.documents import DocumentState
from tillpost.journal.tables.files import FileState
from tillpost.journal.tables.sources import SourceState
from tillpost.journal.tables.verification import HistoryState

CORE = Path(tillpost.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "vendors" / "events.md"
A_STATE = "a state"
STATES: dict[str, Iterable[str]] = {
    "state": State,
    "move.state": State,
    "State.HELD": State,
    "State.ACCEPTED": State,
    "str(state)": State,
    "destination.state": (ONLINE, DEGRADED, PAUSED, FALLBACK, CATCHING_UP, CONFIRMING),
    "source.state": SourceState,
    "f'document {state}'": DocumentState,
    "f'file {state}'": FileState,
    "f'history {history}'": HistoryState,
}
"""The expression by which code says what happened → the words it may be."""
CHOSEN = {
    "journal/tables/contact_links.py": {
        "first seen", "identifiers lead to several contacts", "another identifier of the same kind",
    },
    "journal/tables/contacts.py": {"created", "id learnt"},
    "journal/tables/replays.py": {"stopped", "resumed"},
    "journal/sqlite/doctor/receipts.py": {"row recreated", A_STATE},
    "journal/tables/steps_set_aside.py": {"raises", "set aside"},
    "journal/tables/taken_ids.py": {"already recorded under another id"},
}  # fmt: skip
"""Where the code chooses among words → the words."""


def documented() -> dict[tuple[str, str], set[str]]:
    """(step, what) of the page → the names of its detail, of every line about it."""
    found: dict[tuple[str, str], set[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 4:
            steps, words, detail = (re.findall(r"`([^`]+)`", cell) for cell in cells[:3])
            for what in [*words, *([A_STATE] if cells[1].startswith(A_STATE) else [])]:
                for step in steps:
                    found.setdefault((step, what), set()).update(detail)
    return found


def recorded() -> Iterator[tuple[str, str | None, set[str], set[str]]]:
    """Of each place that records an event: file, step (None where it is a variable), words, and names of the detail."""
    for file in sorted(CORE.rglob("*.py")):
        place = file.relative_to(CORE).as_posix()
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            of, name = ast.unparse(call.func.value), call.func.attr
            if not (of == "events" and name in ("record", "record_all", "row")) and not (
                of.endswith("journal.events") and name == "add"
            ):
                continue
            at = 2 if name in ("record", "record_all") else 1
            step, what = call.args[at], call.args[at + 1]
            about = {each.arg or "" for each in call.keywords} - {"", "receipt", "receipts", "contact"}
            yield place, step.value if isinstance(step, ast.Constant) else None, set(_words(place, what)), about  # type: ignore[misc]


def _words(place: str, what: ast.expr) -> Iterator[str]:
    said = ast.unparse(what)
    if isinstance(what, ast.Constant):
        yield str(what.value)
    elif said in STATES and STATES[said] is State:
        yield A_STATE
    elif said in STATES:
        before = said.partition("{")[0].removeprefix("f'") if said.startswith("f'") else ""
        yield from (before + each for each in STATES[said])
    else:
        yield from CHOSEN[place]


def test_every_event_that_is_recorded_stands_on_the_page_with_its_detail() -> None:
    page = documented()
    places = list(recorded())
    assert len(places) > 50
    for place, step, words, about in places:
        for what in words:
            of = (
                {one for one, other in page if other == what}
                if step is None
                else {step}
                if (step, what) in page
                else set()
            )
            assert of, f"{place}: {step} {what} is not on {PAGE.name}"
            for one in of:
                assert about <= page[one, what], (
                    f"{place}: {one} {what}: {about - page[one, what]} missing on {PAGE.name}"
                )


def test_no_other_event_stands_on_the_page() -> None:
    known = {what for _, _, words, _ in recorded() for what in words}
    assert {what for _, what in documented()} - known - {A_STATE} == set()


def test_every_step_that_moves_receipts_stands_on_the_page() -> None:
    steps = {step for step, what in documented() if what == A_STATE}
    said = re.compile(r'(?:apply_moves?|settle|insert_batch)\((?:[^()]|\([^()]*\))*?now(?:\(\))?, "(\w+)"')
    moved = {step for file in CORE.rglob("*.py") for step in said.findall(file.read_text(encoding="utf-8"))}
    assert len(moved) > 6
    assert moved - steps == set()


def test_g8_an_event_has_the_seven_keys_of_the_page(tmp_path: Path) -> None:
    keys = re.findall(r"^\| `(\w+)` \| (?:int|float|text|mapping)", PAGE.read_text(encoding="utf-8"), re.M)
    with closing(Journal(tmp_path)) as journal:
        journal.events.add(1.0, "clock", "set", seconds=3)
        [event] = journal.events.unobserved(1)
    assert sorted(event) == sorted(keys)
    assert isinstance(event["detail"], dict)


def test_every_state_is_named_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [each for each in State if f"`{each}`" not in text] == []
