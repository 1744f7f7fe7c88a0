"""JSON as Engage is given it: money as numbers straight from Decimal, never by way of a binary float."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


def decimal_text(value: Decimal) -> str:
    """A finite decimal with a point and no exponent; zero has no sign."""
    if not value.is_finite():
        raise ValueError("NaN and Infinity are no JSON numbers")
    if not value:
        value = abs(value)
    text = str(value)
    return format(value, "f") if "E" in text else text


def dumps(value: Any) -> bytes:
    """The value as JSON in ASCII. Lone surrogates, which no UTF-8 can carry, become U+FFFD.

    Raises TypeError for a float or any other type that the contract has no place for.
    """
    return _encode(value).encode("ascii")


def loads(raw: bytes) -> Any:
    """JSON with numbers as Decimal. Raises ValueError, also for what `json` alone takes or trips over.

    That is NaN and Infinity, a key that stands twice, half of a surrogate pair, nesting too deep to follow.
    """
    try:
        value = json.loads(raw, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if b"\\ud" in raw.lower():
        json.dumps(value, ensure_ascii=False, default=str).encode()  # UnicodeEncodeError is a ValueError
    return value


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _encode(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(_SURROGATE.sub("\ufffd", value))
        case int():
            return str(int(value))
        case Decimal():
            return decimal_text(value)
        case Mapping():
            return "{" + ",".join(f"{_encode(str(name))}:{_encode(item)}" for name, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_encode, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no JSON form here; money is Decimal")
