"""The adapter on a document, as a pipeline builds it."""

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import tillpost_poslog
from tests.support.adapter import parse as parse_by
from tests.support.exports import export as real_export
from tillpost.model import Parsed

SAMPLES = Path(tillpost_poslog.__file__).parent / "samples"
Parse = Callable[..., list[Parsed]]


@pytest.fixture
def parse() -> Parse:
    """All records of a document: a path, or bytes."""

    def run(source: Path | bytes, **settings: object) -> list[Parsed]:
        given = {"timezone": ZoneInfo("America/New_York"), "loyalty": "externalId", **settings}
        return parse_by(tillpost_poslog.plugin, source, **given)

    return run


@pytest.fixture
def sample(parse: Parse) -> Callable[..., list[Parsed]]:
    """Everything in a sample that ships with the adapter."""
    return lambda name, **settings: parse(SAMPLES / f"{name}.xml", **settings)


@pytest.fixture
def export() -> Path:
    """The real export; it is never part of the project."""
    return real_export("poslog-ncr-acs", "POSLog.xml")
