"""What tests measured is told at the end of the run, also when they ran in worker processes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

_NAME = "measured"


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
