"""Converts single TOML values to the types a Settings class declares.

Each function takes the TOML value and raises SettingError, whose message has the value unless it is a secret.
"""

from __future__ import annotations

import os
import re
import zoneinfo
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tillpost.plugin import Secret

_USER = re.compile(r"//[^/?#\s]*@")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_FORMS = "Write a number with its unit (ms, s, m, h, d) in quotes, without a blank."


class SettingError(Exception):
    """A value is wrong for its key: why, and what to write instead."""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


def show(value: Any) -> str:
    """A value as TOML, on one line and shortened, without the user and password of an address."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        value = _USER.sub("//…@", value)
        text = ascii(value) if not value.isprintable() else f'"{value}"'
        return text if len(text) <= 60 else text[:56] + '…"'
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return str(value)[:60]


def suggestion(name: str, known: Iterable[str]) -> str:
    """`Did you mean "x"?` with the nearest known name, else a list of the known names."""
    names = sorted(known)
    if close := get_close_matches(name, names, n=1, cutoff=0.6):
        return f'Did you mean "{close[0]}"?'
    return f"Known here: {', '.join(names)}." if names else ""


def text(value: Any) -> str:
    """A string only: a number would lose the leading zeros of an id."""
    if not isinstance(value, str):
        raise SettingError(f"must be text, and is {show(value)}.", "Put it in quotes.")
    return value


def integer(value: Any) -> int:
    """An integer; `true` is not one."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise SettingError(f"must be a whole number, and is {show(value)}.", "Write digits without quotes.")
    return value


def boolean(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise SettingError(f"must be true or false, and is {show(value)}.", "Write true or false without quotes.")
    return value


def decimal(value: Any) -> Decimal:
    """An exact decimal, never converted through a float."""
    with suppress(InvalidOperation):
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool) and Decimal(value).is_finite():
            return Decimal(value)
    raise SettingError(f"must be a number, and is {show(value)}.", 'Write it as 12.50 or "12.50".')


def number(value: Any) -> float:
    """A finite number as a float, for rates."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool) and Decimal(value).is_finite():
        with suppress(OverflowError):
            return float(value)
    raise SettingError(f"must be a number, and is {show(value)}.", "Write it as 50 or 0.5, without quotes.")


def duration(value: Any) -> timedelta:
    """A duration: a number and its unit in one string."""
    if not isinstance(value, str) or (match := _DURATION.fullmatch(value)) is None:
        raise SettingError(f'must be a duration such as "30s" or "15m", and is {show(value)}.', _FORMS)
    try:
        return timedelta(milliseconds=float(match[1]) * _MILLISECONDS[match[2]])
    except OverflowError:
        raise SettingError(f"must be a shorter duration, and is {show(value)}.") from None


def path(value: Any, folder: Path) -> Path:
    """A path, relative to the folder of the configuration."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise SettingError(f"must be a path, and is {show(value)}.", "Write it in quotes, relative to this file.")
    return folder / value


def time_zone(value: Any) -> ZoneInfo:
    """A time zone by its IANA name."""
    if isinstance(value, str) and value:
        with suppress(KeyError, ValueError, OSError):
            return ZoneInfo(value)
    known = zoneinfo.available_timezones()
    close = suggestion(value, known) if isinstance(value, str) else ""
    raise SettingError(
        f'must be a time zone such as "Europe/Stockholm", and is {show(value)}.',
        close if close.startswith("Did") else "",
    )


def secret(value: Any, folder: Path) -> Secret:
    """A secret from the environment or a file; a literal one is accepted, with the origin "literal"."""
    hint = 'Write { env = "NAME" } or { file = "path" }.'
    if isinstance(value, str) and value:
        return Secret(value)
    if not isinstance(value, Mapping) or len(value) != 1 or not set(value) <= {"env", "file"}:
        raise SettingError("must be a secret from a variable or a file.", hint)
    ((kind, name),) = value.items()
    if not isinstance(name, str) or not name or "\0" in name or ("=" in name and kind == "env"):
        raise SettingError(f"{kind} must name a {'variable' if kind == 'env' else 'file'}.", hint)
    if kind == "env":
        if not (held := os.environ.get(name, "").strip()):
            state = "empty" if name in os.environ else "not set"
            raise SettingError(f"environment variable {name} is {state}.", f"Set {name} before starting.")
        return Secret(held, f"env {name}")
    place = folder / name
    try:
        held = place.read_text(encoding="utf-8").strip()
    except OSError as err:
        raise SettingError(f"file {place} cannot be read: {err.strerror}.", "Create it, or fix the path.") from None
    except UnicodeDecodeError:
        raise SettingError(f"file {place} is not UTF-8 text.", "Put the bare secret into it.") from None
    if not held:
        raise SettingError(f"file {place} is empty.", "Put the secret into it.")
    return Secret(held, f"file {place}")
