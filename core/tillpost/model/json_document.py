"""JSON as tills write it: strictly read, cut into records that keep their bytes, its members read by type."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Generator, Iterator, Mapping
from decimal import Decimal
from typing import Any, NoReturn

import attrs

from tillpost.errors import DocumentError, LawBroken
from tillpost.model.document import Document
from tillpost.model.money import parse_decimal
from tillpost.model.text import clean

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_STARTS = (b"\xff\xfe", b"\xfe\xff", b"{\x00", b"\x00{", b"[\x00", b"\x00[")
_BLANK = re.compile(r"[ \t\r\n]*")
_SCANNER = json.JSONDecoder(strict=False)
# The bytes by which a record can name a character to clean: itself, or an escape.
_SUSPECT = re.compile(rb"\\[ubf]|\xef\xbf[\xbe\xbf]|[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise LawBroken("a key stands once in an object", "", f"{twice[:40]!a} twice")
    return found


def _constant(name: str) -> NoReturn:
    raise LawBroken("a number is finite", "", name)


# Control characters in a text are no reason to lose the record (RFC 8259 wants them escaped): they are cleaned.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_once,
    parse_constant=_constant,
    parse_float=lambda digits: parse_decimal(digits, ""),
    strict=False,
)


def parse_json(text: str | bytes, *, place: str) -> Any:
    """JSON values, strictly: `json` alone takes duplicate keys and NaN, and its depth error is no ValueError.

    Numbers with a point come as Decimal. Raises LawBroken with the place.
    """
    try:
        return _DECODER.decode(text.decode() if isinstance(text, bytes) else text)
    except LawBroken as error:
        raise LawBroken(error.law, place, error.by) from None
    except UnicodeDecodeError as error:
        raise LawBroken("JSON is UTF-8", place, f"byte {error.start + 1} is not") from None
    except json.JSONDecodeError as error:
        raise LawBroken("must be JSON", place, f"{error.msg} at character {error.pos + 1}") from None
    except ValueError:  # an integer of more digits than Python reads
        raise LawBroken("a number is below 1e15", place, "too many digits") from None
    except RecursionError:
        raise LawBroken("JSON of a receipt is shallow", place, "nested too deep") from None


def parse_clean_json(content: bytes, *, place: str) -> tuple[Any, int]:
    """`parse_json`, its texts without characters that no file to Engage could carry, and how many there were."""
    form = parse_json(content, place=place)
    try:
        return clean(form) if _SUSPECT.search(content) else (form, 0)
    except RecursionError:
        raise LawBroken("JSON of a receipt is shallow", place, "nested too deep") from None


def kind_of(value: Any) -> str:
    """What a JSON value is, in words, for messages."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return f"is {names.get(type(value), 'a number')}"


# --- records -------------------------------------------------------------------------------------------------------


@attrs.frozen
class JsonRecord:
    """One JSON value of a document as it came, and where it stands; not parsed, and perhaps no JSON at all."""

    content: bytes = attrs.field(repr=False)
    place: str


