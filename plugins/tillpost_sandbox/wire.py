"""JSON of the sandbox: read strictly, decimals written exactly."""

import json
from decimal import Decimal
from typing import NoReturn


class NotJsonError(ValueError):
    """The bytes are not the JSON the sandbox accepts; the text says why, without quoting the content."""


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    seen = dict(pairs)
    if len(seen) != len(pairs):
        raise NotJsonError("an object names the same key twice")
    return seen


def _no_constant(_name: str) -> NoReturn:
    raise NotJsonError("NaN and Infinity are not JSON numbers")


def loads(raw: bytes) -> object:
    """Decode UTF-8 JSON; fractions become Decimal.

    Raises NotJsonError for anything RFC 8259 does not allow, for duplicate keys and for too deep nesting.
    """
    try:
        return json.loads(
            raw.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_no_duplicates,
        )
    except UnicodeDecodeError:
        raise NotJsonError("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise NotJsonError(f"not JSON at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotJsonError("nested too deeply") from None
    except NotJsonError:
        raise
    except ValueError:  # an integer of more digits than Python converts
        raise NotJsonError("a number is too long") from None


def dumps(value: object) -> str:
    """Encode as JSON; a Decimal becomes a number with exactly its digits, never by way of a float."""
    match value:
        case Decimal():
            return format(value, "f")
        case dict():
            return "{" + ", ".join(f"{json.dumps(str(k))}: {dumps(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(dumps(item) for item in value) + "]"
        case _:
            return json.dumps(value)
