"""A source with a journal's place, against real HTTP servers."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.feed import Asked, Feed, Reply, serving_feed
from tests.support.source_rounds import Accept, ToldClock
from tillpost import Context
from tillpost.model import DocumentTrouble
from tillpost_http_feed import _make
from tillpost_http_feed.settings import Settings


@attrs.define
class Shop:
    """A source, the place in its journal, and the pages it has handed over. items: where they have their sales."""

    feed: Feed
    settings: Settings
    clock: ToldClock = attrs.field(factory=ToldClock)
    accept: Accept = attrs.field(factory=Accept)
    reports: list[DocumentTrouble] = attrs.field(factory=list)
    stopping: threading.Event = attrs.field(factory=threading.Event)
    source: Any = None

    def start(self) -> None:
        """A new process: what the source has remembered is gone."""
        context = Context(
            pipeline="shop", folder=Path(), state=Path(), clock=self.clock, random=random.Random(1), budget=None,  # type: ignore[arg-type]
            read_cursor=[lambda: self.accept.cursor],
        )  # fmt: skip
        self.source = _make(self.settings, context)

    def run(self, seconds: float = 60.0) -> Any:
        """A round, so many seconds after the one before."""
        self.clock.wall += seconds
        self.clock.steady += seconds
        self.reports.clear()
        return self.source.collect_documents(self.accept, self.reports.append, self.stopping)

    def met(self, key: str = "id") -> list[Any]:
        """A key of each sale that was handed over, in order."""
        found = []
        for page in self.accept.bodies:
            value: Any = json.loads(page)
            for part in filter(None, self.settings.items.split(".")):
                value = value.get(part, []) if isinstance(value, dict) else value
            found += [each[key] for each in (value if isinstance(value, list) else [value])]
        return found


@pytest.fixture
def shop() -> Iterator[Callable[..., Shop]]:
    with ExitStack() as stack:

        def make(answer: Callable[[Asked], Reply], path: str = "/sales", **settings: Any) -> Shop:
            feed = stack.enter_context(serving_feed(answer))
            filled: dict[str, Any] = {
                key: value.format(url=feed.url) if isinstance(value, str) and "{url}" in value else value
                for key, value in settings.items()
            }
            made = Shop(feed, Settings(url=f"{feed.url}{path}", **filled))
            made.start()
            return made

        yield make
