"""Requests to one tenant's HTTP API: connections, deadline, rate, headers. It never repeats a request.

Messages have words of our own, with host and port: texts of urllib3 contain the address with its query, which has
e-mails and phone numbers in it. urllib3 makes the connections (addresses, TLS). Requests are written here, the head in
one piece with the body: urllib3's pool and requests cost half as much again, for features that are not used here.
"""

from __future__ import annotations

import hashlib
import http.client
import time
import weakref
from collections.abc import Mapping
from contextlib import closing, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from tillpost import Budget, InvalidValue, traceparent
from tillpost.kit.network import connection_failure, retry_after
from tillpost.model import Delivered, Failure, Gone, MaybeSent, NotSent, Outcome, Refused, Tenant
from tillpost_engage import wire
from tillpost_engage.answers import KNOWN_CODES, Absent, Answer, Kind, code, judge
from tillpost_engage.connection import Connection, connection_to
from tillpost_engage.deadline import Exchange, Watchdog
from tillpost_engage.identifiers import is_contact_id
from tillpost_engage.settings import TransportSettings

MOST_BYTES = 1 << 20  # of an answer
_PREFIX = "/api/v3"
NO_SUCH_ENDPOINT = (403, 404, 405, 410, 501)
"""Answers of an endpoint that a tenant does not have, or that our key may not use."""
_ABSENT_SECONDS = 3600.0
"""How long an endpoint that was not there is not asked again."""
_NOBODY = {"email": "nobody@tillpost-probe.invalid"}
"""An address nobody can have (RFC 2606), for a lookup that changes nothing."""


