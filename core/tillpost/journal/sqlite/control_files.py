"""Requests to the process that runs on a state folder, as small files in it: they need no signal and no port.

A request and its answer are files named by a random id, written under another name and renamed. Only users who may
write the state folder can send a request.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tillpost.journal.sqlite.sqlite_errors import as_journal_error

_REQUEST, _ANSWER = "reload-{}.request", "reload-{}.answer"
_NAME = re.compile(r"reload-([0-9a-f]{32})\.request")
_LOOK_EVERY = 0.05


def take_requests(folder: Path) -> list[str]:
    """Remove the requests to reload and return their ids."""
    found: list[str] = []
    with suppress(OSError):  # others report a folder that cannot be read
        for name in sorted(filter(_NAME.fullmatch, os.listdir(folder))):  # noqa: PTH208 - ten times a second
            if match := _NAME.fullmatch(name):
                (folder / name).unlink()
                found.append(match[1])
    return found


def write_answer(folder: Path, identity: str, value: Mapping[str, Any]) -> None:
    """Answer a request. Raises JournalError when it cannot be written."""
    _put(folder / _ANSWER.format(identity), value)


def remove_answers(folder: Path) -> None:
    """Remove answers that no process has read."""
    for left in folder.glob(_ANSWER.format("*")):
        left.unlink(missing_ok=True)


def request_reload(folder: Path, timeout: float) -> dict[str, Any] | None:
    """Ask the process that runs on the state folder to reload; its answer, or None when there was none in time.

    timeout: seconds. A request without an answer is removed.
    """
    identity = os.urandom(16).hex()
    request, answer_path = folder / _REQUEST.format(identity), folder / _ANSWER.format(identity)
    _put(request, {"asked": "reload"})
    end = time.monotonic() + timeout
    try:
        while True:
            try:
                reply: dict[str, Any] = json.loads(answer_path.read_bytes())
            except FileNotFoundError:
                if time.monotonic() > end:
                    return None
                time.sleep(_LOOK_EVERY)
                continue
            answer_path.unlink(missing_ok=True)
            return reply
    finally:
        request.unlink(missing_ok=True)


def _put(path: Path, value: Mapping[str, Any]) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(value, file)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise as_journal_error(error, path) from error
