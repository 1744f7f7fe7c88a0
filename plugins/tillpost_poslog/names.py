"""What parts of a transaction are called: the standard's names, those of its dialects, and those of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache

from lxml.etree import _Element

from tillpost.kit.xml import attribute, child, decimal, text
from tillpost_poslog.dialects import DIALECTS, STANDARD

Path = tuple[str, ...]
"""Local names from an element down to the one meant; the last may be an attribute of it, as "@Name"."""
Names = Mapping[str, tuple[Path, ...]]
"""Part → the paths at which it may stand, in the order in which they are tried."""

PARTS = tuple(STANDARD)


def _paths(written: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(tuple(path.split("/")) for path in written)


def names_of(own: Mapping[str, tuple[str, ...]]) -> Names:
    """The names by which a pipeline reads: its own first, then the standard's, then those of the dialects."""
    dialects = [dialect.names for dialect in DIALECTS]
    return {
        part: _paths(tuple(dict.fromkeys(name for names in (own, STANDARD, *dialects) for name in names.get(part, ()))))
        for part in PARTS
    }


@cache
def only(paths: tuple[Path, ...]) -> tuple[str, ...]:
    """The names of paths of one element each."""
    return tuple(path[0] for path in paths)


def written(paths: tuple[Path, ...]) -> str:
    """The paths as a message shows them."""
    return ", ".join("/".join(path) for path in paths)


def find_text(element: _Element, paths: tuple[Path, ...]) -> str:
    """The text at the first of the paths at which one stands; "" when there is none."""
    for path in paths:
        if found := text(element, *path) or (_attribute(element, path) if path[-1][0] == "@" else ""):
            return found
    return ""


def _attribute(element: _Element, path: Path) -> str:
    holder = child(element, *path[:-1])
    return attribute(holder, path[-1][1:]) if holder is not None else ""


def find_decimal(element: _Element, paths: tuple[Path, ...]) -> Decimal | None:
    """The decimal at the first of the paths at which one stands. Raises InvalidValue when it is not a number."""
    for path in paths:
        found = decimal(element, *path)
        if found is not None:
            return found
    return None