class Client:
    """Requests to `settings.url`, from several threads at once. `close` ends its thread and sockets."""

    def __init__(self, settings: TransportSettings, budget: Budget) -> None:
        self._budget = budget
        self._seconds = settings.timeout.total_seconds()
        self._watchdog = Watchdog()
        self.tenant = _tenant(settings)
        """Who answers there, as far as the settings tell."""
        self._url = urllib3.util.parse_url(settings.url)
        self._host = (self._url.host or "").strip("[]")
        self._port = self._url.port or (443 if self._url.scheme == "https" else 80)
        self._path = f"{(self._url.path or '').rstrip('/')}{_PREFIX}"
        self._head = (
            f" HTTP/1.1\r\nHost: {self._url.netloc}\r\n"
            f"User-Agent: {settings.user_agent or f'tillpost/{_version()}'}\r\napikey: {settings.api_key.reveal()}\r\n"
            "Accept: application/json\r\nAccept-Encoding: identity\r\n"
        )
        self._idle: list[Connection] = []
        """Kept connections, the last used on top: as many are open as requests were ever made at once."""
        self._absent: dict[str, float] = {}
        """Endpoint that is not there → when to ask it again (monotonic). It only saves requests."""
        weakref.finalize(self, _close_all, self._idle)  # a client that is collected leaves none open

    def close(self) -> None:
        """Close kept connections and end the deadline's thread."""
        _close_all(self._idle)
        self._watchdog.close()

    def send(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer | NotSent | MaybeSent:
        """One request below /api/v3 and its whole answer, within the deadline.

        NotSent when nothing can have arrived, or when a GET got no answer; MaybeSent when anything else got
        none. `path` is already percent-encoded; `query` is encoded here, with `+` as %2B.
        """
        return self._send(method, f"{self._path}{path}", query, body)

    def get_v2(self, path: str, query: Mapping[str, str]) -> Answer | NotSent | MaybeSent:
        """As `send`, below /api/v2: what the published client asks for there."""
        return self._send("GET", f"{self._path.removesuffix(_PREFIX)}/api/v2{path}", query, None)

    def _send(
        self, method: str, target: str, query: Mapping[str, str] | None, body: Any
    ) -> Answer | NotSent | MaybeSent:
        if query:
            target = f"{target}?{urlencode(query, quote_via=quote, safe='')}"
        content = None if body is None else wire.dumps(body)
        with self._budget.request(), self._watchdog.over(Exchange(self._seconds)) as exchange:
            try:
                answer = self._exchange(exchange, method, target, content)
                failure = ""
            except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
                answer, failure = None, self._words(error)
            if exchange.expired:
                # Also when an answer without a length seemed complete: the cut looked like its end.
                answer, failure = None, self._words(TimeoutError())
        if answer is None:
            if exchange.sent and method != "GET":
                return MaybeSent(reason=failure)
            return NotSent(reason=failure)
        if answer.status == 429:
            self._budget.slow(1.0 if answer.retry_after is None else answer.retry_after)
        return answer

    def ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer | Gone | Failure:
        """A request about one contact, which may be gone; an Answer only when it succeeded."""
        return self.about_contact(self.send(method, path, query=query, body=body), method)

    def about_contact(self, answer: Answer | NotSent | MaybeSent, method: str) -> Answer | Gone | Failure:
        """What an answer about one contact means."""
        if isinstance(answer, (NotSent, MaybeSent)):
            return answer
        if answer.status == 404 and code(answer) == "ContactNotFound":
            return Gone()
        outcome = judge(answer, changes=method != "GET")
        return answer if isinstance(outcome, Delivered) else outcome

    def ask_optional(
        self, endpoint: str, method: str, path: str, *, query: Mapping[str, str] | None = None
    ) -> Answer | Absent | Gone | Failure:
        """As `ask`, of an endpoint that is not documented. Absent: this tenant has none, or our key may not use it.

        endpoint: its name, under which that is remembered for an hour. A documented lookup tells it from a wrong
        address or key.
        """
        if time.monotonic() < self._absent.get(endpoint, 0.0):
            return Absent()
        answer = self.send(method, path, query=query)
        if isinstance(answer, Answer) and answer.status in NO_SUCH_ENDPOINT and code(answer) != "ContactNotFound":
            probed = self.probe()
            if not isinstance(probed, Delivered):
                return probed
            self._absent[endpoint] = time.monotonic() + _ABSENT_SECONDS
            return Absent(status=answer.status)
        return self.about_contact(answer, method)

    def patch(self, contact_id: str, body: Mapping[str, str]) -> Answer | Gone | Failure:
        """PATCH a contact, which is documented: where Engage answers otherwise, 404 means that the contact is gone."""
        answer = self.send("PATCH", contact_path(contact_id), body=dict(body))
        if isinstance(answer, Answer) and answer.status in NO_SUCH_ENDPOINT and code(answer) != "ContactNotFound":
            probed = self.probe()
            if not isinstance(probed, Delivered):
                return probed
            if answer.status == 404:
                return Gone()
            reason = f"answered {answer.status}: Engage does not let our key change contacts"
            return Refused(reason=reason, status=answer.status)
        return self.about_contact(answer, "PATCH")

    def probe(self) -> Outcome:
        """Look up an address nobody has. A 4xx that Engage names (ContactNotFound) says that it takes our key."""
        answer = self.send("GET", "/contacts/id", query=_NOBODY)
        if isinstance(answer, (NotSent, MaybeSent)):
            return answer
        if answer.status in (400, 404, 409) and code(answer) in KNOWN_CODES:
            return Delivered(status=answer.status)
        return judge(answer, changes=False)

    def _words(self, error: Exception) -> str:
        return connection_failure(error, self._host, self._port, self._seconds)

    def _exchange(self, exchange: Exchange, method: str, target: str, content: bytes | None) -> Answer:
        request = f"{method} {target}{self._head}"
        if trace := traceparent():
            request += f"traceparent: {trace}\r\n"
        if content is None:
            request += "\r\n"
        else:
            request += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        connection = self._connection(exchange)
        keep = False
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # Engage stopped reading; its answer may say why
                connection.send(request.encode("ascii") + (content or b""))
            # The response of the standard library: what urllib3's adds (decoding, repeats) is not used here.
            response = http.client.HTTPResponse(connection.sock, method=method)
            with closing(response):
                response.begin()
                raw = _read(response)
                keep = raw is not None and not response.will_close
        finally:
            exchange.finish()  # before another one may use the connection
            if keep and not exchange.expired:
                self._idle.append(connection)
            else:
                connection.close()
        kind, value = _kind(raw, " ".join(response.headers.get_all("Content-Type", [])))
        wait = retry_after(response.headers.get("Retry-After"), time.time())
        return Answer(status=response.status, kind=kind, value=value, retry_after=wait)

    def _connection(self, exchange: Exchange) -> Connection:
        """A kept connection that Engage has not closed, or a new one; it serves this exchange."""
        while self._idle:
            with suppress(IndexError):  # another thread took the last one
                connection = self._idle.pop()
                if connection.is_connected:
                    connection.serve(exchange)
                    return connection
                connection.close()
        connection = connection_to(self._url)
        connection.serve(exchange)
        connection.connect()
        return connection


def _tenant(settings: TransportSettings) -> Tenant:
    url = urlsplit(settings.url)
    port = url.port or (443 if url.scheme == "https" else 80)
    digest = hashlib.sha256(b"tillpost tenant " + settings.api_key.reveal().encode()).hexdigest()
    return Tenant(address=f"{url.scheme}://{url.hostname}:{port}{url.path}", credential=digest[:12])


def contact_path(contact_id: str) -> str:
    """The path of a contact. Raises InvalidValue for what is no contactId, such as `..`."""
    if not is_contact_id(contact_id):
        raise InvalidValue("the contactId is none: it is not made of letters, digits, - and _")
    return f"/contacts/{quote(contact_id, safe='')}"


def _close_all(connections: list[Connection]) -> None:
    while connections:
        connections.pop().close()


def _read(response: http.client.HTTPResponse) -> bytes | None:
    """The body, or None when it is longer than MOST_BYTES."""
    pieces, size = [], 0
    while piece := response.read(65536):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            return None
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(pieces)


def _kind(raw: bytes | None, content_type: str) -> tuple[Kind, Any]:
    if raw is None:
        return "other", None
    if not raw.strip():
        return "empty", None
    if "html" in content_type.lower() or raw.lstrip()[:1] == b"<":
        return "page", None
    try:
        value = wire.loads(raw)
    except ValueError:
        return "other", None
    if isinstance(value, str) and value.lstrip()[:1] == "<":
        return "page", None  # a page as a JSON text
    return "json", value


def _version() -> str:
    try:
        return version("tillpost")
    except PackageNotFoundError:  # run from a source tree
        return "0"
