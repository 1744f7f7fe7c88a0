"""JSON documents changed by their structure."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from tests.fuzzing.values import changed_text

JUNK: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    7,
    10**40,
    1.5,
    "",
    "x",
    [],
    {},
    [[]],
    [{}],
    [None],
    {"a": {}},
    "true",
)


class Raw(str):
    """Text that stands in the document as it is: a number that no value of Python is."""


def spots(form: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a form: the object or list, and the key or index in it."""
    items: Any = form.items() if isinstance(form, dict) else enumerate(form) if isinstance(form, list) else ()
    for key, value in list(items):
        yield form, key
        yield from spots(value)


def change(form: Any, chance: random.Random, others: list[Any], is_fixed: Callable[[Any], bool]) -> Any:
    """The form with one change, in place; the root may be another."""
    places = [place for place in spots(form) if not is_fixed(place[0][place[1]])]
    if not places:
        return copy.deepcopy(chance.choice(JUNK))
    holder, key = chance.choice(places)
    value = holder[key]
    kind = chance.random()
    if kind < 0.45:
        holder[key] = _other_value(value, chance)
    elif kind < 0.55:
        del holder[key]
    elif kind < 0.62:
        holder[key] = copy.deepcopy(chance.choice(JUNK))
    elif kind < 0.70 and isinstance(holder, list):
        holder.insert(chance.randrange(len(holder) + 1), value)
    elif kind < 0.76:
        holder[key] = [value] if chance.random() < 0.5 else {"value": value}
    elif kind < 0.82 and isinstance(value, list) and value:
        holder[key] = value[0] if chance.random() < 0.5 else value * chance.randrange(2, 12)
    elif kind < 0.88 and isinstance(holder, dict):
        del holder[key]
        holder[chance.choice((str(key).upper(), f"{key}s", f" {key}", "", "\ud800", f"x:{key}"))] = value
    elif kind < 0.94:
        other, other_key = chance.choice(places)
        holder[key] = copy.deepcopy(other[other_key])
    elif kind < 0.97 and others:
        found = [place for place in spots(chance.choice(others)) if place[1] == key]
        if found:
            there, there_key = chance.choice(found)
            holder[key] = copy.deepcopy(there[there_key])
    else:
        deep = chance.choice((3, 60, 2000))
        holder[key] = Raw("[" * deep + "]" * deep)
    return form


def _other_value(value: Any, chance: random.Random) -> Any:
    if isinstance(value, bool):
        return not value if chance.random() < 0.5 else str(value).lower()
    if isinstance(value, int | float):
        written = changed_text(str(value), chance)
        return Raw(written) if chance.random() < 0.6 else written
    if isinstance(value, str):
        return changed_text(value, chance)
    return copy.deepcopy(chance.choice(JUNK))


def write(form: Any, chance: random.Random) -> bytes:
    """The form as JSON, in one of the ways to write it."""
    raws: list[str] = []

    def marked(part: Any) -> Any:
        if isinstance(part, Raw):
            raws.append(part)
            return f"\u0001{len(raws) - 1}\u0001"
        if isinstance(part, dict):
            return {key: marked(item) for key, item in part.items()}
        return [marked(item) for item in part] if isinstance(part, list) else part

    indent = chance.choice((None, None, 1))
    text = json.dumps(marked(form), ensure_ascii=chance.random() < 0.5, indent=indent)
    for number, raw in enumerate(raws):
        text = text.replace(f'"\\u0001{number}\\u0001"', raw or "0")
    return text.encode("utf-8", "surrogatepass")
