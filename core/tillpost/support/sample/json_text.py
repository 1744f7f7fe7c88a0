"""The values of a JSON text replaced, and every other character of it left as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

Path = tuple[str, ...]
Rewrite = Callable[[Path, str], str]
"""The value that stands in for the one at a place."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|"', re.S)
_COLON = re.compile(r"\s*:")
_LITERALS = frozenset(("true", "false", "null"))


def rewrite_json(text: str, rewrite: Rewrite, above: Path = ()) -> str:
    """The text with its values rewritten; a cut or broken text, too. A record a line is a text of its own.

    above: where the text itself stands. A text in a value that is JSON itself is rewritten as such.
    """
    lines = text.split("\n")
    if len(lines) > 1 and all(line.lstrip()[:1] in "{[" for line in lines if line.strip()):
        return "\n".join(_rewrite(line, rewrite, above) for line in lines)
    return _rewrite(text, rewrite, above)


def _rewrite(text: str, rewrite: Rewrite, above: Path) -> str:
    stack: list[str] = []
    """The key of each object that is open, "" in an array and before the first key."""

    def one(found: re.Match[str]) -> str:
        part = found[0]
        if part in "{[":
            stack.append("")
        elif part in "}]":
            del stack[-1:]
        elif part in ",:":
            pass
        elif part[0] == '"' and len(part) > 1:
            if stack and _COLON.match(text, found.end()):
                stack[-1] = _plain(part)
                key = (*above, *filter(None, stack[:-1]), "(key)")
                made = rewrite(key, stack[-1])
                return part if made == stack[-1] else _written(made, part)
            return _string(part, (*above, *filter(None, stack)), rewrite)
        elif part not in _LITERALS:
            return rewrite((*above, *filter(None, stack)), part)
        return part

    return _TOKEN.sub(one, text)


def _string(part: str, path: Path, rewrite: Rewrite) -> str:
    value = _plain(part)
    if value.lstrip()[:1] in ("{", "["):
        try:
            json.loads(value)
        except ValueError:
            pass
        else:
            return _written(rewrite_json(value, rewrite, path), part)
    made = rewrite(path, value)
    return part if made == value else _written(made, part)


def _plain(part: str) -> str:
    try:
        return str(json.loads(part, strict=False))
    except ValueError:
        return part[1:-1]


def _written(value: str, part: str) -> str:
    return json.dumps(value, ensure_ascii=part.isascii())
