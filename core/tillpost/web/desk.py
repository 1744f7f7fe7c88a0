"""What all pages share: the lines and their journals to read, the samples, the token, and how HTML is made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import attrs

from tillpost.clock import Clock, iso
from tillpost.flow.line import Line
from tillpost.journal import Journal
from tillpost.version import __version__
from tillpost.web.request import Answer, Request
from tillpost.web.samples import Samples
from tillpost.web.token import Token

if TYPE_CHECKING:
    import jinja2

REFRESH = 10
"""Seconds between two loads of a page whose viewer asked for that."""


class Readers:
    """A journal to read for each line at work; opened and closed as lines come and go."""

    def __init__(self, lines: Callable[[], Sequence[Line]]) -> None:
        self._lines = lines
        self._lock = threading.Lock()
        self._open: dict[Journal, Journal] = {}

    def __call__(self) -> dict[str, Journal]:
        """By pipeline, of the lines there are now."""
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
class Desk:
    """What the pages show, asked anew at each request."""

    current: Callable[[], Sequence[Line]]
    readers: Readers
    samples: Samples
    token: Token
    clock: Clock
    templates: jinja2.Environment

    @property
    def lines(self) -> Mapping[str, Line]:
        """At work now, by pipeline; written to by a person's decisions only."""
        return {line.name: line for line in self.current()}

    @property
    def journals(self) -> Mapping[str, Journal]:
        """Of the lines at work now, by pipeline, to be read."""
        return self.readers()

    def page(self, request: Request, name: str, status: int = 200, **values: Any) -> Answer:
        """A page from its template. With `refresh` in the address the browser loads it again by itself."""
        live = request.method == "GET" and status == 200 and "refresh" in request.query
        text = self.templates.get_template(name).render(
            values,
            now=self.clock.time(),
            path=request.path,
            query=request.query,
            live=live,
            turned=_turned(request, live),
            may_act=self.token.is_cookie(request.cookie()),
            form_value=self.token.form,
            version=__version__,
            several=len(self.lines) > 1,
            every=REFRESH,
        )
        return Answer(body=text.encode(), status=status, headers=(("Refresh", str(REFRESH)),) if live else ())


def _turned(request: Request, live: bool) -> str:
    """The address of a page with loading by itself turned on, or off."""
    kept = {name: value for name, value in request.query.items() if name not in ("refresh", "done")}
    told = urlencode(kept if live else kept | {"refresh": ""})
    return quote(request.path) + (f"?{told}" if told else "")


@contextmanager
def desk_of(lines: Callable[[], Sequence[Line]], token: Token, clock: Clock) -> Iterator[Desk]:
    """The desk of these lines, with journals of its own to read."""
    with closing(Readers(lines)) as readers:
        yield Desk(
            current=lines,
            readers=readers,
            samples=Samples(readers, clock),
            token=token,
            clock=clock,
            templates=_templates(clock),
        )


def _templates(clock: Clock) -> jinja2.Environment:
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        moment=lambda at: iso(at)[:19].replace("T", " "),
        iso=iso,
        ago=lambda at: span(clock.time() - at),
        number=lambda count: f"{count:,.1f}".removesuffix(".0") if isinstance(count, float) else f"{count:,}",
        quoted=lambda text: quote(str(text), safe=""),
        plain=lambda text: "".join(
            char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text
        ),
        masked=lambda text: f"{text[:8]}…" if text else "",
    )
    return made


def span(seconds: float) -> str:
    """How long, in the largest unit of which there are two: `95 s`, `12 min`, `3 days`."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
