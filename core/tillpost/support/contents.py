"""What a support bundle says of an installation and its journals, as JSON values with pseudonyms."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import distributions
from typing import Any

import attrs

from tillpost.clock import iso
from tillpost.compose.plugins import installed_plugins
from tillpost.errors import Finding, InvalidValue
from tillpost.journal import Entry, FileEntry, Journal, KnownMapping
from tillpost.journal.sqlite.platform import MOUNTS, network_mount
from tillpost.support.configuration import mapping_table
from tillpost.support.pseudonyms import Pseudonyms
from tillpost.version import __version__

_PACKAGES = ("apsw", "attrs", "cattrs", "click", "lxml", "msgspec", "paramiko", "pluggy", "urllib3")
_NAMES = frozenset(
    {"document", "store", "till", "number", "receipt", "contact", "file", "key", "contact_id", "name", "path", "folder"}
)
"""Details of an event that name something."""


def learn(names: Pseudonyms, journal: Journal, recent: list[Entry]) -> None:
    """Whatever names somebody or something in this journal: no text keeps it."""
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


def versions(now: float) -> dict[str, Any]:
    """Of Tillpost, Python, the system, packages and plugins."""
    installed = {each.name: each.version for each in distributions()}
    return {
        "made_at": iso(now),
        "tillpost": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": {name: installed.get(name, "missing") for name in _PACKAGES},
        "plugins": [
            {"name": info.name, "distribution": info.distribution, "version": info.version, "error": bool(info.error)}
            for info in installed_plugins()
        ],
    }


def finding(names: Pseudonyms, found: Finding) -> dict[str, Any]:
    """A finding of `tillpost check`."""
    return {
        "level": found.level,
        "line": found.line,
        "key": names.text(found.key.replace(".", " ")).replace(" ", "."),
        "message": names.text(found.message),
        "next_step": names.text(found.next_step),
    }


def status(names: Pseudonyms, journal: Journal) -> dict[str, Any]:
    """The destination and the counts of a pipeline."""
    destination = attrs.asdict(journal.destination.get())
    return {
        "schema": journal.schema(),
        "destination": destination | {"reason": names.text(destination["reason"])},
        "history": [
            {"at": iso(at), "state": state, "detail": names.text(str(detail))}
            for at, state, detail in journal.destination.history()
        ],
        "counts": journal.receipts.counts(),
        "delivered": journal.receipts.routes(),
        "skipped": [{"reason": names.text(why), "count": count} for why, count in journal.receipts.skipped().items()],
        "ignored": [{"reason": names.text(why), "count": count} for why, count in journal.receipts.ignored().items()],
        "contacts": journal.contacts.counts(),
        "files": journal.file_states.counts(),
        "removed": journal.retention.count_removed(),
        "next_due": journal.receipts.next_due(),
    }


def tables(names: Pseudonyms, journal: Journal, recent: list[Entry], last: int) -> dict[str, Iterable[dict[str, Any]]]:
    """The last rows of the journal's tables."""
    return {
        "receipts": (_receipt(names, entry) for entry in recent),
        "events": (_event(names, event) for event in journal.events.newest(10 * last)),
        "files": (_file(names, entry) for entry in journal.files.all()[-last:]),
        "tills": (_replaced(names, attrs.asdict(till), "store", "till", "last_number") for till in journal.tills.all()),
        "mappings": (_mapping(names, known) for known in journal.mappings.all()),
    }


def _replaced(names: Pseudonyms, row: dict[str, Any], *columns: str) -> dict[str, Any]:
    return row | {column: names.of(row[column]) for column in columns}


def _receipt(names: Pseudonyms, entry: Entry) -> dict[str, Any]:
    row = _replaced(names, attrs.asdict(entry), "id", "number", "store", "till", "contact", "file", "document")
    return row | {"reason": names.text(entry.reason), "place": names.text(entry.place)}


def _event(names: Pseudonyms, event: Mapping[str, Any]) -> dict[str, Any]:
    detail = names.tree(event["detail"], whole=_NAMES)
    row = {key: event[key] for key in ("seq", "at", "step", "receipt", "contact")}
    return _replaced(names, row, "receipt", "contact") | {"what": names.text(event["what"]), "detail": detail}


def _file(names: Pseudonyms, entry: FileEntry) -> dict[str, Any]:
    row = attrs.asdict(entry, recurse=False)
    file = row.pop("file")
    named = {"name": names.of(file.name), "kind": file.kind, "size": file.size}
    return row | named | {"reason": names.text(entry.reason), "there": file.path.exists()}


def _mapping(names: Pseudonyms, known: KnownMapping) -> dict[str, Any]:
    uses = [
        {key: use[key] for key in ("slot", "plugin", "package", "version")}
        | {"table": mapping_table(names, use["table"])}
        for use in known.what.get("uses", ())
    ]
    return attrs.asdict(known) | {"what": {"tillpost": known.what.get("tillpost"), "uses": uses}}


def disk(journal: Journal) -> dict[str, Any]:
    """Room and sizes."""
    free, total = journal.room()
    mounts = MOUNTS.read_text(encoding="utf-8", errors="replace") if MOUNTS.exists() else ""
    parts = [journal.folder / f"journal.db{end}" for end in ("", "-wal", "-shm")]
    files = [path.stat().st_size for path in journal.fallback_folder.rglob("*") if path.is_file()]
    return {
        "total": total,
        "free": free,
        "network": bool(network_mount(journal.folder, mounts)),
        "journal": {path.name: path.stat().st_size for path in parts if path.is_file()},
        "fallback_files": {"files": len(files), "bytes": sum(files)},
    }
