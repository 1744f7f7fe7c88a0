"""What lies beside the project and is never part of it: real POS exports, and the list of faults."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[2].parent / "shared"
FOLDER = BESIDE / "pos-data"


def export(*parts: str) -> Path:
    """The path of a real export. Missing: the test fails in CI, and skips elsewhere with the reason."""
    return beside("pos-data", *parts)


def beside(*parts: str) -> Path:
    """The path of a file in ../shared. Missing: the test fails in CI, and skips elsewhere with the reason."""
    path = BESIDE.joinpath(*parts)
    if not path.exists():
        message = f"{'/'.join(parts)} is not in ../shared"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path
