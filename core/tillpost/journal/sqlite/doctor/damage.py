"""Damages of a journal: how they are reported and repaired."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import apsw
import attrs

from tillpost.errors import InvalidValue
from tillpost.model import Receipt
from tillpost.model.receipt_json import loads

Fix = Callable[[apsw.Connection, float], None]
Progress = Callable[[str], None]


@attrs.frozen(kw_only=True)
class Damage:
    """One finding.

    table, row: the place, `row` as the key of the table or as a page. receipt: the id of a receipt that is affected.
    lost: what cannot be restored, or "nothing". remedy: what `journal repair` does, or a person must do.
    """

    table: str
    row: str
    reason: str
    lost: str
    remedy: str
    receipt: str = ""
    raw: bytes = attrs.field(default=b"", repr=False)
    """The rest of the damaged row for the quarantine; may contain personal data and is never shown."""
    note: bool = False
    """A remark that needs no repair."""
    fix: Fix | None = attrs.field(default=None, eq=False, repr=False)
    """Repairs it; None when there is nothing to repair beyond the quarantine."""

    def as_dict(self) -> dict[str, str]:
        """The texts for reports, without personal data."""
        return {name: getattr(self, name) for name in ("table", "row", "receipt", "reason", "lost", "remedy")}


def quarantine(connection: apsw.Connection, damage: Damage, now: float) -> None:
    """Insert the rest of a damaged row into the quarantine, with what was lost."""
    connection.execute(
        "INSERT INTO quarantine (at, source, place, receipt, reason, lost, raw) VALUES (?,?,?,?,?,?,?)",
        (now, damage.table, damage.row, damage.receipt, damage.reason, damage.lost, damage.raw),
    )


def encode_row(names: list[str], values: tuple[Any, ...]) -> bytes:
    """The columns of a row that could be read, as JSON; bytes in base64."""
    return json.dumps(
        {
            name: {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
            for name, value in zip(names, values, strict=False)
        },
        ensure_ascii=True,
    ).encode()


def decode_body(body: object, checksum: object) -> Receipt | None:
    """The receipt of a body; None when it is missing or damaged."""
    if not isinstance(body, bytes) or hashlib.sha256(body).digest() != checksum:
        return None
    try:
        return loads(body)
    except InvalidValue:
        return None


def is_json(text: object, kind: type) -> bool:
    """Whether a column holds JSON of this kind."""
    try:
        return isinstance(text, str) and isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        return False
