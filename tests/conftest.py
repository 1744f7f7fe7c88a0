"""How the tests run: their examples, the order of the files, the number of processes, and what they measured."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator

import pytest
from hypothesis import settings

_NAME = "measured"

# The same examples at every run. `--hypothesis-profile=search` draws new ones; what it finds becomes an `@example`.
settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("search", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("fixed")


def pytest_xdist_auto_num_workers() -> int | None:
    """Two processes a core: half of the tests wait for servers most of the time."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Bytecode of what is imported here is kept, where PYTHONDONTWRITEBYTECODE is set too.

    Each of the hundreds of processes that tests start would compile the program anew, which is 0.2 s of its 0.5.
    Those processes themselves keep to the setting: a module a test writes twice in a second is never read as it was.
    """
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = before


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The classes and files that take longest come first: those with the longest `timeout`, then other scenarios."""
    longest: dict[str, float] = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        seconds = float(marker.args[0]) if marker else 0.0
        scope = item.nodeid.rpartition("::")[0]
        longest[scope] = max(longest.get(scope, 0.0), seconds)
    items.sort(key=lambda item: (-longest[item.nodeid.rpartition("::")[0]], "scenarios" not in item.nodeid))


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes a line for the end of the run: how many points, seeds or files there were."""
    return lambda text: record_property(_NAME, text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The lines, in a section of their own."""
    reports = [report for report in terminalreporter.getreports("passed") if report.when == "call"]
    told = [text for report in reports for name, text in report.user_properties if name == _NAME]
    if told:
        terminalreporter.section("measured", sep="-")
        for text in told:
            terminalreporter.write_line(str(text))
