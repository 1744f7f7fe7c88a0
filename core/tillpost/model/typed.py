"""The types of a value's fields at run time: what is harmless is taken, anything else is refused with the remedy.

Harmless is what has one meaning: a list for a tuple, the text of a kind, a whole number for a quantity. An amount that
is a float or a text is refused: digits are lost already, or nobody has looked at its decimal mark.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Set
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

import attrs

from tillpost.errors import InvalidValue, WrongType
from tillpost.model.money import checked

_set = object.__setattr__
_MAPPINGS = (dict, MappingProxyType)
_MEASURES: Mapping[str, str] = {"quantity": "a quantity", "percent": "a percentage", "tax_percent": "a percentage"}
"""Decimal fields that are no money: a whole number in them can mean nothing else."""
_WANTED: Mapping[Any, str] = {
    str: "it must be text", bytes: "it must be bytes", bool: "it must be True or False", int: "it must be an int",
    float: "it must be a number of seconds", Path: "it must be a path", tuple: "it must be a tuple",
    Mapping: "it must be a mapping of names to texts", frozenset: "it must be a set of texts",
    date: "it must be a date without a time", datetime: "it must be a datetime with its offset",
}  # fmt: skip
_TEXT = "read it as text: ids and numbers keep their zeros"
_MOMENT = "local_time(datetime.fromtimestamp(seconds, zone), …) of tillpost.kit makes one"
_REMEDIES: Mapping[tuple[Any, type], str] = {
    (Decimal, float): "parse_decimal of tillpost.kit reads the till's text, parse_json numbers of JSON as Decimal",
    (Decimal, str): "parse_decimal of tillpost.kit reads it, written_number what people write",
    (Decimal, int): "Decimal(5) is 5.00; minor units are Decimal(500).scaleb(-minor_digits(currency))",
    (Decimal, NoneType): "Decimal(0) where there is none",
    (date, datetime): "the till's trading day, else the .date() of `created`",
    (date, str): "parse_date of tillpost.kit reads it",
    (datetime, str): "parse_time of tillpost.kit reads it, with the zone of the till",
    (datetime, int): _MOMENT,
    (datetime, float): _MOMENT,
    (str, NoneType): '"" where there is none',
    (str, int): _TEXT,
    (str, float): _TEXT,
    (str, Decimal): _TEXT,
    (str, bytes): "decode it with the encoding of the document",
    (bytes, str): "encode it; best are the bytes of the document",
    (tuple, str): "one text is (text,)",
    (tuple, bytes): "one value is (value,)",
    (tuple, set): "a set has no order; sort it",
    (tuple, NoneType): "() where there is none",
    (Mapping, NoneType): "{} where there is none",
    (float, timedelta): "its .total_seconds()",
    (float, str): "float(text)",
}


_LONGEST_REASON = 1000
"""A value in a record may be of any length, and so may be what a server answers; the message about it not."""


class Typed:
    """Base of the model's values: the types of the fields are checked when one is created. Raises WrongType."""

    __slots__ = ()
    _told: ClassVar[tuple[str, ...]] = ("reason",)
    """Fields that people read: what no file can carry in them is written out, for they are stored and logged."""

    def __attrs_post_init__(self) -> None:
        settle_types(self)
        for name in self._told:
            text = getattr(self, name, "")
            if name == "reason" and len(text) > _LONGEST_REASON:
                text = f"{text[: _LONGEST_REASON - 1]}…"
            if not text.isascii():
                _set(self, name, printable(text))

    def _place(self) -> str:
        """What the value is, for messages; its fields may have any type."""
        return type(self).__name__


def printable(text: str) -> str:
    """A file name or another text as one that can be stored: bytes that are not UTF-8 as \\xNN."""
    try:
        return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    except UnicodeEncodeError:  # a half of a pair that stands for no byte
        return text.encode(errors="backslashreplace").decode()


def check_storable(text: str, field: str, place: str) -> None:
    """Raise InvalidValue for a text that no file can carry; it tells one thing from another, so it is not changed."""
    try:
        text.encode()
    except UnicodeEncodeError:
        remedy = "decode what it is made of as UTF-8, or with parse_clean_json of tillpost.kit"
        raise InvalidValue(f"{field} has a lone surrogate, half a character; {remedy}", place=place) from None


