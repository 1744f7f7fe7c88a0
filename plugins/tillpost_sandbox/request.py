"""A request, its answer, and a refusal, without sockets."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs

from tillpost_sandbox import wire


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
class FieldError:
    """One error in a body: where (a path such as `items[0].sku`) and what; never the value."""

    field: str
    message: str


@attrs.define
class RefusalError(Exception):
    """An answer other than 2xx: its status, Engage's name for it and a sentence.

    The names (ContactNotFound, MultipleMatches, …) are those of the vendor's page on contacts/id. The shape
    of an error body is not published: the sandbox answers `errorCode`, `message` and `errors`.
    """

    status: int
    code: str
    message: str
    errors: tuple[FieldError, ...] = ()

    def answer(self, *headers: tuple[str, str]) -> Answer:
        """The refusal as it is sent."""
        errors = [attrs.asdict(error) for error in self.errors]
        return Answer(self.status, {"errorCode": self.code, "message": self.message, "errors": errors}, headers)


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


def as_object(body: object) -> dict[str, Any]:
    """A body that is a JSON object. Raises RefusalError 400."""
    if not isinstance(body, dict):
        raise RefusalError(400, "InvalidBody", "the body must be a JSON object")
    return body
