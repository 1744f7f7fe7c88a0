"""A simulated pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.scenarios.simulator.engage import Engage
from tests.scenarios.simulator.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "state", Random(1), Engage())
    yield made
    made.stop()
