"""The support bundle: what somebody who helps needs to see of an installation, and nothing of anybody's.

Amounts, times, states and counts are kept, for they are what is looked into. Whatever names a person, a store, a till,
a receipt, a document or a machine is a pseudonym (pseudonyms.py). No body, no record of a till and no secret is in it.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

import attrs

from tillpost.clock import iso
from tillpost.compose.config import Config
from tillpost.compose.mapping import SLOTS, unpacked, without_secrets
from tillpost.compose.pipeline_config import PipelineConfig, SlotConfig
from tillpost.compose.plugins import GROUP, known_plugins
from tillpost.errors import Finding, InvalidValue
from tillpost.journal import Entry, Journal
from tillpost.journal.sqlite.platform import MOUNTS, network_mount
from tillpost.plugin import Secret
from tillpost.support.pseudonyms import Pseudonyms, own_words
from tillpost.version import __version__

LOG = 1 << 20
"""Bytes of a log that are taken, from its end."""
_PACKAGES = ("apsw", "attrs", "cattrs", "click", "lxml", "msgspec", "paramiko", "pluggy", "urllib3")
_NAMES = frozenset(
    {"document", "store", "till", "number", "receipt", "contact", "file", "key", "contact_id", "name", "path", "folder"}
)
"""Details of an event that name something."""
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
    """Write the bundle, whole or not at all, and return the names of what is in it. Raises FileExistsError.

    last: how many receipts and ten times as many events of each pipeline.
    """
    if out.exists():
        raise FileExistsError(out)
    part = out.with_name(f".{out.name}.part")
    words = own_words() | own_words(tuple(sorted(_bundled() - _INVENTED)))
    names = Pseudonyms(words | {info.name for info in known_plugins()})
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in _contents(names, config, list(findings), last, now, logs):
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
            written = archive.namelist()
        part.rename(out)
    finally:
        part.unlink(missing_ok=True)
    return written


def _bundled() -> set[str]:
    """The packages of the plugins that come with Tillpost: their texts are known, those of others are not."""
    points = (point for point in entry_points(group=GROUP) if point.dist and point.dist.name == "tillpost")
    return {point.module.partition(".")[0] for point in points}


_INVENTED = frozenset({"tillpost_demo", "tillpost_sandbox"})
"""Their texts have invented people in them."""


def _contents(
    names: Pseudonyms, config: Config | None, findings: list[Finding], last: int, now: float, logs: Iterable[Path]
) -> Iterator[tuple[str, str]]:
    yield "README.txt", _README
    yield "versions.json", _json(_versions(now))
    pipelines = config.pipelines if config is not None else ()
    opened = [(each, Journal(each.state)) for each in pipelines if (each.state / "journal.db").exists()]
    try:
        recent = {each.name: journal.newest.receipts(last) for each, journal in opened}
        for each, journal in opened:  # all is learnt before the first text is written
            _learn(names, journal, recent[each.name])
        if config is not None:
            _learn_settings(names, config)
            yield "configuration.json", _json({each.name: _configuration(names, each) for each in pipelines})
        yield "findings.json", _json([_finding(names, each) for each in findings])
        for each, journal in opened:
            for name, content in _pipeline(names, journal, recent[each.name], last):
                yield f"pipelines/{each.name}/{name}", content
            yield f"pipelines/{each.name}/disk.json", _json(_disk(each.state))
        for number, path in enumerate(logs, 1):
            yield f"log-{number}.txt", "\n".join(map(names.text, _tail(path)))
    finally:
        for _, journal in opened:
            journal.close()


def _learn(names: Pseudonyms, journal: Journal, recent: list[Entry]) -> None:
    for entry in recent:
        names.learn((entry.id, entry.number, entry.store, entry.till, entry.document, entry.contact, entry.file))
    for till in journal.tills.all():
        names.learn((till.store, till.till, till.last_number))
    for key in {entry.contact for entry in recent if entry.contact}:
        try:
            contact = journal.contacts.get(key)
        except InvalidValue:
            continue
        names.learn((contact.contact_id, *(known.value for known in contact.identifiers)))
        names.learn(contact.attributes.values())
    names.learn(entry.file.name for entry in journal.files.all())


def _learn_settings(names: Pseudonyms, config: Config) -> None:
    for pipeline in config.pipelines:
        if pipeline.anonymous is not None:
            names.learn([pipeline.anonymous.value])
        for use in pipeline.slots:
            names.learn(secret.reveal() for secret in _secrets(use.settings))


def _secrets(settings: Any) -> Iterator[Secret]:
    if isinstance(settings, Secret):
        yield settings
    elif attrs.has(type(settings)):
        for field in attrs.fields(type(settings)):
            yield from _secrets(getattr(settings, field.name))
    elif isinstance(settings, Mapping):
        for each in settings.values():
            yield from _secrets(each)
    elif isinstance(settings, tuple | list):
        for each in settings:
            yield from _secrets(each)


def _versions(now: float) -> dict[str, Any]:
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "missing"
    plugins = [attrs.asdict(info) | {"error": bool(info.error)} for info in known_plugins()]
    return {
        "made_at": iso(now),
        "tillpost": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": packages,
        "plugins": [{key: each[key] for key in ("name", "distribution", "version", "error")} for each in plugins],
    }


def _configuration(names: Pseudonyms, pipeline: PipelineConfig) -> dict[str, Any]:
    return {
        "receipt_id": pipeline.recipe,
        "anonymous": names.of(pipeline.anonymous.value) if pipeline.anonymous else None,
        "workers": pipeline.workers,
        "unknown_contact": pipeline.unknown_contact,
        "keep": str(pipeline.keep) if pipeline.keep else None,
        "guard": pipeline.guard,
        "guard_first": pipeline.guard_first,
        "source": names.tree(_told(pipeline.source)),
        "retry": names.tree(_told(pipeline.retry)),
        "fallback": names.tree(_told(pipeline.fallback)),
        "transfer": names.tree(_told(pipeline.transfer)),
        "slots": [_slot(names, use) for use in pipeline.slots],
    }


def _told(policy: Any) -> dict[str, Any]:
    return {
        key: value if isinstance(value, int | float | bool | None) else str(value)
        for key, value in attrs.asdict(policy).items()
    }


def _slot(names: Pseudonyms, use: SlotConfig) -> dict[str, Any]:
    """A use with its table. What an adapter reads by (columns, codes) is kept unless it is known to name something."""
    table = without_secrets(use.table, use.settings)
    return {"slot": use.slot, "use": use.plugin, "table": _table(names, use.slot, table, use.settings is not None)}


def _table(names: Pseudonyms, slot: str, table: Any, read: bool) -> Any:
    plain = slot in SLOTS and read  # of settings nobody could read it is not known which are secret
    return _kept(names, unpacked(table)) if plain else names.tree(_jsonable(table))


def _kept(names: Pseudonyms, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {names.kept(str(key)): _kept(names, each) for key, each in value.items()}
    if isinstance(value, list):
        return [_kept(names, each) for each in value]
    return names.kept(value) if isinstance(value, str) else _jsonable(value)


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_jsonable(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _finding(names: Pseudonyms, finding: Finding) -> dict[str, Any]:
    return {
        "level": finding.level,
        "line": finding.line,
        "key": names.text(finding.key.replace(".", " ")).replace(" ", "."),
        "message": names.text(finding.message),
        "next_step": names.text(finding.next_step),
    }


def _pipeline(names: Pseudonyms, journal: Journal, recent: list[Entry], last: int) -> Iterator[tuple[str, str]]:
    yield "status.json", _json(_status(names, journal))
    yield "receipts.jsonl", _lines(_receipt(names, entry) for entry in recent)
    yield "events.jsonl", _lines(_event(names, each) for each in journal.newest.events(10 * last))
    yield "files.jsonl", _lines(_file(names, entry) for entry in journal.files.all()[-last:])
    yield (
        "tills.jsonl",
        _lines(
            attrs.asdict(till)
            | {"store": names.of(till.store), "till": names.of(till.till), "last_number": names.of(till.last_number)}
            for till in journal.tills.all()
        ),
    )
    yield (
        "mappings.jsonl",
        _lines(
            {
                **attrs.asdict(known),
                "what": {
                    "tillpost": known.what.get("tillpost"),
                    "uses": [
                        {key: use[key] for key in ("slot", "plugin", "package", "version")}
                        | {"table": _table(names, use["slot"], use["table"], True)}
                        for use in known.what.get("uses", ())
                    ],
                },
            }
            for known in journal.mappings.all()
        ),
    )


def _status(names: Pseudonyms, journal: Journal) -> dict[str, Any]:
    destination = attrs.asdict(journal.destination.get())
    return {
        "schema": journal.newest.schema(),
        "destination": destination | {"reason": names.text(destination["reason"])},
        "history": [
            {"at": iso(at), "state": what, "detail": names.text(str(detail))}
            for at, what, detail in journal.destination.history()
        ],
        "counts": journal.receipts.counts(),
        "delivered": journal.receipts.routes(),
        "skipped": [{"reason": names.text(why), "count": count} for why, count in journal.receipts.skipped().items()],
        "ignored": [{"reason": names.text(why), "count": count} for why, count in journal.receipts.ignored().items()],
        "contacts": journal.contacts.counts(),
        "files": journal.files.counts(),
        "removed": journal.retention.removed(),
        "next_due": journal.receipts.next_due(),
    }


def _receipt(names: Pseudonyms, entry: Entry) -> dict[str, Any]:
    row = attrs.asdict(entry)
    for name in ("id", "number", "store", "till", "contact", "file", "document"):
        row[name] = names.of(row[name])
    return row | {"reason": names.text(entry.reason), "place": names.text(entry.place)}


def _event(names: Pseudonyms, event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "seq": event["seq"],
        "at": event["at"],
        "step": event["step"],
        "what": names.text(event["what"]),
        "detail": names.tree(event["detail"], whole=_NAMES),
        "receipt": names.of(event["receipt"]),
        "contact": names.of(event["contact"]),
    }


def _file(names: Pseudonyms, entry: Any) -> dict[str, Any]:
    row = attrs.asdict(entry, recurse=False)
    file = row.pop("file")
    return row | {
        "name": names.of(file.name),
        "kind": file.kind,
        "size": file.size,
        "reason": names.text(entry.reason),
        "there": file.path.exists(),
    }


def _disk(state: Path) -> dict[str, Any]:
    usage = shutil.disk_usage(state)
    mounts = MOUNTS.read_text(encoding="utf-8", errors="replace") if MOUNTS.exists() else ""
    sizes = {path.name: path.stat().st_size for path in sorted(state.glob("journal.db*")) if path.is_file()}
    spool = [path.stat().st_size for path in (state / "fallback").rglob("*") if path.is_file()]
    return {
        "total": usage.total,
        "free": usage.free,
        "network": bool(network_mount(state, mounts)),
        "journal": {
            name: size for name, size in sizes.items() if name in ("journal.db", "journal.db-wal", "journal.db-shm")
        },
        "fallback_files": {"files": len(spool), "bytes": sum(spool)},
    }


def _tail(path: Path) -> list[str]:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LOG))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return lines[1:] if size > LOG else lines  # the first may be half a one


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n"


def _lines(values: Iterable[Any]) -> str:
    return "".join(json.dumps(value, ensure_ascii=False, default=str) + "\n" for value in values)
