"""The questions, and what an answer is: a page of sales, and where the next one is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

import attrs
from urllib3.util import parse_url

from tillpost.kit.network import address
from tillpost.model import Misconfigured, NotSent
from tillpost_http_feed.answers import codes, read_json
from tillpost_http_feed.client import Answer, Failed
from tillpost_http_feed.place import moment_of
from tillpost_http_feed.settings import Settings

_ERRORS = ("error", "errors", "fault", "exception", "errorcode", "error_code")
"""Keys by which an answer says that it is none, or not all of one, whatever its status is."""
_LONG = 10
"""Digits from which on a number is no count of pages or sales, but an id or a time."""
_SIZE = re.compile("limit|size|count|per_?page", re.IGNORECASE)
_MORE = re.compile(
    r"(has_?(more|next)\w*|more|next(_?(page|cursor|token|page_?token|link|url|href|uri|offset))?|@(odata\.)?nextlink)",
    re.IGNORECASE,
)
"""Keys by which an answer says that another page follows."""


@attrs.frozen
class Question:
    """A request of the feed."""

    method: str
    url: str
    body: bytes | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Page:
    """An answer. next: the position of the page after it, None when it names none. high: its latest change.

    last: a digest of its last sale, which an offset is checked with.
    """

    body: bytes = attrs.field(repr=False)
    count: int
    next: Any
    high: datetime | None
    asked_at: datetime | None
    first: str = ""
    last: str = ""

    @property
    def sha256(self) -> str:
        """Of its content."""
        return hashlib.sha256(self.body).hexdigest()


def question(settings: Settings, since: datetime | None, position: Any) -> Question:
    """since: from when on sales are asked for; None asks for all. position: None for the first page."""
    sent: dict[str, Any] = {}
    if since is not None and settings.since_to:
        sent[settings.since_to] = _since(settings, since)
    if settings.paging == "link" and position is not None:
        return Question("GET", urljoin(settings.url, str(position)))
    if settings.paging == "cursor" and position is not None:
        sent[settings.next_to] = position
    if settings.paging == "offset":
        sent[settings.next_to] = position[0] if position is not None else 0
    if settings.method == "GET":
        query = urlencode({**settings.query, **sent}, quote_via=quote, safe="")
        return Question("GET", f"{settings.url}?{query}" if query else settings.url)
    body = settings.body_object()
    for path, value in sent.items():
        *above, name = path.split(".")
        inner = body
        for key in above:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                reason = f"source.body has something other than an object at {key}, where {path} is to be put"
                raise Failed(Misconfigured(reason=reason))
        inner[name] = value
    query = urlencode(settings.query, quote_via=quote, safe="")
    return Question("POST", f"{settings.url}?{query}" if query else settings.url, json.dumps(body).encode())


def _since(settings: Settings, since: datetime) -> Any:
    moment = (since - settings.overlap).astimezone(UTC)
    if settings.since_as in ("seconds", "milliseconds"):
        return int(moment.timestamp() * (1000 if settings.since_as == "milliseconds" else 1))
    return moment.strftime(settings.since_as)


def page_of(answer: Answer, settings: Settings, position: Any) -> Page:
    """What an answer is. Raises Failed when it is no page of such a list."""
    value = read_json(answer)
    _expect_no_error(answer, value, settings)
    found = at(value, settings.items)
    sales = found if isinstance(found, list) else [] if found is None else [found]
    if found is None or (not isinstance(found, list | dict)):
        _expect_nothing(answer, value, settings)
        sales = []
    times = [moment for sale in sales if settings.since_at and (moment := moment_of(at(sale, settings.since_at)))]
    if sales and settings.since_at and not times:
        keys = ", ".join(map(str, sales[0])) if isinstance(sales[0], dict) else "no keys"
        reason = (
            f"no sale of {answer.where} has a time at {settings.since_at}; a sale has {keys}; check source.since_at"
        )
        raise Failed(Misconfigured(reason=reason))
    return Page(
        answer.body,
        len(sales),
        _next(answer, value, settings, position, sales),
        max(times, default=None),
        _date(answer.headers),
        _digest(sales[0]) if sales else "",
        _digest(sales[-1]) if sales else "",
    )


def at(value: Any, path: str) -> Any:
    """What is at a path of keys joined by dots; None when there is nothing. An empty path is the value itself."""
    for key in filter(None, path.split(".")):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _expect_no_error(answer: Answer, value: Any, settings: Settings) -> None:
    """An error beside sales means that they are not all: the end of such a page is not the end of the list."""
    if not settings.items or not isinstance(value, dict):  # the answer is itself the list, or the sale
        return
    if named := next((key for key in value if key.lower() in _ERRORS and value[key]), None):
        code = next(codes(answer.body), "")
        says = f"{answer.where} answers {answer.status} with {named!r}" + (f" ({code})" if code else "")
        what = "in place of sales" if at(value, settings.items) is None else "beside sales"
        raise Failed(NotSent(reason=f"{says} {what}: it says that something failed", status=answer.status))


def _expect_nothing(answer: Answer, value: Any, settings: Settings) -> None:
    """Many feeds leave the list away when it is empty. One with another list in it is not empty, but misunderstood."""
    others = list(_lists(value, ""))
    if not others and isinstance(value, dict):
        return
    have = f"a list at {', '.join(others)}" if others else "something that is not an object"
    where = settings.items or "its top"
    reason = f"{answer.where} answers without a list at {where}, and with {have}; check source.items"
    raise Failed(Misconfigured(reason=reason))


def _lists(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        yield path or "its top"
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _lists(each, f"{path}.{key}" if path else str(key))


def _next(answer: Answer, value: Any, settings: Settings, position: Any, sales: list[Any]) -> Any:
    if settings.paging == "cursor":
        token = at(value, settings.next_at)
        if isinstance(token, str | int) and not isinstance(token, bool) and token:
            return token
        _expect_no_more(answer, value, settings, sales)
        if settings.keeps_position and position is None and sales and not _has(value, settings.next_at):
            keys = ", ".join(value) if isinstance(value, dict) else "no keys"
            reason = f"{answer.where} answers without a token at {settings.next_at}; an answer has {keys}"
            raise Failed(Misconfigured(reason=f"{reason}; check source.next_at, or ask by time (source.since_to)"))
        return None
    if settings.paging == "offset":
        offset = position[0] if position is not None else 0
        # The last sale is asked for once more: when another one is there, the list has moved in between.
        step = len(sales) - 1 if len(sales) > 1 else len(sales)
        return [offset + step, _digest(sales[-1]) if len(sales) > 1 else ""] if sales else None
    link = at(value, settings.next_at) if settings.next_at else _header_link(answer.headers.get("link", ""))
    if settings.paging == "none":
        if _header_link(answer.headers.get("link", "")):
            reason = f'{answer.where} has more pages (header Link); set source.paging = "link"'
            raise Failed(Misconfigured(reason=reason))
        link = None
    if isinstance(link, str) and link:
        return _own_link(link, settings)
    _expect_no_more(answer, value, settings, sales)
    return None


def _expect_no_more(answer: Answer, value: Any, settings: Settings, sales: list[Any]) -> None:
    """A last page that says another one follows was asked with other settings than the feed's."""
    if sales and settings.items and (path := next(_says_more(value, "", 2), "")):
        what = 'source.next_at ("" is the header Link)' if settings.paging == "link" else "source.next_at"
        if settings.paging == "none":
            what = 'source.paging ("link" or "cursor", with source.next_at)'
        raise Failed(Misconfigured(reason=f"{answer.where} has more pages, as it says at {path}; check {what}"))


