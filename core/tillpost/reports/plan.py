"""Capacity: the disk and the files that an outage needs, and how long catching up takes."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import Any

import attrs

from tillpost.journal import Journal

MOST = 20_000
"""Lines of receipts, or contacts, in one file (Engage contract, file import)."""
RATE = 50.0
"""Requests a second that Engage asks to stay below (Engage contract, rules of conduct)."""
IMPORT_EVERY = timedelta(hours=1)
"""Between two imports of files: "about hourly" (Engage contract, file import)."""
BACKLOG_SHARE = 0.25
"""Share of the requests that the backlog gets in any case."""
UPLOAD = 1_000_000
"""Bytes a second to the file server: a slow connection of a head office."""
ROOM = 1.25
"""Factor on the computed bytes: WAL, logs and rewritten files."""
LEAST = 1000
"""Receipts, or rows of files, from which on measured sizes replace the defaults."""


@attrs.frozen(kw_only=True)
class Load:
    """The load. receipts_per_hour: of one store, around the clock; its busiest hour makes the plan safe."""

    stores: int
    receipts_per_hour: float
    outage: timedelta
    rate: float = RATE
    after: timedelta = timedelta(minutes=15)
    every: timedelta = timedelta(minutes=5)
    files: bool = True


@attrs.frozen(kw_only=True)
class Weights:
    """What one receipt takes; `measured` names those that were measured on a journal, the others are defaults.

    journal: bytes in the journal, record, content, events and contact included. file: bytes in a fallback file.
    lines: of one receipt. contacts: new contacts a receipt. contact: bytes of one in a file.
    """

    journal: float = 8000.0
    file: float = 4200.0
    lines: float = 8.0
    contacts: float = 0.2
    contact: float = 600.0
    measured: tuple[str, ...] = ()

    def on_disk(self) -> float:
        """Bytes to keep free for a receipt of an outage that goes by file."""
        return (self.journal + self.file + self.contacts * self.contact) * ROOM


@attrs.frozen(kw_only=True)
class Plan:
    """The result in bytes, numbers and seconds; None: never.

    catch_up_api: the backlog by API, beside live traffic. catch_up_files: upload, imports and verification of the
    files, at most.
    """

    receipts: int
    live_per_second: float
    journal_bytes: int
    fallback_bytes: int
    disk: int
    receipt_files: int
    contact_files: int
    requests: int
    catch_up_api: float | None
    catch_up_files: float | None
    assumptions: tuple[str, ...]
    advice: tuple[str, ...]


def weigh(journal: Journal) -> Weights:
    """The sizes measured in this journal, where it has enough receipts."""
    sizes, found = journal.sizes(), dict[str, Any]()
    if sizes.receipts >= LEAST:
        found["journal"] = sizes.journal_bytes / sizes.receipts
        if sizes.lines:
            found["lines"] = sizes.lines
    if sizes.file_rows >= LEAST:
        found["file"] = sizes.file_bytes / sizes.file_rows
        found["contacts"] = sizes.contact_rows / sizes.file_rows
    if sizes.contact_rows >= LEAST:
        found["contact"] = sizes.contact_bytes / sizes.contact_rows
    return Weights(**found, measured=tuple(found))


def plan(load: Load, weights: Weights, free: int | None = None) -> Plan:
    """Compute it. free: bytes free on the disk of the state folder, for the advice."""
    hours = load.outage / timedelta(hours=1)
    live = load.stores * load.receipts_per_hour / 3600
    receipts = ceil(load.stores * load.receipts_per_hour * hours)
    in_files = ceil(receipts * max(0.0, 1 - load.after / load.outage)) if load.files and load.outage else 0
    contacts = ceil(in_files * weights.contacts)
    journal_bytes = ceil(receipts * weights.journal)
    fallback_bytes = ceil(in_files * weights.file + contacts * weights.contact)
    each = 1 + 2 * weights.contacts  # the receipt; of a new contact the look-up and the creation
    requests = ceil(receipts * each)
    spare = max(load.rate - live * each, load.rate * BACKLOG_SHARE)  # requests a second left for the backlog
    disk = ceil((journal_bytes + fallback_bytes) * ROOM)
    result = Plan(
        receipts=receipts,
        live_per_second=round(live, 3),
        journal_bytes=journal_bytes,
        fallback_bytes=fallback_bytes,
        disk=disk,
        receipt_files=_files(in_files, weights.lines, load),
        contact_files=_files(contacts, 1.0, load),
        requests=requests,
        catch_up_api=requests / spare if spare else None,
        catch_up_files=_by_file(in_files, contacts, fallback_bytes, spare) if load.files else None,
        assumptions=_assumptions(load, weights),
        advice=(),
    )
    return attrs.evolve(result, advice=tuple(_advice(load, result, live * each, free)))


def _files(rows: int, weight: float, load: Load) -> int:
    """Files of so many rows: one batch `every`, and none larger than the import takes."""
    if not rows:
        return 0
    batches = min(rows, max(1, ceil((load.outage - load.after) / load.every)))
    return batches * ceil(rows * weight / batches / MOST)


def _by_file(receipts: int, contacts: int, size: int, spare: float) -> float | None:
    if not receipts:
        return 0.0
    imports = 2 if contacts else 1  # receipts after the contacts they name
    asked = contacts + receipts  # each new contact is looked up before its file goes up, each receipt looked for after
    if not spare:
        return None
    return size / UPLOAD + imports * IMPORT_EVERY.total_seconds() + asked / spare


def _assumptions(load: Load, weights: Weights) -> tuple[str, ...]:
    def how(name: str) -> str:
        return "measured on this journal" if name in weights.measured else "default"

    lines = [
        f"{load.stores} stores with {load.receipts_per_hour:g} receipts an hour each, day and night, also afterwards",
        f"{weights.journal:,.0f} bytes a receipt in the journal ({how('journal')})",
        f"{load.rate:g} requests a second for everything; the backlog keeps a quarter of them at least",
        f"{weights.contacts:.2f} new contacts a receipt ({how('contacts')}), each with a look-up and a creation",
    ]
    if load.files:
        lines += [
            f"{weights.file:,.0f} bytes a receipt in files ({how('file')}), {weights.contact:,.0f} a contact"
            f" ({how('contact')})",
            f"{weights.lines:.1f} lines a receipt ({how('lines')}), {MOST:,} lines or contacts a file",
            f"files from {_span(load.after)} on, a batch every {_span(load.every)}, one kind of key",
            f"upload of {UPLOAD / 1e6:g} MB a second, an import every {_span(IMPORT_EVERY)}, contacts before receipts",
        ]
    return tuple(lines)


def _advice(load: Load, result: Plan, live: float, free: int | None) -> list[str]:
    lines = [f"keep {size(result.disk)} free for the state folder: a quarter more than computed"]
    if free is not None and result.disk:
        lasts = load.outage * (free / result.disk)
        enough = "enough" if free >= result.disk else "not enough: free disk space, or move the state folder"
        lines.append(f"{size(free)} are free there: {enough}; at this rate they last {_span(lasts)}")
    lines.append(f"set the alert `disk_for_outage` to {_span(load.outage)}, to be warned before the disk is full")
    if live >= load.rate * (1 - BACKLOG_SHARE):
        lines.append(
            f"live traffic alone needs {live:.1f} of {load.rate:g} requests a second: ask for a higher rate, or take a"
            " destination of its own for some stores"
        )
    if not load.files:
        lines.append(
            "no fallback is configured: add `fallback` and `transfer`, so that receipts go by file during an outage"
        )
    return lines


def size(count: float) -> str:
    """Bytes for people, in powers of ten, as disks are sold."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _span(length: timedelta) -> str:
    return span(length.total_seconds())


def span(seconds: float) -> str:
    """A length of time for people, in its largest fitting unit, as the configuration writes it."""
    for unit, width in (("d", 86400.0), ("h", 3600.0), ("m", 60.0)):
        if seconds >= 2 * width or (seconds >= width and seconds % width == 0):
            return f"{round(seconds / width, 1):g}{unit}"
    return f"{round(seconds, 1):g}s"
