"""Output for terminals and scripts: text made harmless, counts, amounts, times, one JSON value a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import click

from tillpost.clock import iso
from tillpost.model.money import format_money

_Name = TypeVar("_Name", str, tuple[str, str])


def say(value: Any) -> None:
    """One JSON line on standard output; what a terminal would act on is escaped there too."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    click.echo("".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text))


def answer(as_json: bool, value: Any, text: str) -> None:
    """The value as JSON for scripts, or the text for people, made harmless for a terminal."""
    say(value) if as_json else click.echo(plain(text))


def when(seconds: float | None) -> str | None:
    """A stored moment for people and JSON."""
    return None if seconds is None else iso(seconds)


def plain(text: object) -> str:
    """Text from outside made harmless for a terminal: control characters become visible escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text))


def counted(number: int, singular: str, plural: str = "") -> str:
    """A number with its noun: `1 receipt`, `2,000 receipts`. plural: where it is not the singular with an s."""
    return f"{number:,} {singular if abs(number) == 1 else plural or singular + 's'}"


def ranked(counts: Mapping[_Name, int]) -> list[tuple[_Name, int]]:
    """Counts for people: the highest first, and equal ones by their names."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def amount(total: str, currency: str) -> str:
    """A stored total with the digits of its currency; unchanged where it is not a number."""
    try:
        return format_money(Decimal(total), currency)
    except (InvalidOperation, ValueError):
        return total


def span(seconds: float) -> str:
    """A length of time in the largest unit of which there are two: `95 s`, `12 min`, `3 days`."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
