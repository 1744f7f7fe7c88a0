"""One conversation with one tenant's HTTP API: connections, deadline, rate, headers. It never repeats a request.

Errors tell the kind of failure by name only: the texts of urllib3 carry the address with its query, which has
e-mails and phone numbers in it.
"""

from __future__ import annotations

import http.client
import logging
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
from urllib3.exceptions import EmptyPoolError, HTTPError
from urllib3.response import BaseHTTPResponse

from tillpost import Budget
from tillpost.model import MaybeSent, NotSent
from tillpost_engage import wire
from tillpost_engage.answers import Answer, Kind, retry_after
from tillpost_engage.connection import PlainPool, TlsPool, serving
from tillpost_engage.deadline import Exchange, Watchdog
from tillpost_engage.settings import TransportSettings

MOST_BYTES = 1 << 20  # of an answer
_PREFIX = "/api/v3"


class Client:
    """Speaks to `settings.url`; may be used by several threads at once. `close` ends its thread and sockets."""

    def __init__(self, settings: TransportSettings, budget: Budget) -> None:
        self._settings = settings
        self._budget = budget
        self._seconds = settings.timeout.total_seconds()
        self._watchdog = Watchdog()
        self._headers = {
            "apikey": settings.api_key.reveal(),
            "User-Agent": settings.user_agent or f"tillpost/{_version()}",
            "Accept": "application/json",
        }
        # block: never more connections than were set; a request waits for a free one.
        self._pools = urllib3.PoolManager(num_pools=1, maxsize=settings.connections, block=True)
        self._pools.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}
        # At DEBUG urllib3 logs each path with its query, which is personal data here.
        log = logging.getLogger("urllib3.connectionpool")
        log.setLevel(max(log.level, logging.INFO))

    def close(self) -> None:
        """Close kept connections and end the deadline's thread."""
        self._pools.clear()
        self._watchdog.close()

    def send(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer | NotSent | MaybeSent:
        """One request below /api/v3 and its whole answer, within the deadline.

        NotSent when nothing can have arrived, or when a GET got no answer; MaybeSent when anything else got
        none. `path` is already percent-encoded; `query` is encoded here, with `+` as %2B.
        """
        url = f"{self._settings.url}{_PREFIX}{path}"
        if query:
            url = f"{url}?{urlencode(query, quote_via=quote, safe='')}"
        content = None if body is None else wire.dumps(body)
        with self._budget.request(), serving(Exchange(self._seconds)) as exchange:
            self._watchdog.add(exchange)
            try:
                answer = self._exchange(method, url, content)
                failure = ""
            except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
                answer, failure = None, _named(error)
            if exchange.expired:
                # Also when an answer without a length seemed whole: the cut looked like its end.
                answer, failure = None, f"no whole answer within {self._seconds:g} s"
        if answer is None:
            if exchange.sent and method != "GET":
                return MaybeSent(reason=failure)
            return NotSent(reason=failure)
        if answer.status == 429:
            self._budget.slow(1.0 if answer.retry_after is None else answer.retry_after)
        return answer

    def _exchange(self, method: str, url: str, content: bytes | None) -> Answer:
        headers = self._headers | ({"Content-Type": "application/json"} if content is not None else {})
        response = self._pools.urlopen(
            method,
            url,
            body=content,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=self._seconds, read=self._seconds),
            pool_timeout=self._seconds,
        )
        try:
            raw = _read(response)
        except BaseException:
            response.close()
            raise
        response.release_conn()
        kind, value = _kind(raw, response.headers.get("Content-Type", ""))
        wait = retry_after(response.headers.get("Retry-After"), time.time())
        return Answer(status=response.status, kind=kind, value=value, retry_after=wait)


def _read(response: BaseHTTPResponse) -> bytes | None:
    """The body, or None when it is longer than is read; the connection is closed then."""
    pieces, size = [], 0
    while piece := response.read(65536, decode_content=False):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            response.close()
            return None
    return b"".join(pieces)


def _kind(raw: bytes | None, content_type: str) -> tuple[Kind, Any]:
    if raw is None:
        return "other", None
    if not raw.strip():
        return "empty", None
    if "html" in content_type.lower() or raw.lstrip()[:1] == b"<":
        return "page", None
    try:
        return "json", wire.loads(raw)
    except ValueError:
        return "other", None


def _named(error: Exception) -> str:
    if isinstance(error, EmptyPoolError):
        return "no connection was free in time"
    cause = error.__cause__ or error.__context__
    inner = f" ({type(cause).__name__})" if cause is not None and type(cause) is not type(error) else ""
    return f"{type(error).__name__}{inner}"


def _version() -> str:
    try:
        return version("tillpost")
    except PackageNotFoundError:  # run from a source tree
        return "0"
