"""Which elements, keys and columns hold what names a person, by the words in their names."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise

_PARTS = re.compile(r"[^\W\d_]?[^\W\d_A-ZÅÄÖÆØÜ]+|[A-ZÅÄÖÆØÜ]+(?![^\W\d_A-ZÅÄÖÆØÜ])|\d+")


@cache
def _lists() -> tuple[frozenset[str], frozenset[str]]:
    """The words of values, and the names of containers."""
    text = files("tillpost.support.sample").joinpath("person_words.txt").read_text("utf-8")
    words, containers = re.sub(r"(?m)^#.*$", "", text).split("\n\n")
    return frozenset(words.split()), frozenset(containers.split())


def is_person(path: tuple[str, ...]) -> bool:
    """Whether the place of a value, from the outermost name to its own, is one of a person's."""
    return any(_name(each) in _lists()[1] for each in path) or (bool(path) and _has_word(path[-1]))


def says_what(path: tuple[str, ...]) -> bool:
    """Whether the value at a place says what another one is: the kind of an identifier, the type of an address."""
    return bool(path) and _name(path[-1]).endswith(("kind", "type", "typecode"))


@lru_cache(maxsize=10_000)
def _name(written: str) -> str:
    return "".join(_PARTS.findall(written.rpartition(":")[2])).casefold()


@lru_cache(maxsize=10_000)
def _has_word(written: str) -> bool:
    parts = [part.casefold() for part in _PARTS.findall(written.rpartition(":")[2])]
    pairs = (one + other for one, other in pairwise(parts))
    return not _lists()[0].isdisjoint([*parts, *pairs])
