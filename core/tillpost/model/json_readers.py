"""JSON values read into values of the model: what is wrong is named with its path, and nothing is guessed.

A reader raises InvalidValue without saying where it is: the path is put together on the way out, by those it passes,
because nearly every value is right and its path would be made for nothing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar, cast

import attrs

from tillpost.errors import InvalidValue
from tillpost.model.json_values import kind_of
from tillpost.model.money import parse_decimal

T = TypeVar("T")
Reader = Callable[[Any], Any]

_SURROGATE = re.compile("[\ud800-\udfff]")


def within(place: str, error: InvalidValue) -> InvalidValue:
    """The same, further in than `place`: a path goes on with a dot or a bracket, a law of the model with a comma."""
    inner = error.place
    if inner and not inner.startswith((".", "[", " (")):
        inner = f", {inner}"
    return error.at(f"{place}{inner}")


def _object(value: Any, allowed: frozenset[str], needed: frozenset[str], order: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidValue(f"must be an object, and {kind_of(value)}")
    if value.keys() == allowed:
        return value
    for name in value:
        if name not in allowed:
            near = difflib.get_close_matches(str(name), order, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(order)}"
            raise InvalidValue(f"unknown key {str(name)[:40]!a}{hint}")
    for name in order:
        if name in needed and name not in value:
            raise InvalidValue(f"key {name!r} is missing")
    return value


def read_text(value: Any) -> str:
    """Text that UTF-8 can say."""
    if not isinstance(value, str):
        raise InvalidValue(f"must be text, and {kind_of(value)}")
    if not value.isascii() and _SURROGATE.search(value):
        raise InvalidValue("text has a lone surrogate")
    return value


def read_decimal(value: Any) -> Decimal:
    """A finite decimal, of text or of a number."""
    if isinstance(value, str):
        return parse_decimal(read_text(value), "")
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise InvalidValue(f"must be a decimal as text, and {kind_of(value)}")
    return parse_decimal(str(value), "")


def read_pairs(value: Any) -> dict[str, str]:
    """Names and texts."""
    if not isinstance(value, dict):
        raise InvalidValue(f"must be an object, and {kind_of(value)}")
    for name, item in value.items():
        try:
            read_text(name)
        except InvalidValue as error:
            raise within(" (a key)", error) from None
        try:
            read_text(item)
        except InvalidValue as error:
            raise within(f".{name}", error) from None
    return value


def read_moment(value: Any) -> datetime:
    """A time with its offset."""
    try:
        moment = datetime.fromisoformat(read_text(value))
    except ValueError:
        raise InvalidValue("not an ISO 8601 time such as 2026-01-31T12:00:00+01:00") from None
    if moment.tzinfo is None:
        raise InvalidValue("the time has no offset")
    return moment


def read_day(value: Any) -> date:
    """A date."""
    try:
        return date.fromisoformat(read_text(value))
    except ValueError:
        raise InvalidValue("not a date such as 2026-01-31") from None


def reads(made: type[T], **readers: Reader) -> Callable[[Any], T]:
    """A reader for an attrs class whose keys are its fields."""
    fields = [field for field in attrs.fields(cast(Any, made)) if field.init]
    order = [field.name for field in fields]
    allowed = frozenset(order)
    needed = frozenset(field.name for field in fields if field.default is attrs.NOTHING)
    make = cast(Callable[..., T], made)

    def read(value: Any) -> T:
        given = _object(value, allowed, needed, order)
        values = dict(given)
        name = ""
        try:
            for name, item in given.items():
                if name in readers:
                    values[name] = readers[name](item)
                elif type(item) is not str or not item.isascii():
                    read_text(item)
        except InvalidValue as error:
            raise within(f".{name}", error) from None
        return make(**values)

    return read


def nullable(one: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """A reader of what may be null."""
    return lambda value: None if value is None else one(value)


def many(one: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """A reader of a list."""

    def read(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise InvalidValue(f"must be a list, and {kind_of(value)}")
        made: list[T] = []
        try:
            for item in value:
                made.append(one(item))  # noqa: PERF401 - how many were made says which one is wrong
        except InvalidValue as error:
            raise within(f"[{len(made)}]", error) from None
        return tuple(made)

    return read
