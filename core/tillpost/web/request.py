"""A request and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs

COOKIE = "tillpost_status"
LARGEST = 16 << 10
"""Bytes of a form; a reason and a token need far less."""
_FIELDS = 20


@attrs.frozen(kw_only=True)
class Answer:
    """The response."""

    body: bytes
    status: int = 200
    kind: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


class Failure(Exception):
    """A request that is refused with a page; `message` says why, without personal data."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@attrs.frozen(kw_only=True)
class Request:
    """Method, path, the values of the address and of the form; headers by their lower-case names."""

    method: str
    path: str
    query: Mapping[str, str] = attrs.field(factory=dict)
    form: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> Request:
        """From the WSGI environment. Raises Failure for a body that is not a small form."""
        path = str(environ.get("PATH_INFO", "/")).encode("latin-1").decode("utf-8", "replace")
        headers = {
            name[5:].replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        method = str(environ["REQUEST_METHOD"])
        form: dict[str, str] = {}
        if method == "POST":
            length = str(environ.get("CONTENT_LENGTH") or "0")
            if not length.isdigit() or int(length) > LARGEST:
                raise Failure(413, "The form is too large.")
            if not str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
                raise Failure(415, "The body is not a form.")
            form = _values(environ["wsgi.input"].read(int(length)).decode("ascii", "replace"))
        return cls(
            method="GET" if method == "HEAD" else method,
            path=path.replace("%2F", "/").replace("%2f", "/"),  # the server does not decode this one
            query=_values(str(environ.get("QUERY_STRING", ""))),
            form=form,
            headers=headers,
        )

    def cookie(self) -> str:
        """The value of the site's cookie, "" without one."""
        try:
            found = SimpleCookie(self.headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        return found.value if found else ""

    def bearer(self) -> str:
        """The token of an Authorization header, "" without one: for programs that read."""
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        return value if kind.lower() == "bearer" else ""

    def same_origin(self) -> bool:
        """Whether a form was sent by a page of this site, as far as the browser says."""
        origin, site = self.headers.get("origin"), self.headers.get("sec-fetch-site")
        return site in (None, "same-origin", "none") and (
            origin is None or urlsplit(origin).netloc == self.headers.get("host", "")
        )


def _values(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError:
        raise Failure(400, "The form has too many fields.") from None
