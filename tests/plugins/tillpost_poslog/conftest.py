"""The adapter on a document, as a pipeline would build it."""

import random
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import tillpost_poslog
from tests.support.exports import export as real_export
from tillpost import Context, Use
from tillpost.clock import SystemClock
from tillpost.model import Document, Parsed
from tillpost_poslog.settings import Settings

SAMPLES = Path(tillpost_poslog.__file__).parent / "samples"
Parse = Callable[..., list[Parsed]]


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    """Everything in a document: a path, or bytes."""

    def run(source: Path | bytes, **settings: object) -> list[Parsed]:
        given = {"timezone": ZoneInfo("America/New_York"), "loyalty": "externalId", **settings}
        context = Context(
            pipeline="p",
            folder=tmp_path,
            state=tmp_path,
            clock=SystemClock(),
            random=random.Random(1),
            budget=lambda *_: pytest.fail("an adapter needs no budget"),
        )
        [adapter] = tillpost_poslog.plugin.build([Use("adapter", Settings(**given))], context)  # type: ignore[arg-type]
        document = Document.from_bytes("doc.xml", source) if isinstance(source, bytes) else Document.from_path(source)
        return list(adapter.parse_receipts(document))  # type: ignore[attr-defined]

    return run


@pytest.fixture
def sample(parse: Parse) -> Callable[..., list[Parsed]]:
    """Everything in a sample that ships with the adapter."""
    return lambda name, **settings: parse(SAMPLES / f"{name}.xml", **settings)


@pytest.fixture
def export() -> Path:
    """The real export; it is never part of the project."""
    return real_export("poslog-ncr-acs", "POSLog.xml")
