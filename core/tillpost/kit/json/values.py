"""A record's JSON as values: without characters that no file could carry, members by type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn, Self

import attrs

from tillpost.errors import InvalidValue
from tillpost.kit.text import clean
from tillpost.model.json_values import kind_of, parse_json
from tillpost.model.money import is_in_bounds, parse_decimal

# The bytes by which a record can name a character to clean: itself, or an escape.
_SUSPECT = re.compile(rb"\\[ubf]|\xef\xbf[\xbe\xbf]")
_CONTROLS = bytes(code for code in range(0x20) if code not in b"\t\n\r")


def parse_clean_json(content: bytes, *, place: str) -> tuple[Any, int]:
    """`parse_json` with its texts cleaned of characters that no file to Engage can carry, and how many it had."""
    form = parse_json(content, place=place)
    try:
        return clean(form) if _suspect(content) else (form, 0)
    except InvalidValue as error:
        raise error.at(place) from None
    except RecursionError:
        raise InvalidValue("nested too deep", place=place) from None


def _suspect(content: bytes) -> bool:
    if (b"\\" in content or b"\xef" in content) and _SUSPECT.search(content):
        return True
    return len(content.translate(None, _CONTROLS)) != len(content)


@attrs.frozen
class JsonObject:
    """An object of a till's JSON and its place: its members by type.

    A method raises InvalidValue, with the place, for a member of another type, and for a missing one without a default.
    A member that is null counts as missing.
    """

    values: Mapping[str, Any] = attrs.field(repr=False)
    place: str

    @classmethod
    def of(cls, value: Any, place: str) -> Self:
        """The value, which must be an object."""
        if not isinstance(value, dict):
            raise InvalidValue(f"must be an object, and {kind_of(value)}", place=place)
        return cls(value, place)

    def has(self, name: str) -> bool:
        """Whether the member is there and not null."""
        return self.values.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A text, or a whole number as text (ids are written both ways); `default` when it is missing."""
        value = self.values.get(name)
        if isinstance(value, str):  # a record has dozens
            return " ".join(value.split())
        if value is None:
            return self._missing(name) if default is None else default
        if type(value) is not int:
            raise InvalidValue(f"must be text, and {kind_of(value)}", place=f"{self.place}.{name}")
        if abs(value) >= 10**30:
            raise InvalidValue("a number has more than 30 digits", place=f"{self.place}.{name}")
        return str(value)

    def text_or_empty(self, name: str) -> str:
        """The text of a member, "" when it is missing or not a text: for messages about the object."""
        try:
            return self.text(name, "")
        except InvalidValue:
            return ""

    def decimal(self, name: str, default: Decimal | None = None) -> Decimal:
        """A decimal, written as text or number; `default` when it is missing or empty."""
        value = self.values.get(name)
        if value is None or value == "":
            return self._missing(name) if default is None else default
        if isinstance(value, Decimal) and is_in_bounds(value):
            return value
        if type(value) is int:
            if abs(value) >= 10**15:
                raise InvalidValue("out of bounds: a number is finite and below 1e15", place=f"{self.place}.{name}")
            return Decimal(value)
        if not isinstance(value, str | Decimal):
            raise InvalidValue(f"must be a decimal, and {kind_of(value)}", place=f"{self.place}.{name}")
        return parse_decimal(str(value), f"{self.place}.{name}")

    def boolean(self, name: str) -> bool:
        """true or false; missing is false."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise InvalidValue(f"must be true or false, and {kind_of(value)}", place=f"{self.place}.{name}")
        return bool(value)

    def object(self, name: str) -> Self | None:
        """An object, None when it is missing."""
        value = self.values.get(name)
        return None if value is None else type(self).of(value, f"{self.place}.{name}")

    def object_or_empty(self, name: str) -> Self:
        """An object, one without members when it is missing."""
        return self.object(name) or type(self)({}, f"{self.place}.{name}")

    def objects(self, name: str) -> list[Self]:
        """A list of objects; missing is empty."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise InvalidValue(f"must be a list, and {kind_of(value)}", place=f"{self.place}.{name}")
        return [type(self).of(item, f"{self.place}.{name}[{number}]") for number, item in enumerate(value)]

    def _missing(self, name: str) -> NoReturn:
        raise InvalidValue(f"key {name!r} is missing", place=self.place)
