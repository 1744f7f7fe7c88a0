"""`--debug`: whole tracebacks, for the person at this terminal."""

from __future__ import annotations

import sys
from contextvars import ContextVar

import click

_debugging = ContextVar("debugging", default=False)


def debugging() -> bool:
    """Whether the command was called with `--debug`."""
    return _debugging.get()


def set_debugging(on: bool) -> None:
    """For the command that is being called."""
    _debugging.set(on)


def to_front(words: list[str]) -> list[str]:
    """The words of a command line with `--debug` before the command, wherever it was written."""
    end = words.index("--") if "--" in words else len(words)
    if "--debug" not in words[:end]:
        return words
    return ["--debug", *(word for word in words[:end] if word != "--debug"), *words[end:]]


def show_trace(error: BaseException) -> None:
    """Print the lines that led to an error: all of them with `--debug`, or else those of a plugin that raised it.

    With `--debug` the text of each error is there too, which may quote a customer.
    """
    from tillpost.errors import PluginError, plugin_trace
    from tillpost.terminal import plain

    whole = debugging()
    if not whole and not isinstance(error, PluginError):
        return
    for line in plugin_trace(error if whole else error.__cause__, whole):
        click.echo(f"    {plain(line)}", file=sys.stderr)
