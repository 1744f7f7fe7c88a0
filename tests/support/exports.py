"""What lies beside the project and is never part of it: real POS exports, and the list of faults."""

from __future__ import annotations

from pathlib import Path

from tests.support.program import missing

BESIDE = Path(__file__).parents[2].parent / "shared"
FOLDER = BESIDE / "pos-data"


def export(*parts: str) -> Path:
    """The path of a real export. It may be missing."""
    return beside("pos-data", *parts)


def beside(*parts: str) -> Path:
    """The path of a file in ../shared. It may be missing."""
    path = BESIDE.joinpath(*parts)
    if not path.exists():
        missing(f"{'/'.join(parts)} is not in ../shared")
    return path
