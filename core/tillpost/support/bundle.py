"""The support bundle: a zip file with what a helper needs to see of an installation, and nobody's data.

Amounts, times, states and counts are kept. What names a person, a store, a till, a receipt, a document or a machine is
a pseudonym (pseudonyms.py). It has no body, no record of a till and no secret.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tillpost.compose.config import Config
from tillpost.compose.journals import existing_journal
from tillpost.compose.plugins import GROUP, installed_plugins
from tillpost.errors import Finding, JournalError
from tillpost.journal import Entry, Journal
from tillpost.support import configuration, contents
from tillpost.support.pseudonyms import Pseudonyms, own_words

LOG = 1 << 20
"""Bytes of a log that are taken, from its end."""
_INVENTED = frozenset({"tillpost_demo", "tillpost_sandbox"})
"""Plugins whose texts have invented people in them."""
_README = """\
Made by `tillpost bundle`. A word such as ~3f2a9c01b7de stands for a value that names a person, a store, a till, a
receipt, a document or a machine: the same value has the same word in all files of this bundle, and in no other bundle.
The key they were made with was thrown away. Amounts, times, states, counts and what adapters are set to are as they
are.
"""


def write(
    out: Path,
    config: Config | None,
    findings: Iterable[Finding],
    *,
    last: int,
    now: float,
    logs: Iterable[Path] = (),
) -> list[str]:
    """Write the bundle, whole or not at all, and return the names of its files. Raises FileExistsError.

    last: how many receipts and ten times as many events of each pipeline.
    """
    if out.exists():
        raise FileExistsError(out)
    part = out.with_name(f".{out.name}.part")
    names = Pseudonyms(own_words() | own_words(plugin_packages()) | {info.name for info in installed_plugins()})
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in _files(names, config, list(findings), last, now, logs):
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
            written = archive.namelist()
        part.rename(out)
    finally:
        part.unlink(missing_ok=True)
    return written


def plugin_packages() -> tuple[str, ...]:
    """The packages of the plugins that come with Tillpost: their texts are known, those of others are not."""
    points = (point for point in entry_points(group=GROUP) if point.dist and point.dist.name == "tillpost")
    return tuple(sorted({point.module.partition(".")[0] for point in points} - _INVENTED))


def _files(
    names: Pseudonyms, config: Config | None, findings: list[Finding], last: int, now: float, logs: Iterable[Path]
) -> Iterator[tuple[str, str]]:
    yield "README.txt", _README
    yield "versions.json", _json(contents.versions(now))
    pipelines = config.pipelines if config is not None else ()
    with ExitStack() as stack:
        journals: dict[str, Journal] = {}
        recent: dict[str, list[Entry]] = {}
        unreadable: dict[str, JournalError] = {}
        for pipeline in pipelines:  # everything is learnt before the first text is written
            if not (pipeline.state / "journal.db").exists():
                continue
            try:
                journal = stack.enter_context(closing(existing_journal(pipeline)))
                recent[pipeline.name] = journal.listings.newest(last)
                contents.learn(names, journal, recent[pipeline.name])
            except JournalError as error:
                unreadable[pipeline.name] = error
            else:
                journals[pipeline.name] = journal
        for pipeline in pipelines:
            configuration.learn(names, pipeline)
        if config is not None:
            settings = {pipeline.name: configuration.describe(names, pipeline) for pipeline in pipelines}
            yield "configuration.json", _json(settings)
        yield "findings.json", _json([contents.finding(names, finding) for finding in findings])
        for name, why in unreadable.items():
            yield f"pipelines/{name}/unreadable.json", _json({"reason": names.text(str(why))})
        for name, journal in journals.items():
            yield f"pipelines/{name}/status.json", _json(contents.status(names, journal))
            for kind, rows in contents.tables(names, journal, recent[name], last).items():
                yield f"pipelines/{name}/{kind}.jsonl", "".join(map(_line, rows))
            yield f"pipelines/{name}/disk.json", _json(contents.disk(journal))
        for number, path in enumerate(logs, 1):
            yield f"log-{number}.txt", "\n".join(map(names.text, _tail(path)))


def _tail(path: Path) -> list[str]:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LOG))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return lines[1:] if size > LOG else lines  # the first may be cut


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) + "\n"