def label(value: Any) -> str:
    """A number or name in a place; "?" for none, and for what is neither, which may hold anything."""
    return str(value) if isinstance(value, str | int) and value != "" else "?"


class _Wrong(Exception):
    """What is wrong with a field: a phrase that follows its name."""


def settle_types(value: Any) -> None:
    """Bring every field of a value that is being created to its type. Raises WrongType."""
    kind: Any = type(value)
    if checked.by_codec or (_tests.get(kind) or _typed_test(kind))(value):
        return
    for name, hint in _hints(kind):
        given = getattr(value, name)
        try:
            taken = _taken(hint, given, name)
        except _Wrong as wrong:
            raise WrongType(f"{name}{wrong}", place=value._place()) from None
        if taken is not given:
            _set(value, name, taken)


@cache
def _hints(kind: Any) -> list[tuple[str, Any]]:
    """The fields that are given when a value is created, each with its type."""
    hints = get_type_hints(kind)
    return [(field.name, hints[field.name]) for field in attrs.fields(kind) if field.init]


_tests: dict[type, Callable[[Any], bool]] = {}


def _typed_test(kind: Any) -> Callable[[Any], bool]:
    """A function that tells whether every field has exactly its type, as in nearly every value.

    It is compiled from the fields, as attrs compiles `__init__`: a loop over them took three times as long.
    """
    names: dict[str, Any] = {"MAPPINGS": _MAPPINGS}
    tests = []
    for at, (field, hint) in enumerate(_hints(kind)):
        given, wanted, origin, of = f"v.{field}", f"k{at}", get_origin(hint), get_args(hint)
        if origin is tuple:
            names[wanted] = {of[0]}
            tests.append(f"type({given}) is tuple and (not {given} or {{*map(type, {given})}} == {wanted})")
        elif origin in (dict, Mapping):
            names[wanted] = {str}
            texts = f"{{*map(type, {given})}} == {wanted} == {{*map(type, {given}.values())}}"
            every = f" and (not {given} or {texts})" if of == (str, str) else ""
            tests.append(f"type({given}) in MAPPINGS{every}")
        elif isinstance(hint, UnionType):
            names[wanted] = of
            tests.append(f"type({given}) in {wanted}")
        else:
            names[wanted] = hint
            tests.append(f"type({given}) is {wanted}")
    _tests[kind] = eval(f"lambda v: {' and '.join(tests)}", names)  # noqa: S307 - made of names of fields
    return _tests[kind]


def _taken(hint: Any, given: Any, field: str) -> Any:
    """The value as a field of this type has it. Raises _Wrong."""
    origin, of = get_origin(hint), get_args(hint)
    if hint is Any:
        return given
    if isinstance(hint, UnionType):
        return None if given is None else _taken(next(kind for kind in of if kind is not NoneType), given, field)
    if origin is tuple:
        if not isinstance(given, list | tuple):
            raise _wrong(tuple, given, field)
        return _each(of[0], given, field)
    if origin is frozenset:
        if not isinstance(given, Set | list | tuple):
            raise _wrong(frozenset, given, field)
        return frozenset(_each(of[0], tuple(given), field))
    if origin in (dict, Mapping):
        return _mapping(of, given, field)
    if issubclass(hint, StrEnum) and given in list(hint):
        return hint(given)
    take = _TAKEN.get(hint)
    taken = take(given, field) if take else given if isinstance(given, hint) else None
    if taken is None:
        raise _wrong(hint, given, field)
    return taken


def _each(kind: Any, given: list[Any] | tuple[Any, ...], field: str) -> tuple[Any, ...]:
    def one(at: int, item: Any) -> Any:
        try:
            return _taken(kind, item, field)
        except _Wrong as wrong:
            raise _Wrong(f"[{at}]{wrong}") from None

    return tuple(one(at, item) for at, item in enumerate(given))


