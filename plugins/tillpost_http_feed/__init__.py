"""Source `http-feed`: sales asked for at an HTTP API that answers in JSON, page by page."""

from __future__ import annotations

from tillpost import Context, simple
from tillpost_http_feed.settings import Settings


def _make(settings: Settings, context: Context) -> object:
    from tillpost_http_feed.source import FeedSource

    return FeedSource.of(settings, context)


plugin = simple("Sales asked for at an HTTP API, page by page", "source", Settings, _make)
