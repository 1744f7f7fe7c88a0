"""Where the source is in the feed: a text that is stored with the receipts of each page."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import attrs

_log = logging.getLogger("tillpost.http_feed")


@attrs.frozen(kw_only=True)
class Place:
    """since: the time from which on sales are asked for. next: the position of the next page; None at the first.

    A pass is all pages of one question, and only its end moves `since`: whatever their order, no page is left behind.
    began, high: of a pass that is under way, when it began by the feed's clock, and the latest change it has met.
    """

    since: datetime | None = None
    next: Any = None
    began: datetime | None = None
    high: datetime | None = None

    def at_the_end(self) -> Place:
        """The place after the pass. A sale that is changed while it runs may be on a page that was read before."""
        if self.high is None or self.began is None:
            return Place(since=self.since)
        reached = min(self.high, self.began)
        return Place(since=reached if self.since is None else max(self.since, reached))

    def dumps(self, feed: str) -> str:
        """feed: what the place belongs to; in another feed it means nothing."""
        times = {name: _text(getattr(self, name)) for name in ("since", "began", "high")}
        kept = {"feed": feed, "next": self.next, **times}
        return json.dumps({key: value for key, value in kept.items() if value is not None}, separators=(",", ":"))

    @classmethod
    def loads(cls, text: str | None, feed: str) -> Place:
        """The place a text says; the beginning for None and for what is not of this feed."""
        if text is None:
            return cls()
        try:
            given = json.loads(text)
            if given["feed"] == feed:
                times = {
                    name: datetime.fromisoformat(given[name]) for name in ("since", "began", "high") if name in given
                }
                return cls(next=given.get("next"), **times)
        except (ValueError, TypeError, KeyError):
            pass
        _log.warning(
            "the place in the journal is of another feed, or of other settings: the feed is read from its start"
        )
        return cls()


def moment_of(value: object) -> datetime | None:
    """A time as feeds write it: ISO 8601 (UTC where no offset stands), or seconds or milliseconds since 1970."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if abs(value) > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
