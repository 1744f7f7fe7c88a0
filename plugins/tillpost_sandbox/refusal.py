"""A request that Engage answers with an error."""

import attrs


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

    def body(self) -> dict[str, object]:
        """The JSON body of the answer."""
        return {
            "errorCode": self.code,
            "message": self.message,
            "errors": [{"field": error.field, "message": error.message} for error in self.errors],
        }
