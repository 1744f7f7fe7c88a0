"""`--debug`: whole tracebacks, for the person at this terminal."""

from __future__ import annotations

import sys
import threading
import warnings
from contextvars import ContextVar
from typing import TextIO

import click

_debugging = ContextVar("debugging", default=False)


def debugging() -> bool:
    """Whether the command was called with `--debug`."""
    return _debugging.get()


def set_debugging(on: bool) -> None:
    """For the command that is being called."""
    _debugging.set(on)


def keep_texts_out() -> None:
    """Tell what ends a thread, or fails where nobody can catch it, and warnings, by kind and place for this process.

    A plugin's threads and libraries may fail anywhere, and Python would print the text, which may quote a customer.
    """
    threading.excepthook = lambda told: _tell("a thread ended with", told.exc_value)
    sys.unraisablehook = lambda told: _tell("an error that nobody could catch:", told.exc_value)
    warnings.showwarning = _show_warning


def _tell(what: str, error: BaseException | None) -> None:
    import logging

    from tillpost.errors import fault_of

    if error is not None and not isinstance(error, SystemExit):
        logging.getLogger("tillpost").error("%s %s", what, fault_of(error))


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    import logging

    logging.getLogger("tillpost").warning("%s at %s:%d", category.__name__, filename, lineno)


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
