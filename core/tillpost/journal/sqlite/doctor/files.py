"""The laws of the fallback files: the manifest against the receipts it names and the files on the disk."""

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
    """Columns that make no sense, files that are not on the disk as written, files that receipts name in vain."""
    for row in connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM files ORDER BY sequence, position"):  # noqa: S608
        said = dict(zip(_COLUMNS, row, strict=True))
        wrong = [name for name in _TEXTS if not isinstance(said[name], str)]
        wrong += [name for name in _NUMBERS if not isinstance(said[name], int | float)]
        wrong += [name for name in _MAYBE if not isinstance(said[name], int | float | None)]
        wrong += [] if "keys" in wrong or is_json(said["keys"], list) else ["keys"]
        wrong += [] if "state" in wrong or said["state"] in tuple(FileState) else ["state"]
        wrong += [] if "kind" in wrong or said["kind"] in ("receipts", "contacts") else ["kind"]
        if wrong:
            yield Damage(
                table="files", row=str(said["name"]), reason=f"makes no sense: {', '.join(wrong)}",
                lost="nothing that the receipts and the disk do not tell", remedy="filled from them",
                raw=encode_row(_COLUMNS, row), fix=_fix_columns(said, tuple(wrong), fallback),
            )  # fmt: skip
        elif said["state"] in (FileState.WRITTEN, FileState.UPLOADED):
            yield from _on_disk(said)
    for name, written, transferred in connection.execute(
        "SELECT file, count(*) FILTER (WHERE state = 'written'), count(*) FILTER (WHERE state = 'transferred')"
        " FROM receipts WHERE state IN ('written', 'transferred') AND file NOT IN (SELECT name FROM files)"
        " GROUP BY file"
    ):
        yield Damage(
            table="files", row=str(name), reason=f"is named by {written + transferred} receipts and missing",
            lost="nothing: its receipts are known",
            remedy="those not transferred go back on the line; the others are looked for in the history",
            fix=_recreate_row(str(name), fallback),
        )  # fmt: skip


def _on_disk(said: dict[str, Any]) -> Iterator[Damage]:
    path = Path(said["path"])
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        reason = "" if found == said["sha256"] or not said["sha256"] else "is not on the disk as it was written"
    except OSError:
        reason = "is not on the disk"
    if not reason:
        return
    if said["state"] == FileState.UPLOADED:
        yield Damage(
            table="files", row=said["name"], reason=reason, lost="nothing: the destination has it",
            remedy="it cannot be sent again with `tillpost files --resend`", note=True,
        )  # fmt: skip
        return
    back = (
        "its receipts go back on the line" if said["kind"] == "receipts" else "the next file names its contacts again"
    )
    yield Damage(
        table="files", row=said["name"], reason=reason, lost="the file; what it says is in the journal",
        remedy=f"taken out of the list of files; {back}", raw=encode_row(list(said), tuple(said.values())),
        fix=_remove_file(said["name"]),
    )  # fmt: skip


def _remove_file(name: str) -> Fix:
    def fix(connection: apsw.Connection, now: float) -> None:
        connection.execute("DELETE FROM files WHERE name = ?", (name,))
        connection.execute("UPDATE contacts SET file = '', in_files = '{}' WHERE file = ?", (name,))
        _back_on_the_line(connection, name, now)

    return fix


def _back_on_the_line(connection: apsw.Connection, name: str, now: float) -> None:
    for (seq,) in list(connection.execute("SELECT seq FROM receipts WHERE file = ? AND state = 'written'", (name,))):
        connection.execute(
            "UPDATE receipts SET state = 'accepted', file = '', due = ?, attempts = 0, changed_at = ?,"
            " reason = 'its file was lost' WHERE seq = ?",
            (now, now, seq),
        )
        # As a person would: held for the damage, and retried.
        events.record(connection, now, "repair", State.HELD, receipt=seq, reason="its file was lost")
        events.record(connection, now, "repair", State.ACCEPTED, receipt=seq)


def _recreate_row(name: str, fallback: Path) -> Fix:
    def fix(connection: apsw.Connection, now: float) -> None:
        _back_on_the_line(connection, name, now)
        keys = [key for (key,) in connection.execute("SELECT id FROM receipts WHERE file = ? ORDER BY seq", (name,))]
        if not keys:
            return
        sequence = (connection.execute("SELECT max(sequence) FROM files").get or 0) + 1
        connection.execute(
            # As if read by the import already: each receipt is then looked for in its contact's history.
            "INSERT INTO files (name, kind, sequence, position, sha256, size, path, rows, keys, state, due, written_at,"
            " uploaded_at, consumed_at) VALUES (?, 'receipts', ?, 0, '', 0, ?, ?, ?, 'consumed', ?, ?, ?, ?)",
            (name, sequence, str(fallback / name), len(keys), json.dumps(keys), now, now, now, now),
        )

    return fix


def _fix_columns(said: dict[str, Any], wrong: tuple[str, ...], fallback: Path) -> Fix:
    def fix(connection: apsw.Connection, now: float) -> None:
        name = said["name"]
        receipts = [
            key for (key,) in connection.execute("SELECT id FROM receipts WHERE file = ? ORDER BY seq", (name,))
        ]
        keys = receipts or [key for (key,) in connection.execute("SELECT key FROM contacts WHERE file = ?", (name,))]
        path = said["path"] if isinstance(said["path"], str) else str(fallback / str(name))
        content = Path(path).read_bytes() if Path(path).is_file() else b""
        state = FileState.WRITTEN
        for reached in FileState:
            if said.get(f"{reached}_at") is not None:
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
