"""The server of the page: cheroot with a few threads."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tillpost.clock import SystemClock
from tillpost.compose.alert_settings import AlertSettings
from tillpost.errors import TillpostError, UsageError, describe
from tillpost.flow.line import Line
from tillpost.web.address import is_local, parse
from tillpost.web.token import FILE, Token

_log = logging.getLogger("tillpost.page")
THREADS = 8
"""Requests at the same time; a browser also opens connections that it does not use."""


def check(listen: str) -> None:
    """Raise UsageError when the page cannot be served there, before anything is started."""
    parse(listen)
    missing = [name for name in ("cheroot", "jinja2") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f'--status needs {" and ".join(missing)}, not installed here: run pip install "tillpost[status]"'
        )


@contextmanager
def serving(
    listen: str,
    lines: Callable[[], Sequence[Line]],
    state: Path,
    limits: Callable[[], AlertSettings] = AlertSettings,
) -> Iterator[Path]:
    """Serve the page of these lines. Gives the file of the token, which lies in `state`.

    lines, limits: asked at each request, for a reload may have changed them. Raises TillpostError when it cannot listen
    there.
    """
    from cheroot.wsgi import Server

    from tillpost.web.app import App
    from tillpost.web.site import open_site

    host, port = parse(listen)
    clock, stop = SystemClock(), threading.Event()
    with open_site(lines, Token.kept_in(state), clock, limits) as site:
        server = Server(
            (host, port), App(site, is_local(host)), numthreads=THREADS, server_name="tillpost", shutdown_timeout=2
        )
        server.max_request_header_size = 16 << 10
        server.max_request_body_size = 64 << 10
        server.error_log = _log_error  # type: ignore[method-assign]
        server.bind_socket = _bind  # type: ignore[method-assign]
        try:
            server.prepare()
        except OSError as error:
            server.stop()
            raise TillpostError(f"--status: cannot listen at {listen}: {_why(error)}") from None
        threads = [
            threading.Thread(target=server.serve, name="page", daemon=True),
            threading.Thread(target=site.samples.keep_taking, args=(stop,), name="page-samples", daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield state / FILE
        finally:
            stop.set()
            server.stop()
            for thread in threads:
                thread.join(5)


def _bind(bound: socket.socket, address: Any) -> socket.socket:
    """Bind, or close: cheroot leaves a socket open whose address is taken."""
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _why(error: OSError) -> str:
    return "another program listens there" if "in use" in str(error) else str(error.strerror or error)


def _log_error(msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
    """Log errors without cheroot's own text, which may quote a request."""
    error = sys.exc_info()[1]
    if traceback and error is not None and not isinstance(error, OSError):
        _log.error("status page: %s", describe(error))
