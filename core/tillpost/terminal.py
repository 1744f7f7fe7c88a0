"""What a terminal or a script is shown: text made harmless, and one JSON value a line."""

from __future__ import annotations

import json
from typing import Any

import click

from tillpost.clock import iso


def say(value: Any) -> None:
    """One JSON line on standard output; what a terminal would act on is escaped there too."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    click.echo("".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text))


def when(seconds: float | None) -> str | None:
    """A stored moment for people and JSON."""
    return None if seconds is None else iso(seconds)


def plain(text: object) -> str:
    """Text from outside made harmless for a terminal: control characters become visible escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text))


def counted(number: int, singular: str, plural: str = "") -> str:
    """A number with its noun: `1 receipt`, `2 receipts`. plural: where it is not the singular with an s."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
