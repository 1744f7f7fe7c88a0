"""One round of the source: all pages since the last one, each handed over with the place after it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs

from tillpost import Accept, Context, DocumentError, JournalError, Stopped, TillpostError, describe, hookimpl
from tillpost.kit.troubles import Troubles
from tillpost.model import Delivered, Document, DocumentTrouble, NotSent, Outcome
from tillpost_http_feed.answers import STALE, failure_of
from tillpost_http_feed.client import Answer, Client, Failed, Failure
from tillpost_http_feed.login import Login
from tillpost_http_feed.pages import Page, Question, circle, counts, host_of, page_of, question
from tillpost_http_feed.place import Place
from tillpost_http_feed.settings import Settings

Report = Callable[[DocumentTrouble], None]
_MOST_KNOWN = 1000
"""Pages whose digests are remembered: one that has not changed since the last round is not handed over again."""
_MOVES = 3
"""How often a list that moves while it is read by offset is begun again in one round."""


class _Later(Exception):
    """The page could not be handed over; the round ends before it."""


class _Stale(Exception):
    """The feed does not know the position any more at which a pass was to go on."""


class _Moved(Exception):
    """The list has moved while it was read by offset."""


@attrs.frozen
class _InHand:
    """A page that is handed over once it is known what follows. at, after: its position and the next one.

    Where positions are counted, it is asked for once more after the next page: sales may have moved up to it.
    """

    page: Page
    at: Any
    after: Any


@attrs.define(eq=False)
class FeedSource:
    """The hooks of the source. What it remembers only saves requests; its place is in the journal alone."""

    settings: Settings
    context: Context
    login: Login
    _troubles: Troubles[str, str]
    _feed: str
    _known: dict[str, None] = attrs.field(factory=dict)
    _beyond: tuple[Any, Any] | None = None
    """The position in the journal, and the one that empty pages after it have led to: one more in each round."""
    _count: int = 0
    _stopping: threading.Event = attrs.field(factory=threading.Event)

    @classmethod
    def of(cls, settings: Settings, context: Context) -> FeedSource:
        """The source of these settings."""
        about = [getattr(settings, name) for name in ("url", "query", "paging", "next_at", "next_to", "since_at")]
        feed = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:12]
        return cls(settings, context, Login(settings, context.clock), Troubles(context.clock), feed)

    @hookimpl
    def collect_documents(self, accept: Accept, report: Report, stopping: threading.Event) -> int | Failure:
        """Hand over every page there is since the place in the journal."""
        self._count, self._stopping = 0, stopping
        stored = self.context.cursor()
        if not self._troubles.rests("", stored or ""):
            try:
                self._round(accept, Place.loads(stored, self._feed))
            except Failed as failed:
                return failed.failure
            except _Later:
                pass
        for trouble in self._troubles.all():
            report(trouble)
        return self._count

    @hookimpl
    def probe_source(self) -> Outcome:
        """Ask for the first page, and take nothing of it."""
        try:
            self._ask(self._client(threading.Event()), question(self.settings, self.settings.first_moment, None), None)
        except Failed as failed:
            return failed.failure
        return Delivered()

    def _round(self, accept: Accept, place: Place) -> None:
        if place.next is not None and not self.settings.keeps_position:
            try:
                place = self._pass(accept, place, resumed=True)
            except (_Stale, _Moved):
                place = Place(since=place.since)
        for _ in range(_MOVES):
            try:
                self._pass(accept, place)
                return
            except _Moved:
                place = Place(since=place.since)
        where = host_of(self.settings)
        raise Failed(NotSent(reason=f"the list of {where} changes while it is read by offset; it is begun again later"))

    def _pass(self, accept: Accept, place: Place, resumed: bool = False) -> Place:
        """Read the pages from a place on; the place at the end. A page is handed over once it is known what follows."""
        client = self._client(self._stopping)
        keeps = self.settings.keeps_position
        since, position = place.since or self.settings.first_moment, place.next
        if keeps and self._beyond is not None and self._beyond[0] == position:
            position = self._beyond[1]
        place = attrs.evolve(place, since=since)
        pending: _InHand | None = None
        seen: set[str] = set()
        while True:
            try:
                page = self._ask(client, question(self.settings, since, position), position)
                if pending is not None and counts(self.settings, position):
                    again = self._ask(client, question(self.settings, since, pending.at), pending.at)
                    if again.count and again.sha256 != pending.page.sha256:
                        place = self._hand_over(accept, pending, place)
                        pending = attrs.evolve(pending, page=again)
            except Failed as failed:
                if resumed and pending is None and getattr(failed.failure, "status", 0) in STALE:
                    raise _Stale from None
                self._beyond = None
                self._hand_over(accept, pending, place)
                if keeps and position is not None and position == place.next:
                    raise _unknown(failed.failure) from None
                raise
            self._check_offset(page, position)
            began = place.began or page.asked_at or datetime.fromtimestamp(self.context.clock.time(), UTC)
            place = attrs.evolve(place, began=began)
            after = page.next if page.next != position else None
            if not page.count or self._only_repeats(page, position):
                if keeps and self.settings.paging == "cursor" and after is not None:
                    self._beyond = place.next, after
                if after is None or keeps or self.settings.paging == "offset":
                    break
                pending = pending and attrs.evolve(pending, after=after)
            else:
                place = self._hand_over(accept, pending, place)
                pending = _InHand(page, position, after)
            if after is None:
                break
            if json.dumps(after) in seen:
                self._hand_over(accept, pending, place)
                raise circle(host_of(self.settings))
            seen.add(json.dumps(after))
            position = after
        return self._hand_over_last(accept, pending, place, position)

    def _check_offset(self, page: Page, position: Any) -> None:
        """Raises _Moved when the first sale of a page by offset is not the last of the page before it."""
        if self.settings.paging == "offset" and position is not None and position[1] and page.first != position[1]:
            raise _Moved

    def _only_repeats(self, page: Page, position: Any) -> bool:
        return self.settings.paging == "offset" and position is not None and bool(position[1]) and page.count == 1

    def _hand_over(self, accept: Accept, pending: _InHand | None, place: Place) -> Place:
        """Hand over a page with others after it; the place after it."""
        if pending is None:
            return place
        page, place = pending.page, _with(place, pending.page)
        after = pending.at if counts(self.settings, pending.after) else pending.after
        kept = Place(next=after) if self.settings.keeps_position else attrs.evolve(place, next=after)
        if page.sha256 not in self._known:
            self._accept(accept, page, kept)
        return place

    def _hand_over_last(self, accept: Accept, pending: _InHand | None, place: Place, position: Any) -> Place:
        if self.settings.keeps_position:
            end = Place(next=position if pending is None or pending.after is None else pending.after)
        else:
            end = (place if pending is None else _with(place, pending.page)).at_the_end()
        if pending is not None:
            stored = Place.loads(self.context.cursor(), self._feed)
            if pending.page.sha256 not in self._known or stored != end:
                self._accept(accept, pending.page, end)
        return end

    def _accept(self, accept: Accept, page: Page, place: Place) -> None:
        if self._stopping.is_set():
            raise Stopped("stopped between two pages")
        name = f"{host_of(self.settings)}/{page.sha256[:12]}.json"
        stored = self.context.cursor() or ""
        try:
            accept(Document.from_bytes(name, page.body), cursor=place.dumps(self._feed))
        except DocumentError:
            pass  # it is set aside with its content and the place after it
        except (JournalError, Stopped):
            raise
        except (TillpostError, OSError) as error:
            self._troubles.add("", stored, f"cannot be read: {describe(error)}", name=name, sha256=page.sha256)
            raise _Later from None
        self._troubles.over("")
        self._count += 1
        self._known[page.sha256] = None
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def _client(self, stopping: threading.Event) -> Client:
        return Client(self.settings.timeout.total_seconds(), self.settings.largest, stopping)

    def _ask(self, client: Client, asked: Question, position: Any) -> Page:
        """Raises Failed. For a token that is not taken any more another one is fetched, once."""
        answer = self._send(client, asked)
        if answer.status == 401 and self.login.renew():
            answer = self._send(client, asked)
        if failure := failure_of(answer, self.context.clock.time()):
            raise Failed(failure)
        return page_of(answer, self.settings, position)

    def _send(self, client: Client, asked: Question) -> Answer:
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "tillpost",
            **self.settings.headers,
        }
        if asked.body is not None:
            headers["Content-Type"] = "application/json"
        return client.ask(asked.method, asked.url, headers | dict(self.login.headers(client)), asked.body)


def _unknown(failure: Failure) -> Failed:
    """A failure at the position with which a round begins."""
    if getattr(failure, "status", 0) not in STALE:
        return Failed(failure)
    return Failed(attrs.evolve(failure, reason=f"{failure.reason}; or it has forgotten the position of the last page"))


def _with(place: Place, page: Page) -> Place:
    """The place with what a page that is handed over shows of changes."""
    highs = [each for each in (place.high, page.high) if each is not None]
    return attrs.evolve(place, high=max(highs, default=None))
