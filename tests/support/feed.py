"""An HTTP server on loopback that answers as a test says, and feeds of vendors as their documentation has them."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs


@attrs.frozen
class Asked:
    """A request as it arrived. headers: names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@attrs.frozen
class Reply:
    """What is answered. content: sent as it is, bytes by bytes when `drip` is set, whose event ends that."""

    content: bytes
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    drip: threading.Event | None = None


def reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON answer; `_` in a header's name stands for `-`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(json.dumps(value).encode(), status, {"Content-Type": "application/json", **named})


@attrs.define
class Feed:
    """A running server. answer: what it says to a request; first: replies that go before it, one a request."""

    answer: Callable[[Asked], Reply]
    url: str = ""
    first: list[Reply] = attrs.field(factory=list)
    asked: list[Asked] = attrs.field(factory=list)


@contextmanager
def serving_feed(answer: Callable[[Asked], Reply], certificate: tuple[Path, Path] | None = None) -> Iterator[Feed]:
    """Serve until the block ends. certificate: its PEM file and that of its key, for TLS."""
    feed = Feed(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, self.rfile.read(length))
            feed.asked.append(asked)
            said = feed.first.pop(0) if feed.first else feed.answer(asked)
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in said.headers:
                self.send_header("Content-Length", str(len(said.content)))
            self.end_headers()
            if said.drip is None:
                self.wfile.write(said.content)
                return
            for number in range(len(said.content)):
                if said.drip.wait(0.05):
                    return
                try:
                    self.wfile.write(said.content[number : number + 1])
                except OSError:
                    return

        do_POST = do_GET  # noqa: N815 - the standard library's name

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the test has `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, certificate))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    feed.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield feed
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def zettle(purchases: list[dict[str, Any]], key: str = "a.zettle.key") -> Callable[[Asked], Reply]:
    """The OAuth API with its assertion grant, and `GET /purchases/v2`."""

    def answer(asked: Asked) -> Reply:
        if asked.path == "/token":
            form = dict(parse_qsl(asked.body.decode()))
            grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
            if form.get("grant_type") != grant or form.get("assertion") != key or not form.get("client_id"):
                return reply({"error": "invalid_grant"}, 400)
            return reply({"access_token": "fetched", "expires_in": 7200})
        if asked.headers.get("authorization") != "Bearer fetched":
            return reply({"errorType": "UNAUTHORIZED"}, 401)
        later = [each for each in purchases if each["timestamp"][:16] >= asked.query.get("startDate", "")]
        if last := asked.query.get("lastPurchaseHash"):
            where = [number for number, each in enumerate(later) if f"hash-{each['purchaseUUID']}" == last]
            later = later[where[0] + 1 :] if where else later
        page = later[: int(asked.query.get("limit", "25"))]
        given: dict[str, Any] = {"purchases": page, "linkUrls": []}
        if page:
            given |= {"firstPurchaseHash": f"hash-{page[0]['purchaseUUID']}"}
            given |= {"lastPurchaseHash": f"hash-{page[-1]['purchaseUUID']}"}
        return reply(given)

    return answer


def square(orders: list[dict[str, Any]], token: str = "square-token") -> Callable[[Asked], Reply]:
    """`POST /v2/orders/search`; a position holds for its own question alone."""

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {token}" or "square-version" not in asked.headers:
            return reply({"errors": [{"category": "AUTHENTICATION_ERROR", "code": "UNAUTHORIZED"}]}, 401)
        wanted = json.loads(asked.body)
        question = wanted["query"]
        assert question["sort"]["sort_field"] == "UPDATED_AT"
        start = question["filter"].get("date_time_filter", {}).get("updated_at", {}).get("start_at", "")
        matching = sorted(
            (each for each in orders if each["updated_at"] >= start), key=lambda each: str(each["updated_at"])
        )
        offset = 0
        if cursor := wanted.get("cursor"):
            offset, of = json.loads(cursor)
            if of != question:
                return reply({"errors": [{"category": "INVALID_REQUEST_ERROR", "code": "INVALID_CURSOR"}]}, 400)
        page = matching[offset : offset + wanted.get("limit", 500)]
        given: dict[str, Any] = {"orders": page} if page else {}
        if len(matching) > offset + len(page):
            given["cursor"] = json.dumps([offset + len(page), question])
        return reply(given)

    return answer


def lightspeed_x(sales: list[dict[str, Any]], token: str = "personal") -> Callable[[Asked], Reply]:
    """`GET /api/2.0/sales` of the X-Series: each change has a version, and `after` asks for later ones."""

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {token}":
            return reply({"error": "Unauthorized"}, 401)
        later = sorted(
            (each for each in sales if each["version"] > int(asked.query.get("after", "0"))),
            key=lambda each: int(each["version"]),
        )
        page = later[: int(asked.query.get("page_size", "100"))]
        versions = [each["version"] for each in page] or [0]
        return reply({"data": page, "version": {"min": min(versions), "max": max(versions)}})

    return answer


def lightspeed_r(sales: list[dict[str, Any]], limit: int = 2) -> Callable[[Asked], Reply]:
    """`GET …/Sale.json` of the R-Series: one sale is an object, none is no key, `next` is a whole address."""

    def answer(asked: Asked) -> Reply:
        start = asked.query.get("timeStamp", ">,").removeprefix(">,")
        matching = [each for each in sales if each["timeStamp"] > start]
        offset = int(asked.query.get("after", "0"))
        page = matching[offset : offset + limit]
        following = ""
        if len(matching) > offset + limit:
            since = asked.query.get("timeStamp", ">,").replace("+", "%2B").replace(">", "%3E")
            following = f"http://{asked.headers['host']}{asked.path}?timeStamp={since}&after={offset + limit}"
        given: dict[str, Any] = {"@attributes": {"next": following, "previous": ""}}
        if page:
            given["Sale"] = page if len(page) > 1 else page[0]
        return reply(given)

    return answer
