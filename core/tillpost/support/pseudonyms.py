"""Pseudonyms: a reader of a support bundle can follow a value through it, and cannot learn what it was.

A value that names somebody or something is always a pseudonym, whatever word it is; keys and enumerations of the format
stay. Each bundle has a key of its own that is kept nowhere, so nobody can try values until one fits.
"""

from __future__ import annotations

import ast
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_TOKEN = re.compile(r"[^\s\"'`()\[\]{}<>,;=|]+")
_NAMED = re.compile(r"(?i)\b(receipt|store|till|number|contact|document|customer) ([^\s,:;]+)")
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
_KEPT = re.compile(
    r"[+-]?\d{1,4}(?:[.,]\d{1,4})?(?:ms|s|m|h|d|%|/s)?"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[+-]\d\d:\d\d|Z)?"
    r"|~[0-9a-f]{12}|[^\w]+"
)
"""Short numbers, durations, moments, pseudonyms and punctuation."""
_ADDRESS = re.compile(r"\S@\S|\d{5,}")
_ENDS = ".:!?…"
_SHORT = 3
"""Characters below which a known value is replaced in running text only after a word that says what it is."""
_OWN = (
    "tillpost.errors",
    "tillpost.model",
    "tillpost.kit",
    "tillpost.plugin",
    "tillpost.journal",
    "tillpost.flow",
    "tillpost.compose",
)


class Pseudonyms:
    """The pseudonyms of one bundle: one for each value, the same throughout."""

    def __init__(self, words: frozenset[str] = frozenset()) -> None:
        """words: the ones running texts keep, because Tillpost itself writes them."""
        self._key = secrets.token_bytes(32)
        self._words = words
        self._known: set[str] = set()
        self._phrases: set[str] = set()
        self._sorted: list[str] | None = None

    def of(self, value: object) -> str:
        """The pseudonym of a value, "" for none."""
        text = "" if value is None else str(value)
        if not text:
            return ""
        return "~" + hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:12]

    def learn(self, values: Iterable[object]) -> None:
        """Values that name somebody or something: no text keeps them, even where they are words of Tillpost."""
        self._sorted = None
        for value in values:
            text = "" if value is None else str(value)
            if not text:
                continue
            self._known.add(text)
            if _TOKEN.fullmatch(text) is None or len(text.split()) > 1:
                self._phrases.add(text)

    def text(self, text: str) -> str:
        """A running text, with a pseudonym for each word that Tillpost does not write itself."""
        for phrase in self._longest():
            if phrase in text:
                text = text.replace(phrase, self.of(phrase))
        text = _NAMED.sub(lambda found: f"{found[1]} {self._named(found[2])}", text)
        return _TOKEN.sub(lambda found: self._token(found[0]), text)

    def _longest(self) -> list[str]:
        """Known values of several words, the longest first."""
        if self._sorted is None:
            self._sorted = sorted(
                (each for each in self._phrases if len(each) >= _SHORT), key=lambda each: (-len(each), each)
            )
        return self._sorted

    def kept(self, value: str) -> str:
        """A setting of an adapter, or its pseudonym if it is known to name something or looks like an address."""
        if value in self._known or _ADDRESS.search(value):
            return self.of(value)
        return self.of(value) if any(phrase in value for phrase in self._longest()) else value

    def _named(self, value: str) -> str:
        end = value[len(value.rstrip(_ENDS)) :]
        bare = value.removesuffix(end) if end else value
        if bare in self._words and bare not in self._known:
            return value
        return value if _KEPT.fullmatch(bare) and bare.startswith("~") else self.of(bare) + end

    def _token(self, token: str) -> str:
        end = token[len(token.rstrip(_ENDS)) :]
        bare = token.removesuffix(end) if end else token
        if bare in self._known and len(bare) >= _SHORT:
            return self.of(bare) + end
        if _KEPT.fullmatch(bare) or all(part in self._words for part in bare.split("_")):
            return token
        head, colon, rest = bare.partition(":")
        if colon and rest and not rest.startswith("//") and head in self._words:
            return f"{head}:{self._token(rest)}{end}"
        return self.of(bare) + end if bare else token

    def tree(self, value: Any, *, whole: frozenset[str] = frozenset()) -> Any:
        """A JSON value with its texts replaced; under keys of `whole` a text is one value and not a running text."""
        if isinstance(value, Mapping):
            return {
                self._key_of(key): self.of(each)
                if key in whole and isinstance(each, str)
                else self.tree(each, whole=whole)
                for key, each in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.tree(each, whole=whole) for each in value]
        return self.text(value) if isinstance(value, str) else value

    def _key_of(self, key: object) -> str:
        text = str(key)
        return text if re.fullmatch(r"[a-z][a-zA-Z_]*", text) and text not in self._known else self.text(text)


@cache
def own_words(packages: tuple[str, ...] = _OWN) -> frozenset[str]:
    """The words of the texts in the code of these packages: a reason made of them says nothing about anybody."""
    words: set[str] = set()
    for file in _files(packages):
        tree = ast.parse(file.read_bytes())
        docstrings = {id(body[0].value) for node in ast.walk(tree) if (body := _docstring(node))}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                words.update(_WORD.findall(node.value))
    return frozenset(words)


def _docstring(node: ast.AST) -> list[Any]:
    body = getattr(node, "body", None)
    first = body[0] if isinstance(body, list) and body else None
    return body if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) else []  # type: ignore[return-value]


def _files(packages: Iterable[str]) -> Iterable[Path]:
    for name in packages:
        try:
            spec = find_spec(name)
        except (ImportError, ValueError):
            continue
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            continue
        origin = Path(spec.origin)
        yield from sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