def _says_more(value: Any, path: str, depth: int) -> Iterator[str]:
    for key, each in value.items() if isinstance(value, dict) and depth else ():
        where = f"{path}.{key}" if path else str(key)
        if _MORE.fullmatch(key) and each and not isinstance(each, list):
            yield where
        yield from _says_more(each, where, depth - 1)


def _has(value: Any, path: str) -> bool:
    above, _, name = path.rpartition(".")
    parent = at(value, above)
    return isinstance(parent, dict) and name in parent


def _own_link(link: str, settings: Settings) -> str:
    """The path and query of a link. Raises Failed for another server's: our token must not go there."""
    ours, theirs = parse_url(settings.url), parse_url(urljoin(settings.url, link))
    if (ours.scheme, ours.host, ours.port) != (theirs.scheme, theirs.host, theirs.port):
        other = address(theirs.host or "", theirs.port or (443 if theirs.scheme == "https" else 80))
        reason = f"the next page is said to be at {theirs.scheme}://{other}, another server than that of source.url"
        raise Failed(Misconfigured(reason=f"{reason}; nothing is asked there"))
    return theirs.request_uri


def _header_link(header: str) -> str:
    """The target of rel="next" in a header Link (RFC 8288); "" when there is none."""
    for each in header.split("<")[1:]:
        target, _, parameters = each.partition(">")
        for parameter in parameters.split(",")[0].split(";"):
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "rel" and "next" in value.strip().strip('"').lower().split():
                return target
    return ""


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        moment = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _digest(sale: Any) -> str:
    return hashlib.sha256(json.dumps(sale, sort_keys=True).encode()).hexdigest()[:16]


def counts(settings: Settings, position: Any) -> bool:
    """Whether positions are counted (`page=3`): then a sale that is gone moves the next ones to pages read before."""
    if not settings.since_to:  # then the next round asks for all of them again, or positions are places of their own
        return False
    if settings.paging == "link":
        named = dict(parse_qsl(urlsplit(str(position)).query))
        return any(value.isdigit() and len(value) < _LONG and not _SIZE.search(name) for name, value in named.items())
    return settings.paging == "cursor" and str(position).isdigit()


def host_of(settings: Settings) -> str:
    """The feed's host, for names."""
    return urlsplit(settings.url).hostname or ""


def circle(where: str) -> Failed:
    """The pages lead back to one that was read in the same pass."""
    return Failed(NotSent(reason=f"the pages of {where} lead in a circle"))
