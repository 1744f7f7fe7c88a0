"""From a request to an answer: who may ask, which page it is, and what is said when it fails."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tillpost.errors import describe
from tillpost.web import actions, lists, machines, overview, receipts
from tillpost.web.address import names_this_machine
from tillpost.web.desk import Desk
from tillpost.web.request import Answer, Failure, Request

_log = logging.getLogger("tillpost.page")

READ, OPEN, ACT = "read", "open", "act"
"""Who may: everybody on this machine, elsewhere who has the token · everybody · who has entered the token."""
_ONE = r"/receipts/(?P<receipt_id>.+)"
ROUTES: tuple[tuple[str, str, str, Callable[..., Answer]], ...] = (
    ("GET", "/", READ, overview.show),
    ("GET", "/receipts", READ, receipts.show),
    ("POST", "/receipts", READ, receipts.find),
    ("POST", f"{_ONE}/retry", ACT, actions.retry),
    ("POST", f"{_ONE}/discard", ACT, actions.discard),
    ("POST", f"{_ONE}/personal", ACT, actions.personal),
    ("GET", _ONE, READ, receipts.life),
    ("GET", "/files", READ, lists.files),
    ("GET", "/contacts", READ, lists.contacts),
    ("GET", "/token", OPEN, actions.token_form),
    ("POST", "/token", OPEN, actions.enter_token),
    ("POST", "/token/forget", ACT, actions.forget_token),
    ("GET", "/healthz", OPEN, machines.healthz),
    ("GET", "/readyz", READ, machines.readyz),
    ("GET", "/metrics", READ, machines.metrics),
)
"""Method, path, who may, and the page. The first that fits."""

_STATIC = {"/style.css": "text/css; charset=utf-8", "/icon.svg": "image/svg+xml"}
"""Files of this folder that anybody may have, and what they are."""
HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


class App:
    """The WSGI application. local: it listens on this machine only, where whoever is on it may read."""

    def __init__(self, desk: Desk, local: bool) -> None:
        self._desk = desk
        self._local = local
        self._static = {path: (Path(__file__).parent / path[1:]).read_bytes() for path in _STATIC}

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request; never raises."""
        answer = self._answered(environ)
        reason = HTTPStatus(answer.status).phrase
        length = ("Content-Length", str(len(answer.body)))
        start_response(f"{answer.status} {reason}", [("Content-Type", answer.kind), length, *HEADERS, *answer.headers])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def _answered(self, environ: Mapping[str, Any]) -> Answer:
        request = Request(method="GET", path="/")
        try:
            try:
                request = Request.of(environ)
                return self._answer(request)
            except Failure as failure:
                return self._desk.page(request, "error.html", failure.status, said=failure.said)
            except Exception as error:  # noqa: BLE001 - a request must not end a thread; the log has no personal data
                _log.error("status page: %s", describe(error))
                return self._desk.page(request, "error.html", 500, said="This page failed; the log says why.")
        except Exception as error:  # noqa: BLE001 - not even the page that says so could be made
            _log.error("status page: %s", describe(error))
            return Answer(body=b"failed", status=500, kind="text/plain")

    def _answer(self, request: Request) -> Answer:
        desk = self._desk
        if self._local and not names_this_machine(request.headers.get("host", "")):
            raise Failure(421, "This page is served to this machine only, under its own name or address.")
        if request.path in _STATIC:
            return Answer(body=self._static[request.path], kind=_STATIC[request.path])
        who, handle, named = _route(request)
        if request.method == "POST" and not request.same_origin():
            raise Failure(403, "The form was sent from another site.")
        entered = desk.token.is_cookie(request.cookie())
        if who == READ and not self._local and not entered and not desk.token.is_token(request.bearer()):
            return desk.page(request, "token.html", 401, after=request.path, wrong=False)
        if who == ACT and not (entered and desk.token.is_form(request.form.get("form", ""))):
            raise Failure(403, "Enter the token first, then do it again.")
        return handle(desk, request, **named)


def _route(request: Request) -> tuple[str, Callable[..., Answer], dict[str, str]]:
    for method, path, who, handle in ROUTES:
        if method == request.method and (fits := re.fullmatch(path, request.path, re.DOTALL)):
            return who, handle, fits.groupdict()
    raise Failure(404, "There is no such page.")
