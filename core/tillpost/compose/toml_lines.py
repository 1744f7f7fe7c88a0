"""The line numbers of the keys of a TOML file, which `tomllib` does not keep.

The scanner reads text that `tomllib` has accepted, so it does not validate it; the grammar is TOML 1.0.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from tillpost.errors import ConfigurationError, Finding

KeyPath = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_LONG_STRING = {'"""': re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.S), "'''": re.compile(r"'''.*?'{3,5}", re.S)}
_STRING = {'"': re.compile(r'"(?:[^"\\\n]|\\.)*"'), "'": re.compile(r"'[^'\n]*'")}
_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")


def key_text(path: KeyPath) -> str:
    """The path as messages write it: `pipelines.stores.resolve[1].keys`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE.fullmatch(part) else '"' + part + '"')
    return text


@attrs.frozen
class Lines:
    """Line numbers, from 1, of the keys of one file."""

    by_path: Mapping[KeyPath, int]

    def at(self, path: KeyPath) -> int:
        """The line of the key, else of the nearest table that contains it, else 0."""
        for length in range(len(path), 0, -1):
            if (line := self.by_path.get(path[:length])) is not None:
                return line
        return 0

    def find(self, text: str) -> KeyPath | None:
        """The path of which `key_text` is this text, if the file has it."""
        return next((path for path in self.by_path if key_text(path) == text), None)


def read_toml(file: Path, shown: str) -> tuple[dict[str, Any], Lines]:
    """The values of a file (fractions as Decimal, with every digit) and the lines of its keys.

    shown: the file's name in findings. Raises ConfigurationError when it cannot be read or is not TOML.
    """
    try:
        text = file.read_bytes().decode().replace("\r\n", "\n")
        return tomllib.loads(text, parse_float=Decimal), Lines(_Scanner(text).scan())
    except OSError as err:
        hint = "Give the path of a configuration; `tillpost init` writes one."
        finding = Finding(message=f"cannot be read: {err.strerror}.", file=shown, next_step=hint)
    except UnicodeDecodeError as err:
        line = err.object.count(b"\n", 0, err.start) + 1
        finding = Finding(message="is not UTF-8.", file=shown, line=line, next_step="Save the file as UTF-8.")
    except RecursionError:
        finding = Finding(message="is nested too deep to be read.", file=shown, next_step="Take out a level.")
    except ValueError as err:  # TOMLDecodeError, and what int() says of thousands of digits
        message = str(err)
        place = _PLACE.search(message)
        line = int(place[1]) if place else text.count("\n") + 1
        message = _PLACE.sub("", message).removesuffix(" (at end of document)")
        hint = "Fix this line; TOML is described at https://toml.io."
        finding = Finding(message=f"is not TOML: {message}.", file=shown, line=line, next_step=hint)
    raise ConfigurationError(finding)


class _Scanner:
    """Reads the text once, statement by statement."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[KeyPath, int] = {}
        self._tables: dict[KeyPath, int] = {}  # arrays of tables, and how many elements each has so far

    def scan(self) -> dict[KeyPath, int]:
        base: KeyPath = ()
        while True:
            self._skip(_SPACE)
            if self._at >= len(self._text):
                return self._lines
            line = self._line()
            if self._text.startswith("[[", self._at):
                self._at += 2
                path = self._resolve(self._key())
                self._at += 2
                index = self._tables[path] = self._tables.get(path, -1) + 1
                base = (*path, index)
                self._note(base, line)
            elif self._text[self._at] == "[":
                self._at += 1
                path = self._resolve(self._key())
                self._at += 1
                base = (*path, self._tables[path]) if path in self._tables else path
                self._note(base, line)
                self._lines[base] = line  # a table's own header, not that of a table below it
            else:
                self._pair(base)

    def _line(self) -> int:
        return bisect_right(self._ends, self._at - 1) + 1

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"cannot be followed (at line {self._line()}, column 1)")
        self._at = match.end()
        return match[0]

    def _note(self, path: KeyPath, line: int) -> None:
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], line)

    def _resolve(self, keys: KeyPath) -> KeyPath:
        """The path of a header: below an array of tables it belongs to the last element."""
        path: KeyPath = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self._tables:
                path = (*path, self._tables[path])
        return (*path, keys[-1])

    def _key(self) -> KeyPath:
        """A dotted key and the blanks around it."""
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            quote = self._text[self._at]
            if quote in _STRING:
                parts.append(str(tomllib.loads("k=" + self._skip(_STRING[quote]))["k"]))
            else:
                parts.append(self._skip(_BARE))
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return tuple(parts)
            self._at += 1

    def _pair(self, base: KeyPath) -> None:
        self._skip(_SPACE)
        line = self._line()
        path = base + self._key()
        self._note(path, line)
        self._at += 1  # the equals sign
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._skip(_SPACE)
        head = self._text[self._at]
        if self._text[self._at : self._at + 3] in _LONG_STRING:
            self._skip(_LONG_STRING[self._text[self._at : self._at + 3]])
        elif head in _STRING:
            self._skip(_STRING[head])
        elif head == "[":
            self._items("]", path)
        elif head == "{":
            self._items("}", path)
        else:
            self._skip(_SCALAR)

    def _items(self, end: str, path: KeyPath) -> None:
        """An array (items numbered from 0) or an inline table, to its end."""
        index = 0
        while True:
            self._at += 1  # the bracket, or the comma
            self._skip(_SPACE)
            if self._text[self._at] == end:
                break
            if end == "]":
                self._note((*path, index), self._line())
                self._value((*path, index))
                index += 1
            else:
                self._pair(path)
            self._skip(_SPACE)
            if self._text[self._at] == end:
                break
        self._at += 1
