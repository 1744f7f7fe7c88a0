"""A request and its answer, without sockets."""

from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

from tillpost_sandbox import wire
from tillpost_sandbox.refusal import RefusalError


@attrs.frozen
class Answer:
    """The answer: status, a JSON value (or a `text` of another type), further headers."""

    status: int
    body: object = None
    headers: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    content_type: str = "application/json; charset=utf-8"

    def content(self) -> bytes:
        """The body as bytes; none for a 204."""
        if self.status == 204:
            return b""
        return (self.text if self.text is not None else wire.dumps(self.body)).encode()


@attrs.frozen
class Request:
    """A request that was read completely. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = attrs.field(repr=False)
    raw: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> "Request":
        """Read the request target; of a query name given twice the last value counts."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return cls(method, parts.path, query, {name.lower(): value for name, value in headers.items()}, raw)

    def json(self) -> object:
        """The body as JSON. Raises RefusalError 415 for another content type, 400 for what is not JSON."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise RefusalError(415, "UnsupportedMediaType", "send Content-Type: application/json")
        try:
            return wire.loads(self.raw)
        except wire.NotJsonError as error:
            raise RefusalError(400, "InvalidJson", str(error)) from None

    def segment(self, text: str) -> str:
        """A path segment, unquoted."""
        return unquote(text)
