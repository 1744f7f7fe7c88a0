"""`tillpost top`: every store live in a terminal, until q or Ctrl-C."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import click

from tillpost.cli.drill import Duration
from tillpost.cli.output import json_option, table_lines
from tillpost.cli.pipelines import pipeline_option, read_each, select_pipeline, ways_to_read
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.errors import JournalError
from tillpost.flow.breaker import is_reachable
from tillpost.journal import Journal
from tillpost.reports.stores import by_store, stores
from tillpost.terminal import plain, say, span, when

_COLUMNS = ["store", "till", "last seen", "today", "undelivered", "oldest", "held"]
_HOME, _CLEAR_LINE, _CLEAR_REST = "\x1b[H", "\x1b[K", "\x1b[J"
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


@click.command("top")
@click.option("--every", type=Duration(), default="2s", show_default=True, help="Time between two updates.")
@click.option("--once", is_flag=True, help="Show it once, as plain text.")
@click.option("--tills", "each_till", is_flag=True, help="One row for each till instead of each store.")
@pipeline_option
@json_option
@click.pass_obj
def command(file: Path, every: timedelta, once: bool, each_till: bool, pipeline: str | None, as_json: bool) -> None:
    """Show every store, live: last seen, receipts today, what waits and how long, what is held.

    What needs a person comes first. Ends with q or Ctrl-C. On a dumb terminal, or when the output is
    no terminal, plain text is printed each time. Exit code 1 when a journal could not be read.

    \b
    Examples:
      tillpost top
      tillpost top --once --tills
      tillpost top --every 10s --json
    """
    config = load(file, plugins=False)
    wanted = [select_pipeline(config, pipeline)] if pipeline is not None else list(config.pipelines)
    unknown: set[str] = set()

    def refresh() -> list[dict[str, Any]]:
        now = SystemClock().time()

        def read(pipeline: PipelineConfig, journal: Journal) -> dict[str, Any]:
            return _snapshot(pipeline.name, journal, now, each_till)

        found = dict(read_each(wanted, read))
        unknown.clear()
        unknown.update(name for name, answer in found.items() if isinstance(answer, JournalError))
        return [_unknown(name, each, now) if isinstance(each, JournalError) else each for name, each in found.items()]

    with suppress(KeyboardInterrupt):
        _show(refresh, max(0.2, every.total_seconds()), once, as_json)
    sys.exit(1 if unknown else 0)


def _unknown(name: str, error: JournalError, now: float) -> dict[str, Any]:
    return {
        "at": when(now),
        "pipeline": name,
        "state": "unknown",
        "reason": f"{error}. {ways_to_read(name)}",
        "next_check_at": None,
        "counts": {},
        "files": {},
        "stores": [],
    }


def _snapshot(name: str, journal: Journal, now: float, each_till: bool) -> dict[str, Any]:
    destination = journal.destination.get()
    tills = stores(journal, now, datetime.fromtimestamp(now).astimezone().date())
    shown = tills if each_till else by_store(tills)
    return {
        "at": when(now),
        "pipeline": name,
        "state": destination.state,
        "reason": destination.reason,
        "since": when(destination.since or None),
        "next_check_at": None if is_reachable(destination) else when(destination.probe_due),
        "counts": journal.receipts.counts(),
        "files": journal.file_states.counts(),
        "stores": [
            attrs.asdict(each)
            | {
                "last_seen": when(each.last_seen),
                "age": None if each.last_seen is None else max(0.0, now - each.last_seen),
            }
            for each in sorted(shown, key=lambda each: (-(each.held > 0), -(each.oldest_age or 0.0)))
        ],
    }


def _show(refresh: Callable[[], list[dict[str, Any]]], every: float, once: bool, as_json: bool) -> None:
    live = not (once or as_json) and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    with _screen() if live else _plain() as stopped:
        while True:
            answers = refresh()
            if as_json:
                for answer in answers:
                    say(answer)
            else:
                lines = [line for answer in answers for line in _lines(answer)]
                if live:
                    _draw(lines)
                else:
                    click.echo("\n".join(lines))
            if once or stopped(every):
                return


def _lines(answer: dict[str, Any]) -> list[str]:
    """Plain text, harmless for a terminal."""
    reason = f" ({plain(answer['reason'])})" if answer["reason"] else ""
    check = f", next check at {answer['next_check_at']}" if answer["next_check_at"] else ""
    lines = [f"{plain(answer['pipeline'])}: {answer['state']}{reason}{check}    {answer['at']}"]
    for title, name in (("counts", "receipts"), ("files", "fallback files")):
        filled = ", ".join(f"{count} {state}" for state, count in answer[title].items() if count)
        lines += [f"  {name}: {filled}"] if filled else []
    tills = table_lines(map(_row, answer["stores"]), _COLUMNS, _COLUMNS[2:]) if answer["counts"] else ()
    return [*lines, *tills, ""]


def _row(each: dict[str, Any]) -> dict[str, Any]:
    return each | {
        "store": each["store"] or "?",
        "last seen": "" if each["age"] is None else f"{span(each['age'])} ago",
        "oldest": "" if each["oldest_age"] is None else span(each["oldest_age"]),
        "undelivered": each["undelivered"] or "",
        "held": each["held"] or "",
    }


def _draw(lines: list[str]) -> None:
    """Draw over the last lines, cut to the size of the terminal."""
    width, height = os.get_terminal_size(sys.stdout.fileno())  # COLUMNS of the environment does not follow it
    room = max(1, height - 1)
    if len(lines) > room:
        lines = [*lines[: room - 1], f"… {len(lines) - room + 1} more lines; `tillpost top --once` shows all"]
    shown = "".join(f"{line[:width]}{_CLEAR_LINE}\n" for line in lines)
    sys.stdout.write(f"{_HOME}{shown}{_CLEAR_REST}{'q ends'[:width]}")
    sys.stdout.flush()


@contextmanager
def _plain() -> Iterator[Callable[[float], bool]]:
    """No terminal to restore: only Ctrl-C ends it."""

    def stopped(seconds: float) -> bool:
        time.sleep(seconds)
        return False

    yield stopped


@contextmanager
def _screen() -> Iterator[Callable[[float], bool]]:
    """The alternate screen and keys without Enter; both are restored at the end."""
    with _keys() as stopped:
        sys.stdout.write(_ENTER)
        try:
            yield stopped
        finally:
            sys.stdout.write(_LEAVE)
            sys.stdout.flush()


@contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Waits that end at a q."""
    if not sys.stdin.isatty() or os.name != "posix":
        with _plain() as stopped:
            yield stopped
        return
    import select
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)

    def pressed(seconds: float) -> bool:
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        if not ready:
            return False
        typed = os.read(sys.stdin.fileno(), 64)
        return not typed or b"q" in typed.lower()

    try:
        yield pressed
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
