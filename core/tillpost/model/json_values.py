"""JSON read strictly: what the standard library lets through and no receipt may have is refused."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from tillpost.errors import InvalidValue
from tillpost.model.money import parse_decimal


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidValue(f"key {twice[:40]!a} occurs twice")
    return found


def _constant(name: str) -> NoReturn:
    raise InvalidValue(f"{name} is not a finite number")


# Control characters in a text are no reason to lose the record (RFC 8259 wants them escaped): they are cleaned.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_once,
    parse_constant=_constant,
    parse_float=lambda digits: parse_decimal(digits, ""),
    strict=False,
)


def parse_json(text: str | bytes, *, place: str) -> Any:
    """JSON values, strictly: `json` alone takes duplicate keys and NaN, and its depth error is no ValueError.

    Numbers with a point come as Decimal. Raises InvalidValue with the place.
    """
    try:
        return _DECODER.decode(text.decode() if isinstance(text, bytes) else text)
    except InvalidValue as error:
        raise error.at(place) from None
    except UnicodeDecodeError as error:
        raise InvalidValue(f"not UTF-8: byte {error.start + 1} is invalid", place=place) from None
    except json.JSONDecodeError as error:
        raise InvalidValue(f"not JSON: {error.msg} at character {error.pos + 1}", place=place) from None
    except ValueError:  # an integer of more digits than Python reads
        raise InvalidValue("a number has too many digits", place=place) from None
    except RecursionError:
        raise InvalidValue("nested too deep", place=place) from None


def kind_of(value: Any) -> str:
    """What a JSON value is, in words, for messages."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return f"is {names.get(type(value), 'a number')}"
