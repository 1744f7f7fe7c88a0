"""Checks of settings that several plugins have: validators and converters for attrs fields."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import attrs


def not_empty(_: object, field: attrs.Attribute[Any], value: Any) -> None:
    """Raises ValueError for an empty text or list."""
    if not value:
        raise ValueError(f"{field.name} must not be empty")


def over_zero(_: object, field: attrs.Attribute[Any], value: Any) -> None:
    """Raises ValueError for a number or duration of zero or less."""
    if value <= (timedelta(0) if isinstance(value, timedelta) else 0):
        raise ValueError(f"{field.name} must be over 0")


def host_name(_: object, field: attrs.Attribute[Any], value: str) -> None:
    """Raises ValueError for a text that cannot be a host's name or address."""
    if not value or any(c <= " " or c in "/@" for c in value):
        raise ValueError(f"{field.name} must be a name or an address, without a scheme, a user or a path")


def port_number(_: object, field: attrs.Attribute[Any], value: int) -> None:
    """Raises ValueError for a number that is not a TCP port."""
    if not 0 < value < 65536:
        raise ValueError(f"{field.name} must be from 1 to 65535")


def currency_code(_: object, field: attrs.Attribute[Any], value: str) -> None:
    """Raises ValueError for a text that is neither empty nor three capital letters, as ISO 4217 has them."""
    if value and not re.fullmatch("[A-Z]{3}", value):
        raise ValueError(f"{field.name} must be an ISO 4217 code of three capital letters")


def no_final_slash(path: str) -> str:
    """The path without slashes at its end; the root stays."""
    return path.rstrip("/") or "/"
