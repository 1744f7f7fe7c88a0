"""JSON of a till as values: strictly read, cleaned, its members by type."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

import attrs

from tillpost.errors import InvalidValue
from tillpost.model.money import parse_decimal
from tillpost.model.text import clean

# The bytes by which a record can name a character to clean: itself, or an escape.
_SUSPECT = re.compile(rb"\\[ubf]|\xef\xbf[\xbe\xbf]")
_CONTROLS = bytes(code for code in range(0x20) if code not in b"\t\n\r")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidValue("a key stands once in an object", "", f"{twice[:40]!a} twice")
    return found


def _constant(name: str) -> NoReturn:
    raise InvalidValue("a number is finite", "", name)


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
        raise InvalidValue(error.law, place, error.by) from None
    except UnicodeDecodeError as error:
        raise InvalidValue("JSON is UTF-8", place, f"byte {error.start + 1} is not") from None
    except json.JSONDecodeError as error:
        raise InvalidValue("must be JSON", place, f"{error.msg} at character {error.pos + 1}") from None
    except ValueError:  # an integer of more digits than Python reads
        raise InvalidValue("a number is below 1e15", place, "too many digits") from None
    except RecursionError:
        raise InvalidValue("JSON of a receipt is shallow", place, "nested too deep") from None


def parse_clean_json(content: bytes, *, place: str) -> tuple[Any, int]:
    """`parse_json`, its texts without characters that no file to Engage could carry, and how many there were."""
    form = parse_json(content, place=place)
    try:
        return clean(form) if _suspect(content) else (form, 0)
    except RecursionError:
        raise InvalidValue("JSON of a receipt is shallow", place, "nested too deep") from None


def _suspect(content: bytes) -> bool:
    if (b"\\" in content or b"\xef" in content) and _SUSPECT.search(content):
        return True
    return len(content.translate(None, _CONTROLS)) != len(content)


def kind_of(value: Any) -> str:
    """What a JSON value is, in words, for messages."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return f"is {names.get(type(value), 'a number')}"


@attrs.frozen
class JsonObject:
    """An object of a till's JSON and where it stands: its members by type. Each raises InvalidValue with the place.

    A member that is null counts as missing: tills write both.
    """

    values: Mapping[str, Any] = attrs.field(repr=False)
    place: str

    @classmethod
    def of(cls, value: Any, place: str) -> JsonObject:
        """The value, which must be an object."""
        if not isinstance(value, dict):
            raise InvalidValue("must be an object", place, kind_of(value))
        return cls(value, place)

    def has(self, name: str) -> bool:
        """Whether the member is there and not null."""
        return self.values.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A text, or a whole number as text (ids are written both ways). Without a default it must be there."""
        value = self.values.get(name)
        if value is None:
            return self._missing(name) if default is None else default
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise InvalidValue("must be text", f"{self.place}.{name}", kind_of(value))
        if isinstance(value, int) and abs(value) >= 10**30:
            raise InvalidValue("an id has at most 30 digits", f"{self.place}.{name}", "too many")
        return " ".join(value.split()) if isinstance(value, str) else str(value)

    def decimal(self, name: str, default: Decimal | None = None) -> Decimal:
        """A decimal, as text or number. Without a default it must be there."""
        value = self.values.get(name)
        if value is None or value == "":
            return self._missing(name) if default is None else default
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise InvalidValue("must be a decimal", f"{self.place}.{name}", kind_of(value))
        if isinstance(value, int) and abs(value) >= 10**15:
            raise InvalidValue("must be a finite amount below 1e15", f"{self.place}.{name}", "out of bounds")
        return parse_decimal(str(value), f"{self.place}.{name}")

    def truth(self, name: str) -> bool:
        """true or false; missing is false."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise InvalidValue("must be true or false", f"{self.place}.{name}", kind_of(value))
        return bool(value)

    def object(self, name: str) -> JsonObject | None:
        """An object, None when it is missing."""
        value = self.values.get(name)
        return None if value is None else JsonObject.of(value, f"{self.place}.{name}")

    def objects(self, name: str) -> list[JsonObject]:
        """A list of objects; missing is empty."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise InvalidValue("must be a list", f"{self.place}.{name}", kind_of(value))
        return [JsonObject.of(item, f"{self.place}.{name}[{number}]") for number, item in enumerate(value)]

    def _missing(self, name: str) -> NoReturn:
        raise InvalidValue(f"needs the key {name!r}", self.place, "missing")
