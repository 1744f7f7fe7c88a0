"""Where the real POS exports lie; they are never part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2].parent / "shared" / "pos-data"


def export(*parts: str) -> Path:
    """The path of a real export. Missing: the test fails in CI, and skips elsewhere with the reason."""
    path = FOLDER.joinpath(*parts)
    if not path.exists():
        message = f"the real export {'/'.join(parts)} is not in ../shared/pos-data"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path
