"""Ten bugs met in the field, planted one by one in a small adapter: the promise named for each is broken by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.testing.till import BUGS, SmallTillPromises, plugin


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
        if promise == "bad_amount":
            return (super().sample("sale") or b"").replace(b'"price": "50', b'"price": "abc')
        return None if promise == "day" else super().sample(promise)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_breaks_the_promise_named_for_it(bug: str, tmp_path: Path) -> None:
    found = broken_promises(type("Mutated", (SmallTillPromises,), {"plugin": plugin(bug)}), tmp_path)
    assert BUGS[bug] in found, f"{bug} is not seen; broken are: {found}"
    assert found[BUGS[bug]].startswith(f"promise `{BUGS[bug]}`: ")
