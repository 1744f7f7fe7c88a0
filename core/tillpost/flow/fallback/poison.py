"""Poison: what a fallback plugin cannot write is found by halves, and the rest of its batch is written without it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import attrs

from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.line import Line
from tillpost.model import Contact, FallbackBatch, NotWritten, Payload, WrittenFiles

_T = TypeVar("_T")
_log = logging.getLogger("tillpost.flow")
MOST = 8
"""Values of a batch that may fail each by itself. With more it is the plugin that fails, and the step waits."""


class TooMany(Exception):
    """More than MOST values fail: nothing of it is about one of them."""


def find_by_halves(items: Sequence[_T], trial: Callable[[Sequence[_T]], str]) -> list[tuple[_T, str]]:
    """The items that fail by themselves, each with the reason; nothing else fails.

    trial: why these items fail together, "" when they do not. Raises TooMany.
    """
    found: list[tuple[_T, str]] = []

    def search(part: Sequence[_T]) -> None:
        reason = trial(part)
        if not reason:
            return
        if len(part) == 1:
            found.append((part[0], reason))
            if len(found) > MOST:
                raise TooMany
            return
        middle = len(part) // 2
        search(part[:middle])
        search(part[middle:])

    search(items)
    return found


def write_without_poisoned(
    line: Line, batch: FallbackBatch, error: InvalidValue | PluginError, trial: Callable[[FallbackBatch], str]
) -> WrittenFiles:
    """Write the batch without what makes the plugin fail, and give that as refused with its reason.

    trial: why a part of the batch cannot be written, "" when it can. Raises `error` when nothing of the batch is
    better than the rest.
    """
    items: list[Contact | Payload] = [*batch.created, *batch.updated, *batch.receipts]
    try:
        poisoned = find_by_halves(items, lambda part: trial(_part(batch, part)))
    except TooMany:
        raise error from None
    if not poisoned or len(poisoned) == len(items):
        raise error
    refused = [NotWritten(key=_key(item), reason=reason) for item, reason in poisoned]
    for each in refused:
        _log.error("pipeline %s: %s is not written to a file: %s", line.name, each.key, each.reason)
    bad = {id(item) for item, _ in poisoned}
    unnamed = {known for item, _ in poisoned if isinstance(item, Contact) for known in item.identifiers}
    for payload in batch.receipts:
        if id(payload) not in bad and payload.match in unnamed:
            bad.add(id(payload))
            refused.append(NotWritten(key=payload.receipt_id, reason="its contact cannot be written to a file"))
    rest = [item for item in items if id(item) not in bad]
    if not rest:
        return WrittenFiles(files=(), refused=tuple(refused))
    written = line.hooks.write_files(_part(batch, rest))
    return attrs.evolve(written, refused=(*written.refused, *refused))


def written_apart(line: Line, batch: FallbackBatch) -> str:
    """Why the plugin cannot write this batch, "" when it can. What it writes is removed."""
    # Beside the files, for a plugin may rename only within a disk.
    with TemporaryDirectory(prefix=".trial-", dir=line.journal.folder, ignore_cleanup_errors=True) as folder:
        try:
            line.hooks.write_files(attrs.evolve(batch, folder=Path(folder)))
        except (InvalidValue, PluginError) as error:
            return str(error)
    return ""


def _part(batch: FallbackBatch, items: Sequence[Contact | Payload]) -> FallbackBatch:
    wanted = {id(item) for item in items}
    return attrs.evolve(
        batch,
        created=tuple(each for each in batch.created if id(each) in wanted),
        updated=tuple(each for each in batch.updated if id(each) in wanted),
        receipts=tuple(each for each in batch.receipts if id(each) in wanted),
    )


def _key(item: Contact | Payload) -> str:
    return item.key if isinstance(item, Contact) else item.receipt_id
