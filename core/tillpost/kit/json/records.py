"""JSON documents of tills, cut into records that keep their bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Generator, Iterator

import attrs

from tillpost.errors import DocumentError
from tillpost.model.document import Document

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_STARTS = (b"\xff\xfe", b"\xfe\xff", b"{\x00", b"\x00{", b"[\x00", b"\x00[")
_GZIP = b"\x1f\x8b\x08"
_BLANK = re.compile(r"[ \t\r\n]*")
_SCANNER = json.JSONDecoder(strict=False)
_DEEPEST = 16
"""Lists in lists, and objects around lists in those: pages of pages have two or three."""


@attrs.frozen
class JsonRecord:
    """The bytes of one JSON value of a document and its place ("line 3"); not parsed, and perhaps not JSON."""

    content: bytes = attrs.field(repr=False)
    place: str


class _Fault(Exception):
    """The position where the text is not JSON, and why."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


Slices = Generator[tuple[int, int], None, int]
"""Start and end of each record in a text; returns the position after the last."""


def json_records(document: Document, *, largest: int, lists: Collection[str] = ()) -> Iterator[JsonRecord]:
    """The records of a document: JSON lines, an array, or one object written over many lines.

    lists: names of members whose elements are the records of an object that has one (`{"orders": [ … ]}`). A record
    that is a list, or such an object, is read as its elements wherever it stands, as it is when it is read alone.
    largest: bytes that one line, an array or an object over many lines may have; it is held in memory.
    Raises DocumentError for UTF-16, for more bytes than `largest`, where gzip begins, where an array or an object over
    many lines ends being JSON (what is before it is yielded), and for a document without records. A line that is not
    JSON is a record, and the next lines are read.
    """
    nothing = True
    for record in _records(document, largest, lists):
        nothing = False
        yield record
    if nothing:
        raise DocumentError("has no record: it is empty, or its list has no elements", document.name)


def _records(document: Document, largest: int, lists: Collection[str]) -> Iterator[JsonRecord]:
    with document.open() as file:
        start = file.read(3)
        if start[:2] in _UTF16_STARTS:
            raise DocumentError("is UTF-16; JSON is UTF-8 (RFC 8259): convert it and hand it in again", document.name)
        if start != _UTF8_BOM:
            file.seek(0)
        number, begun = 0, False
        names = [f'"{name}"'.encode() for name in lists]
        while line := file.readline(largest + 1):
            number += 1
            line = line.removeprefix(_UTF8_BOM)  # of a file that was joined to the one before
            record = line.strip()
            if not record:
                continue
            if record.startswith(_GZIP):
                raise DocumentError(
                    "begins a gzip file, which is no JSON; hand it in unpacked, as a file of its own",
                    f"{document.name}, line {number}",
                )
            if not begun and _goes_on(line):
                rest = file.read(largest + 1 - len(line))
                if rest.strip() or not _has_more_than_a_value(line):
                    yield from _whole(line + rest, document.name, largest, lists, number)
                    return
            begun = True
            if len(line) > largest:
                raise DocumentError(
                    f"the record is larger than {largest} bytes; split it, or raise `largest`",
                    f"{document.name}, line {number}",
                )
            if record.startswith(b"[") or (names and any(map(record.__contains__, names))):
                yield from _of_line(record, f"line {number}", lists)
            else:
                yield JsonRecord(record, f"line {number}")


def _goes_on(line: bytes) -> bool:
    """Whether the document is one value: an array, or an object whose first line ends inside it."""
    return line.lstrip().startswith(b"[") or line.rstrip().endswith((b"{", b"[", b",", b":"))


def _has_more_than_a_value(line: bytes) -> bool:
    """Whether a line that goes on does so behind a whole object: alone, it is held as it is among other lines."""
    try:
        _SCANNER.raw_decode(line.decode().lstrip())
    except (ValueError, RecursionError):
        return False
    return not line.lstrip().startswith(b"[")


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
                    raise _Fault("there is text after the array or object", finished.value) from None
                return
            for begin, stop in _flat(text, start, end, lists):
                line += text.count("\n", counted, begin)
                counted = begin
                yield JsonRecord(text[begin:stop].encode(), f"line {line}")
    except _Fault as fault:
        line += text.count("\n", counted, fault.at)
        raise DocumentError(f"{fault}; what is before it is accepted", f"{name}, line {line}") from None


def _of_line(line: bytes, place: str, lists: Collection[str]) -> Iterator[JsonRecord]:
    """A line as its records: itself, or the elements of a list it is or wraps and, at a fault, the rest."""
    is_list = line.startswith(b"[")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        yield JsonRecord(line, place)
        return
    number, done = 0, 0
    slices = _elements(text, 0) if is_list else _members(text, 0, lists)
    try:
        while True:
            try:
                start, end = next(slices)
            except StopIteration as finished:
                done = _skip(text, finished.value) if number or not is_list else 0
                break
            for begin, stop in [(0, end)] if start == 0 else _flat(text, start, end, lists):
                number += 1
                whole = (begin, stop) == (0, len(text))
                yield JsonRecord(text[begin:stop].encode(), place if whole else f"{place}, record {number}")
                done = stop
            done = end
    except _Fault:
        pass
    if done < len(text):
        yield JsonRecord(text[done:].encode(), f"{place}, after record {number}" if number else place)


def _flat(text: str, start: int, end: int, lists: Collection[str], depth: int = 0) -> Iterator[tuple[int, int]]:
    """Start and end of the value that stands here, or of each in it where it is a list or an object around one.

    An empty one is itself, so that it is not dropped without a word.
    """
    inner: Slices | None = None
    if text[start] == "[":
        inner = _elements(text, start) if text[_skip(text, start + 1)] != "]" else None
    elif lists and any(text.find(f'"{name}"', start, end) >= 0 for name in lists) and _wraps(text, start, lists):
        inner = _members(text, start, lists)
    if inner is None:
        yield start, end
        return
    if depth == _DEEPEST:
        raise _Fault(f"more than {_DEEPEST} lists in each other", start)
    for begin, stop in inner:
        yield from _flat(text, begin, stop, lists, depth + 1)


def _wraps(text: str, start: int, lists: Collection[str]) -> bool:
    """Whether the value that begins here is an object with one of these lists, in which something stands."""
    found = False
    try:
        for begin, _ in _members(text, start, lists):
            if begin == start:
                return False
            found = True
    except _Fault:
        return False
    return found


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
    """The elements of the listed arrays of the object that begins here; the object itself when it has none of them."""
    if text[begin : begin + 1] != "{":
        raise _Fault("is not a JSON object", begin)
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
            raise _Fault("a key is repeated, is not text, or lacks its colon", at)
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
