"""What all pages share: the running lines, their journals for reading, samples, token, clock and templates."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import attrs

from tillpost.clock import Clock, iso
from tillpost.compose.alert_settings import AlertSettings
from tillpost.flow.line import Line
from tillpost.journal import Journal
from tillpost.journal.states import confirmation
from tillpost.reports.labels import delivery
from tillpost.terminal import amount, counted, span
from tillpost.version import __version__
from tillpost.web.request import Answer, Request
from tillpost.web.samples import Samples
from tillpost.web.token import Token

if TYPE_CHECKING:
    import jinja2
    import markupsafe

REFRESH = 10
"""Seconds between two loads of a page with auto-refresh."""
LISTED = 100
"""Receipts, files of a state or contacts in a list."""


class Readers:
    """A read-only journal for each running line; opened and closed as lines come and go."""

    def __init__(self, lines: Callable[[], Sequence[Line]]) -> None:
        self._lines = lines
        self._lock = threading.Lock()
        self._open: dict[Journal, Journal] = {}

    def __call__(self) -> dict[str, Journal]:
        """By pipeline, of the lines that run now."""
        with self._lock:
            lines = self._lines()
            for gone in self._open.keys() - {line.journal for line in lines}:
                self._open.pop(gone).close()
            for line in lines:
                if line.journal not in self._open:
                    self._open[line.journal] = Journal.read_only(line.journal.folder)
            return {line.name: self._open[line.journal] for line in lines}

    def close(self) -> None:
        """Close them all."""
        for journal in self._open.values():
            journal.close()


@attrs.frozen(kw_only=True)
class Site:
    """What the pages show; lines and journals are those at the time of the request."""

    current: Callable[[], Sequence[Line]]
    readers: Readers
    samples: Samples
    token: Token
    clock: Clock
    limits: Callable[[], AlertSettings]
    """The limits of the alert rules now."""
    templates: jinja2.Environment

    @property
    def lines(self) -> Mapping[str, Line]:
        """The running lines by pipeline; only a person's decision writes to them."""
        return {line.name: line for line in self.current()}

    @property
    def journals(self) -> Mapping[str, Journal]:
        """The journals of the running lines by pipeline, for reading."""
        return self.readers()

    def page(self, request: Request, name: str, status: int = 200, **values: Any) -> Answer:
        """A page from its template. With `refresh` in the address the browser reloads it by itself."""
        live = request.method == "GET" and status == 200 and "refresh" in request.query
        text = self.templates.get_template(name).render(
            values,
            now=self.clock.time(),
            path=request.path,
            query=request.query,
            live=live,
            refresh_link=_refresh_link(request, live),
            signed_in=self.token.is_cookie(request.cookie()),
            form_value=self.token.form,
            version=__version__,
            several=len(self.lines) > 1,
            refresh_seconds=REFRESH,
            listed=LISTED,
            zone=_zone(self.clock.time()),
        )
        return Answer(body=text.encode(), status=status, headers=(("Refresh", str(REFRESH)),) if live else ())


def _refresh_link(request: Request, live: bool) -> str:
    """The address of the page with auto-refresh turned on, or off."""
    kept = {name: value for name, value in request.query.items() if name not in ("refresh", "done")}
    query = urlencode(kept if live else kept | {"refresh": ""})
    return quote(request.path) + (f"?{query}" if query else "")


def _zone(now: float) -> str:
    """The time zone of the times on a page: `UTC`, or such as `CET (UTC+01:00)`."""
    local = datetime.fromtimestamp(now, UTC).astimezone()
    return "UTC" if not local.utcoffset() else f"{local.tzname()} (UTC{local.isoformat()[-6:]})"


@contextmanager
def open_site(
    lines: Callable[[], Sequence[Line]],
    token: Token,
    clock: Clock,
    limits: Callable[[], AlertSettings] = AlertSettings,
) -> Iterator[Site]:
    """The site of these lines, with journals of its own for reading."""
    with closing(Readers(lines)) as readers:
        samples, templates = Samples(readers, clock), _templates(clock)
        yield Site(
            current=lines, readers=readers, samples=samples, token=token, clock=clock, limits=limits,
            templates=templates,
        )  # fmt: skip


def _coded(text: str) -> markupsafe.Markup:
    """A sentence with what stands between backticks as code."""
    import markupsafe

    parts = [markupsafe.escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return markupsafe.escape(text)  # one that is not closed
    code = [
        markupsafe.Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in enumerate(parts)
    ]
    return markupsafe.Markup("").join(code)


def _templates(clock: Clock) -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        moment=lambda at: iso(at)[:19].replace("T", " "),
        iso=iso,
        counted=counted,
        amount=lambda entry: amount(entry.total, entry.currency),
        delivery=lambda entry: delivery(entry.route, confirmation(entry.state, entry.route, entry.verified_at)),
        ago=lambda at: span(clock.time() - at),
        number=lambda count: f"{count:,.1f}".removesuffix(".0") if isinstance(count, float) else f"{count:,}",
        quoted=lambda text: quote(str(text), safe=""),
        plain=lambda text: "".join(
            char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text
        ),
        coded=_coded,
        masked=lambda text: f"{text[:8]}…" if text else "",
    )
    return environment
