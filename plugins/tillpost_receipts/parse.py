"""From JSON lines, or a JSON array, to receipts. Pure: what it needs is in its arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from typing import IO, Any

import attrs

from tillpost import DocumentError, LawBroken
from tillpost.model import Broken, Document, Found, Parsed, RawRef
from tillpost.model.receipt_json import MakeId, from_json, parse_json

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")

# What XML 1.0 (section 2.2) cannot carry, so that no file to Engage could; tab and line ends stay.
_UNCARRIED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# The bytes by which a record that is JSON in UTF-8 can name such a character: an escape, U+FFFE or U+FFFF themselves.
_SUSPECT = re.compile(rb"\\[ubf]|\xef\xbf[\xbe\xbf]")

CLEANED = "control-characters"
"""The flag of a receipt out of whose text such characters were taken; the record is kept as it came."""


def parse(document: Document, make_id: MakeId, largest: int) -> Iterator[Parsed]:
    """Every record as Found or Broken, with its line number.

    Raises DocumentError for UTF-16, for a record larger than `largest`, and for an array that ends being JSON
    (what stood before is yielded).
    """
    with document.open() as file:
        start = file.read(3)
        if start[:2] in _UTF16_BOMS:
            raise DocumentError("is UTF-16; JSON is UTF-8 (RFC 8259): convert it and hand it in again", document.name)
        if start != _UTF8_BOM:
            file.seek(0)
        for record, place in _records(file, document.name, largest):
            yield _parsed(record, RawRef(sha256=document.sha256, document=document.name, place=place), make_id)


def _records(file: IO[bytes], name: str, largest: int) -> Iterator[tuple[bytes, str]]:
    number = 0
    while line := file.readline(largest + 1):
        number += 1
        if number == 1 and line.lstrip().startswith(b"["):
            yield from _elements(line + file.read(largest + 1 - len(line)), name, largest)
            return
        if len(line) > largest:
            raise DocumentError(
                f"the record is larger than {largest} bytes; split it, or raise `largest`", f"{name}, line {number}"
            )
        if line.strip():
            yield line.strip(), f"line {number}"


def _elements(content: bytes, name: str, largest: int) -> Iterator[tuple[bytes, str]]:
    """The elements of an array one by one, so that what stands before a fault in the JSON is kept."""
    if len(content) > largest:
        raise DocumentError(f"an array of more than {largest} bytes; write one receipt a line instead", name)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise DocumentError(f"byte {error.start + 1} is not UTF-8", name) from None
    decoder, blank = JSONDecoder(), re.compile(r"[ \t\r\n]*")

    def skip(position: int) -> int:
        found = blank.match(text, position)
        return found.end() if found else position

    def fault(message: str) -> DocumentError:
        return DocumentError(f"{message}; what stood before is accepted", f"{name}, line {line}")

    position, line, counted = skip(skip(0) + 1), 1, 0
    first = True
    while True:
        line += text.count("\n", counted, position)
        counted = position
        if text[position : position + 1] == "]":
            if text[skip(position + 1) :]:
                raise fault("something follows the array")
            return
        if not first:
            if text[position : position + 1] != ",":
                raise fault("the array ends without its bracket or lacks a comma")
            position = skip(position + 1)
            line += text.count("\n", counted, position)
            counted = position
        first = False
        try:
            _, end = decoder.raw_decode(text, position)
        except (JSONDecodeError, RecursionError, ValueError):
            raise fault("an element of the array is not JSON, or nested too deep") from None
        yield text[position:end].encode(), f"line {line}"
        position = skip(end)


def _cleaned(value: Any) -> tuple[Any, int]:
    """The value without characters no file to Engage could carry, and how many there were."""
    if isinstance(value, str):
        return _UNCARRIED.subn("", value)
    if isinstance(value, list):
        items = [_cleaned(item) for item in value]
        return [item for item, _ in items], sum(count for _, count in items)
    if isinstance(value, dict):
        pairs = {name: _cleaned(item) for name, item in value.items()}
        return {name: item for name, (item, _) in pairs.items()}, sum(count for _, count in pairs.values())
    return value, 0


def _parsed(record: bytes, raw: RawRef, make_id: MakeId) -> Parsed:
    form: Any = None
    try:
        form, taken = parse_json(record, place=raw.place), 0
        if _SUSPECT.search(record):
            form, taken = _cleaned(form)
        receipt = from_json(form, place=raw.place, make_id=make_id, raw=raw)
    except (LawBroken, RecursionError) as error:
        reason = str(error) if isinstance(error, LawBroken) else f"{raw.place}: nested too deep"
        return Broken(
            reason=reason, place=raw.place, raw=record, number=_text_of(form, "number"), store=_text_of(form, "store")
        )
    if taken and CLEANED not in receipt.flags:
        receipt = attrs.evolve(receipt, flags=(*receipt.flags, CLEANED))
    return Found(receipt=receipt, raw=record)


def _text_of(form: Any, name: str) -> str:
    value = form.get(name, "") if isinstance(form, dict) else ""
    return value if isinstance(value, str) else ""
