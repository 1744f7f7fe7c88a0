"""The settings of the source `http-feed`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import attrs

from tillpost import Secret
from tillpost.kit.settings import must, over_zero

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_not_negative = must("not be negative", lambda length: length >= timedelta(0))
_some_kibibytes = must("be at least 1024", lambda size: size >= 1024)


def _address(_: object, field: attrs.Attribute[str], url: str) -> None:
    example = (
        f"{field.name} must begin with https:// (or http://) and name a host, such as https://api.example.com/sales"
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(example) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or any(c <= " " for c in url):
        raise ValueError(example)
    if parts.username or parts.password or parts.fragment:
        raise ValueError(f"{field.name} must have no user, password or fragment")
    if parts.query:
        raise ValueError(f'{field.name} must have no query; write it as query = {{ NAME = "…" }}')


def _optional_address(given: object, field: attrs.Attribute[str], url: str) -> None:
    if url:
        _address(given, field, url)


@attrs.frozen(kw_only=True)
class Settings:
    """Which list of sales is asked for, how it is paged, and where the next round goes on.

    url, method, query, body, headers: the question. body: a JSON object, for POST.
    token, token_header: a token as `Bearer` in Authorization, or as it is in another header. user, password: Basic.
    token_url, client_id, client_secret, client_auth, scope, assertion: OAuth 2.0, where a token is fetched. With an
    assertion the grant is that of RFC 7523, else client credentials.
    items: where in an answer the list of sales is ("" is the answer itself), keys joined by dots. paging: whether the
    answer is whole ("none"), names the next page's address ("link": at `next_at`, else in the header Link) or a token
    for it ("cursor": at `next_at`, sent as `next_to`), or is asked from the so manieth sale on ("offset", `next_to`).
    since_at: where in a sale the time of its latest change is. since_to: how the time from which on sales are wanted
    is sent, in the form since_as (strftime, in UTC; or "seconds", "milliseconds" since 1970). start: the time of the
    first round; "" asks for all. overlap: how much earlier than the latest change the next round begins. What is named
    `…_to` is a parameter of the query, or, with POST, a place in the body.
    timeout: for one request as a whole. largest: bytes of one answer, unpacked.
    """

    default_poll: ClassVar[timedelta] = timedelta(minutes=1)

    url: str = attrs.field(validator=_address)
    method: Literal["GET", "POST"] = "GET"
    query: dict[str, str] = attrs.field(factory=dict)
    body: str = attrs.field(default="")
    headers: dict[str, str] = attrs.field(factory=dict)
    token: Secret | None = None
    token_header: str = attrs.field(default="Authorization")
    user: str = ""
    password: Secret | None = None
    token_url: str = attrs.field(default="", validator=_optional_address)
    client_id: str = ""
    client_secret: Secret | None = None
    client_auth: Literal["basic", "body"] = "basic"
    scope: str = ""
    assertion: Secret | None = None
    items: str = ""
    paging: Literal["none", "link", "cursor", "offset"] = "none"
    next_at: str = ""
    next_to: str = ""
    since_at: str = ""
    since_to: str = ""
    since_as: str = attrs.field(default="%Y-%m-%dT%H:%M:%SZ")
    start: str = attrs.field(default="")
    overlap: timedelta = attrs.field(default=timedelta(minutes=5), validator=_not_negative)
    timeout: timedelta = attrs.field(default=timedelta(seconds=60), validator=over_zero)
    largest: int = attrs.field(default=64 << 20, validator=_some_kibibytes)

    @body.validator
    def _object(self, _: object, body: str) -> None:
        if not body:
            return
        try:
            given = json.loads(body)
        except ValueError as error:
            raise ValueError(f"body must be a JSON object: {error}") from None
        if not isinstance(given, dict):
            raise ValueError("body must be a JSON object")

    @headers.validator
    def _sendable(self, _: object, headers: dict[str, str]) -> None:
        for name, value in headers.items():
            if not _HEADER.fullmatch(name) or not value.isascii() or not value.isprintable():
                raise ValueError(f"headers: {name!r} is no header, or its value is not printable ASCII")
            if name.lower() == "authorization":
                raise ValueError("headers must not have Authorization; use token, or user and password")

    @token_header.validator
    def _header(self, _: object, name: str) -> None:
        if not _HEADER.fullmatch(name):
            raise ValueError("token_header must be the name of a header")

    @since_as.validator
    def _form(self, _: object, form: str) -> None:
        if form not in ("seconds", "milliseconds") and "%" not in form:
            raise ValueError('since_as must be "seconds", "milliseconds" or a form such as "%Y-%m-%dT%H:%M:%SZ"')

    @start.validator
    def _moment(self, _: object, start: str) -> None:
        if start:
            try:
                datetime.fromisoformat(start)
            except ValueError:
                raise ValueError(
                    'start must be a date or time, such as "2026-11-30" or "2026-11-30T00:00:00+01:00"'
                ) from None

    def __attrs_post_init__(self) -> None:
        for fault, is_so in (
            ("token, user and token_url: only one of them can be used", self._ways_in() > 1),
            ("user needs password, and password user", bool(self.user) != (self.password is not None)),
            ("token_url needs client_id", bool(self.token_url) and not self.client_id),
            (
                "token_url needs client_secret or assertion",
                bool(self.token_url) and self.client_secret is None and self.assertion is None,
            ),
            ("body is sent by POST only", bool(self.body) and self.method == "GET"),
            ('paging = "link" asks by GET', self.paging == "link" and self.method != "GET"),
            (
                'paging = "cursor" needs next_at and next_to',
                self.paging == "cursor" and not (self.next_at and self.next_to),
            ),
            ('paging = "offset" needs next_to', self.paging == "offset" and not self.next_to),
            ("since_at and since_to go together", bool(self.since_at) != bool(self.since_to)),
            ("start needs since_to", bool(self.start) and not self.since_to),
        ):
            if is_so:
                raise ValueError(fault)

    def _ways_in(self) -> int:
        return (self.token is not None) + bool(self.user) + bool(self.token_url)

    @property
    def keeps_position(self) -> bool:
        """Whether the place between rounds is the position in the list, because nothing is asked by time."""
        return not self.since_to and self.paging in ("cursor", "offset")

    @property
    def first_moment(self) -> datetime | None:
        """`start` as a time; a date begins at midnight UTC."""
        if not self.start:
            return None
        moment = datetime.fromisoformat(self.start)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def body_object(self) -> dict[str, Any]:
        """`body`, read once more for each question."""
        given: dict[str, Any] = json.loads(self.body) if self.body else {}
        return given
