"""Checks of the fallback files: the manifest against its receipts and the files on the disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from tillpost.journal.sqlite.doctor.damage import Damage, Fix, encode_row, is_json
from tillpost.journal.states import State
from tillpost.journal.tables import events
from tillpost.journal.tables.files import FileState

_TEXTS = ("name", "kind", "sha256", "path", "keys", "state", "reason")
_NUMBERS = ("sequence", "position", "size", "rows", "due", "attempts", "written_at")
_MAYBE = ("uploaded_at", "consumed_at", "confirmed_at")
_COLUMNS = [*_TEXTS, *_NUMBERS, *_MAYBE]


def examine(connection: apsw.Connection, fallback: Path) -> Iterator[Damage]:
    """Find columns that make no sense, files that differ on the disk, and files that are missing in the manifest."""
    for row in connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM files ORDER BY sequence, position"):  # noqa: S608
        values = dict(zip(_COLUMNS, row, strict=True))
        wrong = [name for name in _TEXTS if not isinstance(values[name], str)]
        wrong += [name for name in _NUMBERS if not isinstance(values[name], int | float)]
        wrong += [name for name in _MAYBE if not isinstance(values[name], int | float | None)]
        wrong += [] if "keys" in wrong or is_json(values["keys"], list) else ["keys"]
        wrong += [] if "state" in wrong or values["state"] in tuple(FileState) else ["state"]
        wrong += [] if "kind" in wrong or values["kind"] in ("receipts", "contacts") else ["kind"]
        if wrong:
            yield Damage(
                table="files", row=str(values["name"]), reason=f"makes no sense: {', '.join(wrong)}",
                lost="nothing that the receipts and the disk do not have", remedy="filled from them",
                raw=encode_row(_COLUMNS, row), fix=_fix_columns(values, tuple(wrong), fallback),
            )  # fmt: skip
        elif values["state"] in (FileState.WRITTEN, FileState.UPLOADED):
            yield from _on_disk(values)
    for name, written, transferred in connection.execute(
        "SELECT file, count(*) FILTER (WHERE state = 'written'), count(*) FILTER (WHERE state = 'transferred')"
        " FROM receipts WHERE state IN ('written', 'transferred') AND file NOT IN (SELECT name FROM files)"
        " GROUP BY file"
    ):
        yield Damage(
            table="files", row=str(name), reason=f"is named by {written + transferred} receipts and missing",
            lost="nothing: its receipts are known",
            remedy="those not transferred are accepted again; the others are looked for in the history",
            fix=_recreate_row(str(name), fallback),
        )  # fmt: skip


def _on_disk(values: dict[str, Any]) -> Iterator[Damage]:
    path = Path(values["path"])
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        reason = "" if found == values["sha256"] or not values["sha256"] else "is not on the disk as it was written"
    except OSError:
        reason = "is not on the disk"
    if not reason:
        return
    if values["state"] == FileState.UPLOADED:
        yield Damage(
            table="files", row=values["name"], reason=reason, lost="nothing: the destination has it",
            remedy="it cannot be sent again with `tillpost files resend`", note=True,
        )  # fmt: skip
        return
    back = (
        "its receipts are accepted again" if values["kind"] == "receipts" else "the next file names its contacts again"
    )
    yield Damage(
        table="files", row=values["name"], reason=reason, lost="the file; its content is in the journal",
        remedy=f"taken out of the list of files; {back}", raw=encode_row(list(values), tuple(values.values())),
        fix=_remove_file(values["name"]),
    )  # fmt: skip


def _remove_file(name: str) -> Fix:
    def fix(connection: apsw.Connection, now: float) -> None:
        connection.execute("DELETE FROM files WHERE name = ?", (name,))
        connection.execute("UPDATE contacts SET file = '', in_files = '{}' WHERE file = ?", (name,))
        _accept_again(connection, name, now)

    return fix


def _accept_again(connection: apsw.Connection, name: str, now: float) -> None:
    for (seq,) in list(connection.execute("SELECT seq FROM receipts WHERE file = ? AND state = 'written'", (name,))):
        connection.execute(
            "UPDATE receipts SET state = 'accepted', file = '', due = ?, attempts = 0, changed_at = ?,"
            " reason = 'its file was lost' WHERE seq = ?",
            (now, now, seq),
        )
        # The same moves as when a person retries a held receipt.
        events.record(connection, now, "repair", State.HELD, receipt=seq, reason="its file was lost")
        events.record(connection, now, "repair", State.ACCEPTED, receipt=seq)


def _recreate_row(name: str, fallback: Path) -> Fix:
    def fix(connection: apsw.Connection, now: float) -> None:
        _accept_again(connection, name, now)
        keys = [key for (key,) in connection.execute("SELECT id FROM receipts WHERE file = ? ORDER BY seq", (name,))]
        if not keys:
            return
        sequence = (connection.execute("SELECT max(sequence) FROM files").get or 0) + 1
        connection.execute(
            # In the state after the import: each receipt is looked for in the history of its contact.
            "INSERT INTO files (name, kind, sequence, position, sha256, size, path, rows, keys, state, due, written_at,"
            " uploaded_at, consumed_at) VALUES (?, 'receipts', ?, 0, '', 0, ?, ?, ?, 'consumed', ?, ?, ?, ?)",
            (name, sequence, str(fallback / name), len(keys), json.dumps(keys), now, now, now, now),
        )

    return fix


def _fix_columns(values: dict[str, Any], wrong: tuple[str, ...], fallback: Path) -> Fix:
    def fix(connection: apsw.Connection, now: float) -> None:
        name = values["name"]
        receipts = [
            key for (key,) in connection.execute("SELECT id FROM receipts WHERE file = ? ORDER BY seq", (name,))
        ]
        keys = receipts or [key for (key,) in connection.execute("SELECT key FROM contacts WHERE file = ?", (name,))]
        path = values["path"] if isinstance(values["path"], str) else str(fallback / str(name))
        content = Path(path).read_bytes() if Path(path).is_file() else b""
        state = FileState.WRITTEN
        for reached in FileState:
            if values.get(f"{reached}_at") is not None:
                state = reached
        fresh: dict[str, Any] = dict.fromkeys(_NUMBERS, 0) | dict.fromkeys(_MAYBE) | {
            "kind": "receipts" if receipts else "contacts", "keys": json.dumps(keys), "rows": len(keys), "path": path,
            "state": state, "reason": "", "due": now, "written_at": now, "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest() if content else "",
        }  # fmt: skip
        for column in wrong:
            connection.execute(
                f"UPDATE files SET {column} = ? WHERE name = ?",  # noqa: S608 - ours
                (fresh.get(column, ""), name),
            )

    return fix