class _Fault(Exception):
    """Where the text ends being JSON, and why."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


Slices = Generator[tuple[int, int], None, int]
"""Start and end of each record in a text; returns where it went on."""


def json_records(document: Document, *, largest: int, lists: Collection[str] = ()) -> Iterator[JsonRecord]:
    """The records of a document: JSON lines, an array, or one object written over many lines.

    lists: names of members whose elements are the records of an object that has one (`{"orders": [ … ]}`).
    largest: bytes that one line, an array or an object over many lines may have; it is held in memory.
    Raises DocumentError for UTF-16, for more bytes than `largest`, and where an array or an object over many lines
    ends being JSON (what stood before is yielded). A line that is no JSON is a record: its neighbours go on.
    """
    with document.open() as file:
        start = file.read(3)
        if start[:2] in _UTF16_STARTS:
            raise DocumentError("is UTF-16; JSON is UTF-8 (RFC 8259): convert it and hand it in again", document.name)
        if start != _UTF8_BOM:
            file.seek(0)
        number, begun = 0, False
        while line := file.readline(largest + 1):
            number += 1
            if not line.strip():
                continue
            if not begun and _goes_on(line):
                yield from _whole(line + file.read(largest + 1 - len(line)), document.name, largest, lists, number)
                return
            begun = True
            if len(line) > largest:
                raise DocumentError(
                    f"the record is larger than {largest} bytes; split it, or raise `largest`",
                    f"{document.name}, line {number}",
                )
            yield from _of_line(line.strip(), f"line {number}", lists)


def _goes_on(line: bytes) -> bool:
    """Whether the document is one value: an array, or an object whose first line ends inside it."""
    return line.lstrip().startswith(b"[") or line.rstrip().endswith((b"{", b"[", b",", b":"))


def _whole(content: bytes, name: str, largest: int, lists: Collection[str], line: int) -> Iterator[JsonRecord]:
    if len(content) > largest:
        raise DocumentError(
            f"an array or object of more than {largest} bytes; write one record a line, or raise `largest`", name
        )
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise DocumentError(f"byte {error.start + 1} is not UTF-8", name) from None
    at = _skip(text, 0)
    counted = 0
    slices = _elements(text, at) if text[at] == "[" else _members(text, at, lists)
    try:
        while True:
            try:
                start, end = next(slices)
            except StopIteration as finished:
                if _skip(text, finished.value) != len(text):
                    raise _Fault("something follows the array or object", finished.value) from None
                return
            line += text.count("\n", counted, start)
            counted = start
            yield JsonRecord(text[start:end].encode(), f"line {line}")
    except _Fault as fault:
        line += text.count("\n", counted, fault.at)
        raise DocumentError(f"{fault}; what stood before is accepted", f"{name}, line {line}") from None


def _of_line(line: bytes, place: str, lists: Collection[str]) -> Iterator[JsonRecord]:
    """A line as its records: itself, or the elements of a list it wraps and, when it ends being JSON, the rest."""
    if not any(f'"{name}"'.encode() in line for name in lists):
        yield JsonRecord(line, place)
        return
    try:
        text = line.decode()
    except UnicodeDecodeError:
        yield JsonRecord(line, place)
        return
    number, done = 0, 0
    slices = _members(text, 0, lists)
    try:
        while True:
            try:
                start, end = next(slices)
            except StopIteration as finished:
                done = _skip(text, finished.value)
                break
            number += 1
            whole = (start, end) == (0, len(text))
            yield JsonRecord(text[start:end].encode(), place if whole else f"{place}, record {number}")
            done = end
    except _Fault:
        pass
    if done < len(text):
        yield JsonRecord(text[done:].encode(), f"{place}, after record {number}" if number else place)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, what: str) -> int:
    """Where the value that begins here ends."""
    try:
        _, end = _SCANNER.raw_decode(text, at)
    except (ValueError, RecursionError):
        raise _Fault(f"{what} is not JSON, or nested too deep", at) from None
    return end


def _elements(text: str, at: int) -> Slices:
    """The elements of the array that begins here."""
    at = _skip(text, at + 1)
    first = True
    while text[at : at + 1] != "]":
        if not first:
            if text[at : at + 1] != ",":
                raise _Fault("the array ends without its bracket or lacks a comma", at)
            at = _skip(text, at + 1)
        first = False
        end = _value(text, at, "an element of the array")
        yield at, end
        at = _skip(text, end)
    return at + 1


def _members(text: str, begin: int, lists: Collection[str]) -> Slices:
    """The elements of the listed arrays of the object that begins here; the object itself when it has none."""
    if text[begin : begin + 1] != "{":
        raise _Fault("is no JSON object", begin)
    at = _skip(text, begin + 1)
    seen: set[str] = set()
    opened = False
    while text[at : at + 1] != "}":
        if seen:
            if text[at : at + 1] != ",":
                raise _Fault("the object ends without its brace or lacks a comma", at)
            at = _skip(text, at + 1)
        end = _value(text, at, "a key")
        name = text[at:end]
        at = _skip(text, end)
        if name in seen or name[:1] != '"' or text[at : at + 1] != ":":
            raise _Fault("a key stands twice, is no text, or lacks its colon", at)
        seen.add(name)
        at = _skip(text, at + 1)
        if name[1:-1] in lists and text[at : at + 1] == "[":
            opened = True
            at = yield from _elements(text, at)
        else:
            at = _value(text, at, f"the value of {name[:40]}")
        at = _skip(text, at)
    if not opened:
        yield begin, at + 1
    return at + 1


# --- members -------------------------------------------------------------------------------------------------------


@attrs.frozen
class JsonObject:
    """An object of a till's JSON and where it stands: its members by type. Each raises LawBroken with the place.

    A member that is null counts as missing: tills write both.
    """

    values: Mapping[str, Any] = attrs.field(repr=False)
    place: str

    @classmethod
    def of(cls, value: Any, place: str) -> JsonObject:
        """The value, which must be an object."""
        if not isinstance(value, dict):
            raise LawBroken("must be an object", place, kind_of(value))
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
            raise LawBroken("must be text", f"{self.place}.{name}", kind_of(value))
        if isinstance(value, int) and abs(value) >= 10**30:
            raise LawBroken("an id has at most 30 digits", f"{self.place}.{name}", "too many")
        return " ".join(value.split()) if isinstance(value, str) else str(value)

    def decimal(self, name: str, default: Decimal | None = None) -> Decimal:
        """A decimal, as text or number. Without a default it must be there."""
        value = self.values.get(name)
        if value is None or value == "":
            return self._missing(name) if default is None else default
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise LawBroken("must be a decimal", f"{self.place}.{name}", kind_of(value))
        if isinstance(value, int) and abs(value) >= 10**15:
            raise LawBroken("must be a finite amount below 1e15", f"{self.place}.{name}", "out of bounds")
        return parse_decimal(str(value), f"{self.place}.{name}")

    def truth(self, name: str) -> bool:
        """true or false; missing is false."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise LawBroken("must be true or false", f"{self.place}.{name}", kind_of(value))
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
            raise LawBroken("must be a list", f"{self.place}.{name}", kind_of(value))
        return [JsonObject.of(item, f"{self.place}.{name}[{number}]") for number, item in enumerate(value)]

    def _missing(self, name: str) -> NoReturn:
        raise LawBroken(f"needs the key {name!r}", self.place, "missing")
