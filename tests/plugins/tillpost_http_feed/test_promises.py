"""The promise suite of a source, on an HTTP server: a feed that goes on after a token, and one asked by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from tests.support.feed import Asked, Reply, reply, serving_feed
from tests.support.tcp_proxy import Proxy
from tillpost.testing import FakeOrigin, SourceSuite

TOKEN = "a-token-of-a-test"
FAULTS: Mapping[str, Reply] = {
    "key": Reply(b"{}", 401),
    "throttle": Reply(b"{}", 429, {"Retry-After": "3"}),
    "error": Reply(b"{}", 500),
    "cut": Reply(b'{"sales": [{"id": "SUITE1', 200, {"Content-Length": "5000", "Connection": "close"}),
    "page": Reply(b"<html>SUITE1 please sign in</html>", 200, {"Content-Type": "text/html"}),
}


class FeedSuite(SourceSuite):
    plugin = "http-feed"
    secrets = (TOKEN,)
    _asked_by: ClassVar[Mapping[str, Any]]

    @contextmanager
    def origin(self, fault: str, folder: Path) -> Iterator[FakeOrigin]:
        pages: list[list[dict[str, str]]] = []
        broken = [fault] if fault in FAULTS else []

        def add(*numbers: str) -> None:
            time = f"2026-03-{len(pages) + 1:02}T12:00:00Z"
            pages.append([{"id": number, "at": time} for number in numbers])

        def answer(asked: Asked) -> Reply:
            if broken or asked.headers.get("authorization") != f"Bearer {TOKEN}":
                return FAULTS[broken[0] if broken else "key"]
            since = asked.query.get("since", "")
            there = [page for page in pages if page[0]["at"] >= since]
            number = int(asked.query.get("after", "p0")[1:])
            page = there[number] if number < len(there) else []
            return reply({"sales": page, **({"next": f"p{number + 1}"} if page else {})})

        with serving_feed(answer) as feed, Proxy([(0, int(feed.url.rpartition(":")[2]))]) as proxy:
            if fault == "refuse":
                proxy.refuse()

            def heal() -> None:
                broken.clear()
                proxy.heal()

            uses = {"url": f"http://127.0.0.1:{proxy.port}/sales", "token": TOKEN, "timeout": "5s", **self._asked_by}
            yield FakeOrigin(uses=uses, add=add, heal=heal)


class TestByToken(FeedSuite):
    _asked_by = {"items": "sales", "paging": "cursor", "next_at": "next", "next_to": "after"}


class TestByTime(FeedSuite):
    _asked_by = {**TestByToken._asked_by, "since_at": "at", "since_to": "since", "overlap": "1m"}


del FeedSuite
