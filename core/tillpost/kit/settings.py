"""Checks of settings that several plugins have: validators and converters for attrs fields; and settings as TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from tillpost.plugin import must

__all__ = [
    "currency_code",
    "host_name",
    "must",
    "no_final_slash",
    "not_empty",
    "over_zero",
    "port_number",
    "toml_key",
    "toml_text",
]

not_empty = must("not be empty", bool)
"""A text or list with something in it."""
over_zero = must("be over 0", lambda value: value > (timedelta(0) if isinstance(value, timedelta) else 0))
"""A number or duration."""
host_name = must(
    "be a name or an address, without a scheme, a user or a path",
    lambda value: value and not any(c <= " " or c in "/@" for c in value),
)
port_number = must("be from 1 to 65535", range(1, 65536).__contains__)
"""A TCP port."""
currency_code = must(
    "be an ISO 4217 code of three capital letters", lambda value: re.fullmatch("([A-Z]{3})?", value) is not None
)
"""A code, or an empty text."""


def no_final_slash(path: str) -> str:
    """The path without slashes at its end; the root stays."""
    return path.rstrip("/") or "/"


def toml_text(value: object) -> str:
    """A value as TOML writes it, on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case Mapping():
            return "{ " + ", ".join(f"{toml_key(str(name))} = {toml_text(item)}" for name, item in value.items()) + " }"
        case list() | tuple():
            return "[ " + ", ".join(toml_text(item) for item in value) + " ]"
    # A JSON string is a TOML basic string, except for DEL and for surrogate pairs, which ensure_ascii would write.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(name: str) -> str:
    """A key as TOML writes it: in quotes where it has to be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_text(name)
