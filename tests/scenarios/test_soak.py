"""A shop at work with faults at random, in little: `python -m tests.scenarios.soak --seconds 3600` is the hour."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.soak import Soak

SECONDS = float(os.environ.get("TILLPOST_SOAK", "60"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 600)]


def test_after_faults_at_random_no_record_is_unaccounted_for(tmp_path: Path, measured: Callable[[str], None]) -> None:
    with Soak(tmp_path, seed=7) as soak:
        soak.soak(SECONDS)
        figures = soak.check()
    measured(f"soak of {SECONDS:g} s: {figures}")
