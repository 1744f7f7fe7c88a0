"""The measurements of single parts, each a module beside this one that can be run alone and prints JSON.

    python -m tests.benchmarks.NAME [options]

Those that are there are run one after another, and every ratio they print gets into the tables.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from tests.benchmarks.process import ROOT

_LIMIT = 600.0  # seconds for one of them


@attrs.frozen
class Script:
    """One of them. options: of a whole run; quick: of a trial of the machinery; seconds: it takes about so long."""

    name: str
    options: tuple[str, ...]
    quick: tuple[str, ...]
    seconds: float

    def exists(self) -> bool:
        """Whether it is in this checkout."""
        return (Path(__file__).parent / f"{self.name}.py").exists()


SCRIPTS = (
    Script("accept_ratio", (), ("--receipts", "200", "--runs", "1"), 20),
    Script(
        "deliver_ratio",
        ("--receipts", "2000", "--connections", "32"),
        ("--receipts", "200", "--runs", "1", "--connections", "8", "--delay", "0"),
        60,
    ),
    Script("rate", (), ("--seconds", "3"), 150),
    Script("verify_ratio", ("--runs", "3"), ("--runs", "1", "--seconds", "2", "--waiting", "30"), 120),
    Script("file_ratio", (), ("--receipts", "2000", "--runs", "1"), 40),
    Script("transfer_ratio", (), ("--runs", "1"), 90),
    Script(
        "scale",
        ("--repeat", "3", "--run", "4"),
        ("--waiting", "1000", "2000", "--repeat", "1", "--run", "1"),
        120,
    ),
)


@attrs.frozen
class Told:
    """One figure as a script printed it; low and high are its spread."""

    what: str
    median: float
    low: float
    high: float


def run(script: Script, quick: bool) -> dict[str, Any]:
    """What it printed: `objects`, how long it took, and why it failed, if it did."""
    began = time.monotonic()
    words = [sys.executable, "-m", f"tests.benchmarks.{script.name}", *(script.quick if quick else script.options)]
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=_LIMIT, check=False)
        failed = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        objects = list(read(done.stdout))
    except (subprocess.TimeoutExpired, ValueError) as error:
        failed, objects = f"{type(error).__name__}: {error}"[:200], []
    return {"objects": objects, "failed": failed, "seconds": time.monotonic() - began, "options": words[3:]}


def read(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a text, or of lists in it, whatever lines they are on. Raises ValueError for other text."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        yield from value if isinstance(value, list) else [value]


def figures(objects: list[dict[str, Any]]) -> list[Told]:
    """What is worth a row: every ratio in them, with its spread where one is told, and the few other figures of goals.

    A ratio is a member with `ratio` in its name: a number, its spread beside it in `NAME_spread`; an object with
    `median` and `spread`; or an object of numbers. What stands beside it in the same object tells which one it is.
    """
    return [told for each in objects for told in _figures(each, "")]


_LABELS = (
    "what", "delay", "connections", "lines", "processes", "files", "bytes_a_file", "fsync_by_sftp", "waiting", "settled"
)  # fmt: skip
_OTHERS = ("used", "above", "of_limit", "status_s", "peak_mb", "retention_longest_ms")


def _figures(value: Any, path: str) -> Iterator[Told]:
    if isinstance(value, list):
        for each in value:
            yield from _figures(each, path)
    if not isinstance(value, dict):
        return
    beside = ", ".join(f"{name} {value[name]}" for name in _LABELS if isinstance(value.get(name), str | int | float))
    for name, each in value.items():
        wanted = "ratio" in name or name in _OTHERS
        label = " ".join(part for part in (path, beside, "" if name == "ratio" else name) if part)
        if wanted and isinstance(each, int | float):
            low, high = value.get(f"{name}_spread") or (each, each)
            yield Told(label, each, low, high)
        elif wanted and isinstance(each, dict) and isinstance(each.get("median"), int | float):
            low, high = each.get("spread") or (each["median"], each["median"])
            yield Told(label, each["median"], low, high)
        elif wanted and isinstance(each, dict):
            yield from (
                Told(f"{label} {inner}", number, number, number)
                for inner, number in each.items()
                if isinstance(number, int | float)
            )
        else:
            yield from _figures(each, f"{path} {name}".strip())
