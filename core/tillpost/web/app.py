"""The WSGI application: access rights, routes, and the page of a failure."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tillpost.errors import describe
from tillpost.web import actions, overview, probes, receipts
from tillpost.web.address import names_this_machine
from tillpost.web.request import Answer, Failure, Request
from tillpost.web.site import Site

_log = logging.getLogger("tillpost.page")

READ, OPEN, ACT = "read", "open", "act"
"""Who may: everybody on this machine, elsewhere with the token · everybody · signed in."""
_ONE = r"/receipts/(?P<receipt_id>.+)"
ROUTES: tuple[tuple[str, str, str, Callable[..., Answer]], ...] = (
    ("GET", "/", READ, overview.show),
    ("GET", "/receipts", READ, receipts.show),
    ("POST", "/receipts", READ, receipts.find),
    ("POST", f"{_ONE}/retry", ACT, actions.retry),
    ("POST", f"{_ONE}/discard", ACT, actions.discard),
    ("POST", f"{_ONE}/personal", ACT, actions.personal_data),
    ("GET", _ONE, READ, receipts.receipt_page),
    ("GET", "/files", READ, overview.files),
    ("GET", "/contacts", READ, overview.contacts),
    ("GET", "/sign-in", OPEN, actions.sign_in_form),
    ("POST", "/sign-in", OPEN, actions.sign_in),
    ("POST", "/sign-out", ACT, actions.sign_out),
    ("GET", "/healthz", OPEN, probes.healthz),
    ("GET", "/readyz", READ, probes.readyz),
    ("GET", "/metrics", READ, probes.metrics),
)
"""Method, path, who may, handler. The first match counts."""

_STATIC = {"/style.css": "text/css; charset=utf-8", "/icon.svg": "image/svg+xml"}
"""Files of this folder for everybody, with their types."""
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
    """The WSGI application. local: it listens on this machine only, and everybody there may read."""

    def __init__(self, site: Site, local: bool) -> None:
        self._site = site
        self._local = local
        self._static = {path: (Path(__file__).parent / path[1:]).read_bytes() for path in _STATIC}

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request; never raises."""
        answer = self._guarded(environ)
        reason = HTTPStatus(answer.status).phrase
        length = ("Content-Length", str(len(answer.body)))
        start_response(f"{answer.status} {reason}", [("Content-Type", answer.kind), length, *HEADERS, *answer.headers])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def _guarded(self, environ: Mapping[str, Any]) -> Answer:
        request = Request(method="GET", path="/")
        try:
            try:
                request = Request.of(environ)
                return self._answer(request)
            except Failure as failure:
                return self._site.page(request, "error.html", failure.status, message=failure.message)
            except BaseException as error:  # noqa: BLE001 - a request must not end a thread; the log has no personal data
                _log.error("status page: %s", describe(error))
                return self._site.page(request, "error.html", 500, message="This page failed. The log has the reason.")
        except BaseException as error:  # noqa: BLE001 - not even the error page could be rendered
            _log.error("status page: %s", describe(error))
            return Answer(body=b"failed", status=500, kind="text/plain")

    def _answer(self, request: Request) -> Answer:
        site = self._site
        if self._local and not names_this_machine(request.headers.get("host", "")):
            raise Failure(421, "This page is served only under a name or address of this machine.")
        if request.path in _STATIC:
            return Answer(body=self._static[request.path], kind=_STATIC[request.path])
        who, handle, named = _route(request)
        if request.method == "POST" and not request.same_origin():
            raise Failure(403, "The form came from another site.")
        signed_in = site.token.is_cookie(request.cookie())
        if who == READ and not self._local and not signed_in and not site.token.is_token(request.bearer()):
            return site.page(request, "sign_in.html", 401, after=request.path, wrong=False)
        if who == ACT and not (signed_in and site.token.is_form(request.form.get("form", ""))):
            raise Failure(403, "Sign in first, then try again.")
        return handle(site, request, **named)


def _route(request: Request) -> tuple[str, Callable[..., Answer], dict[str, str]]:
    for method, path, who, handle in ROUTES:
        if method == request.method and (fits := re.fullmatch(path, request.path, re.DOTALL)):
            return who, handle, fits.groupdict()
    raise Failure(404, "No such page.")
