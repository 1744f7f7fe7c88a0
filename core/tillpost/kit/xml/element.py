"""Reading elements by local name: vendors keep the standard's names and change its namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache

from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit.xml.clean import MARK
from tillpost.model.money import parse_decimal

_NUMBERED = {"LineItem": ("line item", "SequenceNumber"), "ctLine": ("line", "lineID")}
"""Elements that are known by a number of their own (ARTS, SAF-T): what messages call them, and where it stands."""


def local(element: _Element) -> str:
    """The name without its namespace; "" for a comment or an instruction."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


@cache
def _anywhere(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names in any namespace. Kept: they are asked for many times a record, and are few."""
    return tuple(f"{{*}}{name}" for name in names)


def children(element: _Element, *names: str) -> Iterator[_Element]:
    """The children of these names, in the document's order."""
    return element.iterchildren(*_anywhere(names))


def child(element: _Element, *path: str) -> _Element | None:
    """The first child by this path."""
    found: _Element | None = element
    for name in _anywhere(path):
        if found is None:
            return None
        found = next(found.iterchildren(name), None)
    return found


def tidy(written: str | None) -> str:
    """Text with white space made single and marks taken out."""
    return " ".join((written or "").replace(MARK, "").split())


def text(element: _Element | None, *path: str) -> str:
    """The text at this path, tidied; "" when it is missing."""
    found = child(element, *path) if element is not None else None
    return tidy(found.text) if found is not None else ""


def attribute(element: _Element, name: str) -> str:
    """The attribute of this local name, whatever its namespace; "" when it is missing."""
    for key, value in element.items():
        if str(key).rpartition("}")[2] == name:
            return str(value).replace(MARK, "").strip()
    return ""


def flag(element: _Element, name: str) -> bool:
    """An xs:boolean attribute."""
    return attribute(element, name).lower() in ("true", "1")


def place(element: _Element) -> str:
    """The element, and the number of the line it belongs to, for messages."""
    line: _Element | None = element
    while line is not None and local(line) not in _NUMBERED:
        line = line.getparent()
    if line is None:
        return local(element)
    called, where = _NUMBERED[local(line)]
    number = text(line, where)
    inside = f", {local(element)}" if line is not element else ""
    return f"{called} {number}{inside}" if number else local(element)


def decimal(element: _Element, *path: str) -> Decimal | None:
    """The decimal at this path, None when it is missing. Raises InvalidValue when it is no finite number."""
    written = text(element, *path)
    if not written:
        return None
    try:
        return parse_decimal(written, "")
    except InvalidValue as error:
        raise InvalidValue(error.law, "/".join((place(element), *path)), error.by) from None


def amount(element: _Element, *path: str) -> Decimal:
    """A decimal that must be there."""
    found = decimal(element, *path)
    if found is None:
        raise InvalidValue(f"needs {'/'.join(path)}", place(element), "missing")
    return found
