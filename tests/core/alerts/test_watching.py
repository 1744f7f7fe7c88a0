"""The thread that looks for troubles follows the lines of a reload."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.lines import line_on
from tests.support.waiting import until
from tillpost.alerts.watch import AlertThread
from tillpost.compose.alert_settings import AlertSettings
from tillpost.compose.pipeline_config import PipelineConfig, SlotConfig
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, SourcePolicy, TransferPolicy
from tillpost.flow.line import Line
from tillpost.journal import Destination

SETTINGS = AlertSettings(command=("true",), every=timedelta(seconds=1))


def config_of(line: Line) -> PipelineConfig:
    return PipelineConfig(
        name=line.name,
        state=line.journal.folder,
        slots=(SlotConfig(slot="adapter", plugin="receipts", table={}, path=("adapter",)),),
        source=SourcePolicy(),
        retry=RetryPolicy(),
        fallback=FallbackPolicy(),
        transfer=TransferPolicy(),
    )


def test_a_line_that_is_added_is_looked_at_and_one_that_is_gone_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    paused = Destination(state="paused", reason="401", since=1.0)
    with line_on(tmp_path / "a") as removed, line_on(tmp_path / "b") as added:
        at_work = [removed]
        thread = AlertThread(SETTINGS, lambda: [(config_of(line), line) for line in at_work])
        thread.start()
        for line in (removed, added):
            line.journal.destination.put(paused, 1.0)
        until(lambda: removed.journal.alerts.standing())
        assert not added.journal.alerts.standing()
        at_work[:] = [added]
        removed.journal.close()
        until(lambda: added.journal.alerts.standing())
        thread.stop(30.0)
    assert not caplog.records, "the removed line's closed journal is nobody's trouble"
