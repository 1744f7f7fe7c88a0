"""What all pages share: the lines and their journals to read, the samples, the token, and how HTML is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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


@attrs.frozen(kw_only=True)
class Desk:
    """`lines` are at work and written to by a person's decisions only; `journals` are read, by pipeline."""

    lines: Mapping[str, Line]
    journals: Mapping[str, Journal]
    samples: Samples
    token: Token
    clock: Clock
    templates: jinja2.Environment

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
def desk_of(lines: Sequence[Line], token: Token, clock: Clock) -> Iterator[Desk]:
    """The desk of these lines, with journals of its own to read."""
    with ExitStack() as stack:
        journals = {}
        for line in lines:
            journals[line.name] = Journal.reading(line.journal.folder)
            stack.callback(journals[line.name].close)
        yield Desk(
            lines={line.name: line for line in lines},
            journals=journals,
            samples=Samples(journals, clock),
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
