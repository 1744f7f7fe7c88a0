"""Elements read by local name: vendors keep the standard's names and change its namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache

from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit.xml.decoding import REPLACEMENT
from tillpost.model.money import parse_decimal

_LINES = {"LineItem": ("line item", "SequenceNumber"), "ctLine": ("line", "lineID")}
"""Element of a line (ARTS, SAF-T) → its name in messages, and the child with its number."""


_FEW = 3
"""Names for which lxml finds children faster than a loop: it makes a matcher of each name at each call."""


def local_name(element: _Element) -> str:
    """The element's name without its namespace; "" for a comment or a processing instruction."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


@cache
def _any_namespace(names: tuple[str, ...]) -> tuple[str, ...]:
    """lxml's tags of these names in any namespace. Cached: few names are asked for, many times a record."""
    return tuple(f"{{*}}{name}" for name in names)


@cache
def _as_set(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(names)


def children(element: _Element, *names: str) -> Iterator[_Element]:
    """The child elements of these names, in the document's order."""
    if len(names) > _FEW:
        known = _as_set(names)
        return (inside for inside in element if local_name(inside) in known)
    return element.iterchildren(*_any_namespace(names))


def child(element: _Element, *path: str) -> _Element | None:
    """The first element by this path of names, None when there is none."""
    found: _Element | None = element
    for name in _any_namespace(path):
        if found is None:
            return None
        found = next(found.iterchildren(name), None)
    return found


def normalize_space(written: str | None) -> str:
    """The text with runs of white space as one blank and without replacement characters."""
    return " ".join((written or "").replace(REPLACEMENT, "").split())


def text(element: _Element | None, *path: str) -> str:
    """The text of the element at this path, its white space normalized; "" when it is missing.

    What follows elements inside it is part of the text: no value is cut short in silence.
    """
    found = child(element, *path) if element is not None else None
    if found is None:
        return ""
    return normalize_space(found.text if not len(found) else f"{found.text or ''}{_after_children(found)}")


def _after_children(element: _Element) -> str:
    return "".join(inside.tail or "" for inside in element)


def attribute(element: _Element, name: str) -> str:
    """The attribute of this local name in any namespace, first in none; "" when it is missing."""
    found = element.get(name)
    if found is None:
        for key, value in element.items():
            if str(key).rpartition("}")[2] == name:
                found = value
                break
        else:
            return ""
    return str(found).replace(REPLACEMENT, "").strip()


def is_true(element: _Element, name: str) -> bool:
    """Whether the xs:boolean attribute is true; a missing one is false."""
    return attribute(element, name).lower() in ("true", "1")


def place(element: _Element) -> str:
    """Where an element stands, for messages: its line with the line's number, and its name."""
    line: _Element | None = element
    while line is not None and local_name(line) not in _LINES:
        line = line.getparent()
    if line is None:
        return local_name(element)
    noun, number_name = _LINES[local_name(line)]
    number = text(line, number_name)[:40]
    inside = f", {local_name(element)}" if line is not element else ""
    return f"{noun} {number}{inside}" if number else local_name(element)


def decimal(element: _Element, *path: str) -> Decimal | None:
    """The decimal at this path, None when it is missing.

    Raises InvalidValue when it is not a finite number, and when an element stands inside it.
    """
    found = child(element, *path)
    if found is None:
        return None
    written = normalize_space(found.text)
    try:
        if len(found) and normalize_space(_after_children(found)):
            raise InvalidValue(f"the element {local_name(found[0])} stands inside the number")
        return parse_decimal(written, "") if written else None
    except InvalidValue as error:
        raise error.at("/".join((place(element), *path))) from None


def amount(element: _Element, *path: str) -> Decimal:
    """The decimal at this path. Raises InvalidValue when it is missing or not a finite number."""
    found = decimal(element, *path)
    if found is None:
        raise InvalidValue(f"{'/'.join(path)} is missing", place=place(element))
    return found
