"""JSON for Engage: money as numbers straight from Decimal, never by way of a binary float."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


def decimal_text(value: Decimal) -> str:
    """A finite decimal with a point and no exponent; zero has no sign."""
    if not value.is_finite():
        raise ValueError("NaN and Infinity are not JSON numbers")
    if not value:
        value = abs(value)
    text = str(value)
    return format(value, "f") if "E" in text else text


def dumps(value: Any) -> bytes:
    """The value as JSON in ASCII. Lone surrogates, which UTF-8 cannot carry, become U+FFFD.

    Raises TypeError for a float and for any other type the contract does not have.
    """
    return _encode(value).encode("ascii")


def loads(raw: bytes) -> Any:
    """JSON with numbers as Decimal. Raises ValueError, also where `json` alone does not.

    That is for NaN and Infinity, a key given twice, half of a surrogate pair, and nesting that is too deep.
    """
    try:
        value = json.loads(raw, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if b"\\ud" in raw.lower():
        json.dumps(value, ensure_ascii=False, default=str).encode()  # UnicodeEncodeError is a ValueError
    return value


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _encode(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return _text(value)
    if kind is Decimal:
        return decimal_text(value)
    if kind is dict:
        return "{" + ",".join([f"{_name(name)}:{_encode(item)}" for name, item in value.items()]) + "}"
    if kind is list:
        return "[" + ",".join(map(_encode, value)) + "]"
    return _encode_other(value)


def _encode_other(value: Any) -> str:
    """Kinds that are rare, and subclasses of those above."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case int():
            return str(int(value))
        case Decimal():
            return decimal_text(value)
        case Mapping():
            return _encode(dict(value))
        case list() | tuple():
            return _encode(list(value))
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON; money is Decimal")


def _text(value: str) -> str:
    return _quoted(value if value.isascii() else _SURROGATE.sub("\ufffd", value))


@lru_cache(1024)
def _name(name: Any) -> str:
    """A name as JSON; cached, for the same few come again and again."""
    return _text(str(name))
