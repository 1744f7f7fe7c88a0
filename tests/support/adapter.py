"""An adapter on a document, as a pipeline would build it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tillpost import Context, Plugin, Use
from tillpost.clock import SystemClock
from tillpost.model import Broken, Document, Found, Parsed, Receipt


def records(plugin: Plugin, source: Path | bytes, **settings: object) -> Iterator[Parsed]:
    """What the adapter yields of a document, given as a path or as bytes."""
    context = Context(
        pipeline="p",
        folder=Path("/nowhere"),
        state=Path("/nowhere"),
        clock=SystemClock(),
        random=random.Random(1),
        budget=lambda *_: pytest.fail("an adapter needs no budget"),
    )
    [adapter] = plugin.build([Use("adapter", plugin.slots["adapter"](**settings))], context)
    hooks: Any = adapter
    document = Document.from_bytes("doc.xml", source) if isinstance(source, bytes) else Document.from_path(source)
    yield from hooks.parse_receipts(document)


def receipts(found: list[Parsed]) -> list[Receipt]:
    """The receipts of records that must all be receipts."""
    assert all(isinstance(record, Found) for record in found), [
        record.reason for record in found if isinstance(record, Broken)
    ]
    return [record.receipt for record in found if isinstance(record, Found)]
