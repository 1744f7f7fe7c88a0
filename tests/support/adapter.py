"""An adapter on a document, as a pipeline would build it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tillpost import Context, Plugin, Use
from tillpost.clock import SystemClock
from tillpost.model import Document, Found, Parsed, Receipt


def build(plugin: Plugin, **settings: Any) -> Any:
    """The adapter's object with its hook, from settings as the configuration would give them."""
    context = Context(
        pipeline="p",
        folder=Path(),
        state=Path(),
        clock=SystemClock(),
        random=random.Random(1),
        budget=lambda *_: pytest.fail("an adapter needs no budget"),
    )
    [adapter] = plugin.build([Use("adapter", plugin.slots["adapter"](**settings))], context)
    return adapter


def parse(plugin: Plugin, source: Path | bytes, **settings: Any) -> list[Parsed]:
    """Everything in a document: a path, or bytes."""
    document = Document.from_bytes("doc", source) if isinstance(source, bytes) else Document.from_path(source)
    return list(build(plugin, **settings).parse_receipts(document))


def receipt(parsed: Parsed) -> Receipt:
    """The receipt that was found."""
    assert isinstance(parsed, Found), parsed
    return parsed.receipt
