"""Bugs met in the field, planted one by one in a small adapter: the promise named for each is broken by it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.core.testing.till import BUGS, Adapter, Settings, SmallTillPromises, plugin
from tillpost import Context, hookimpl, simple
from tillpost.clock import SystemClock
from tillpost.model import Document, Parsed

SOMEBODY = "somebody's name"


def broken_promises(suite: type[SmallTillPromises], folder: Path) -> dict[str, str]:
    """What the suite says of each promise that is not kept."""
    found = {}
    for promise in suite.promises():
        method = getattr(suite(), f"test_{promise}")
        wants = [folder / promise] if "tmp_path" in method.__code__.co_varnames else []
        try:
            method(*wants)
        except pytest.fail.Exception as failure:
            found[promise] = str(failure)
    return found


class TestSmallTill(SmallTillPromises):
    """The sound adapter keeps every promise, without a waiver."""


class TestOneADocument(SmallTillPromises):
    """As for a format whose documents hold one receipt: no sample `day` is asked for."""

    numbers = ("1001",)

    def sample(self, promise: str) -> bytes | None:
        if promise == "broken_id":
            return (super().sample("sale") or b"").replace(b'"1001"', b'"4.67E+10"')
        if promise == "bad_amount":
            return (super().sample("sale") or b"").replace(b'"price": "50', b'"price": "abc')
        return None if promise == "day" else super().sample(promise)


@pytest.mark.parametrize("bug", BUGS)
def test_t2_t4_t5_t6_a_planted_bug_breaks_the_promise_named_for_it(bug: str, tmp_path: Path) -> None:
    found = broken_promises(type("Mutated", (SmallTillPromises,), {"plugin": plugin(bug)}), tmp_path)
    assert BUGS[bug] in found, f"{bug} is not seen; broken are: {found}"
    assert found[BUGS[bug]].startswith(f"promise `{BUGS[bug]}`: ")


def test_an_adapter_that_raises_on_a_damaged_file_is_named(tmp_path: Path) -> None:
    class Raising:
        @hookimpl
        def parse_receipts(self, document: Document) -> Iterator[Parsed]:
            yield from small.parse_receipts(document)
            if document.name == "damaged":
                raise IndexError(SOMEBODY)

    small = Adapter(Settings(timezone=ZoneInfo("Europe/Stockholm")), context(tmp_path))
    raising = simple("raises", "adapter", Settings, lambda _settings, _context: Raising())
    found = broken_promises(type("Raises", (SmallTillPromises,), {"plugin": raising}), tmp_path)
    assert {"cut_file", "empty_file"} <= set(found)
    assert "parse_receipts raised IndexError" in found["cut_file"]
    assert SOMEBODY not in found["cut_file"]
    assert "in parse_receipts: raise IndexError(SOMEBODY)" in found["cut_file"], "the line of the plugin"


def context(folder: Path) -> Context:
    return Context(
        pipeline="p",
        folder=folder,
        state=folder,
        clock=SystemClock(),
        random=random.Random(1),
        budget=lambda *_: pytest.fail("an adapter needs no budget"),
    )
