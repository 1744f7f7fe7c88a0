"""A simulated pipeline, and folders in memory: nothing here is about a disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.scenarios.simulator.engage import Engage
from tests.scenarios.simulator.machine import Machine
from tests.support.memory import memory_folder


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In place of pytest's own."""
    with memory_folder() as folder:
        yield folder


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "state", Random(1), Engage())
    yield made
    made.stop()