def _mapping(of: tuple[Any, ...], given: Any, field: str) -> Any:
    if not isinstance(given, Mapping):
        raise _wrong(Mapping, given, field)
    if of != (str, str):
        return given
    for name, text in given.items():
        if not isinstance(name, str):
            raise _Wrong(f" has a key that is {_article(name)}; keys are text")
        if not isinstance(text, str):
            hint = "no entry where there is none" if text is None else "str() of it, or the text the till wrote"
            raise _Wrong(f"[{name[:40]!a}] is {_article(text)}; values are text: {hint}")
    return {_text(name, ""): _text(text, "") for name, text in given.items()}


def _text(given: Any, field: str) -> str | None:
    """As a plain text: lxml's texts keep their whole document in memory."""
    return str.__str__(given) if isinstance(given, str) else None


def _decimal(given: Any, field: str) -> Decimal | None:
    if isinstance(given, Decimal):
        return given
    is_whole = isinstance(given, int) and not isinstance(given, bool)
    return Decimal(given) if is_whole and (given == 0 or field in _MEASURES) else None


def _date(given: Any, field: str) -> date | None:
    return given if isinstance(given, date) and not isinstance(given, datetime) else None


def _int(given: Any, field: str) -> int | None:
    return int(given) if isinstance(given, int) and not isinstance(given, bool) else None


def _float(given: Any, field: str) -> float | None:
    return float(given) if isinstance(given, int | float) and not isinstance(given, bool) else None


def _bytes(given: Any, field: str) -> bytes | None:
    return bytes(given) if isinstance(given, bytes | bytearray | memoryview) else None


def _path(given: Any, field: str) -> Path | None:
    return Path(given) if isinstance(given, str | Path) else None


_TAKEN: Mapping[Any, Callable[[Any, str], Any]] = {
    str: _text, Decimal: _decimal, date: _date, int: _int, float: _float, bytes: _bytes, Path: _path,
}  # fmt: skip
"""How a value becomes one of this type; None where it is none."""


def _wrong(kind: Any, given: Any, field: str) -> _Wrong:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _Wrong(_wrong_word(kind, given))
    if kind is Decimal:
        wanted = f"{_MEASURES.get(field, 'money')} is Decimal"
    else:
        wanted = _WANTED.get(kind) or f"it must be {_article_of(kind.__name__)}"
    remedy = next((text for (of, what), text in _REMEDIES.items() if of is kind and type(given) is what), "")
    return _Wrong(f" is {_article(given)}; {wanted}{': ' * bool(remedy)}{remedy}")


def _wrong_word(kind: type[StrEnum], given: Any) -> str:
    known = [each.value for each in kind]
    if not isinstance(given, str):
        return f" is {_article(given)}; it must be one of {', '.join(known)}"
    near = difflib.get_close_matches(given.lower(), known, 1)
    return f" is {given[:40]!a}; " + (f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}")


def _article(given: Any) -> str:
    return "None" if given is None else _article_of(type(given).__name__)


def _article_of(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


_ARGUMENTS = re.compile(r"(\w+)\.__init__\(\) (?:got an unexpected keyword argument '(\w+)'|missing .*|takes .*)")


def wrong_arguments(error: TypeError) -> WrongType | None:
    """What is wrong with the arguments that a value of the model was created with; None for any other error.

    attrs makes `__init__`, so nothing of ours is called before it has refused the names of its arguments.
    """
    found = _ARGUMENTS.fullmatch(str(error))
    kinds: list[Any] = [kind for kind in Typed.__subclasses__() if attrs.has(kind)]
    kind = next((kind for kind in kinds if kind.__name__ == found[1]), None) if found else None
    if found is None or kind is None:
        return None
    fields = [field.name for field in attrs.fields(kind) if field.init]
    if wrong := found[2]:
        near = difflib.get_close_matches(wrong, fields, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"its fields are {', '.join(fields)}"
        return WrongType(f"no field {wrong[:40]!r}; {hint}", place=kind.__name__)
    needed = ", ".join(field.name for field in attrs.fields(kind) if field.init and field.default is attrs.NOTHING)
    return WrongType(f"a field is missing, or was given without its name; needed are {needed}", place=kind.__name__)
