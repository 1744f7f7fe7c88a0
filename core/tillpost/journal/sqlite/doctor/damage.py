"""What is wrong with a journal, as a person is told it and as it is repaired."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import apsw
import attrs

Fix = Callable[[apsw.Connection, float], None]


@attrs.frozen(kw_only=True)
class Damage:
    """One finding.

    table, row: where it is, `row` as the table's key or as a page. receipt: its id, where one is concerned.
    lost: what is gone, "nothing" when it can be made whole. remedy: what `journal repair` does, or a person.
    """

    table: str
    row: str
    reason: str
    lost: str
    remedy: str
    receipt: str = ""
    raw: bytes = attrs.field(default=b"", repr=False)
    """What is left of the damaged row, for the quarantine; may hold personal data and is never shown."""
    note: bool = False
    """Worth telling, and nothing to repaired."""
    fix: Fix | None = attrs.field(default=None, eq=False, repr=False)
    """Puts it right; None when there is nothing to repaired but what the quarantine keeps."""

    def as_dict(self) -> dict[str, str]:
        """For people and JSON: no personal data."""
        return {name: getattr(self, name) for name in ("table", "row", "receipt", "reason", "lost", "remedy")}


def quarantine(connection: apsw.Connection, damage: Damage, now: float) -> None:
    """Keep what is left of a damaged row, with what was lost."""
    connection.execute(
        "INSERT INTO quarantine (at, source, place, receipt, reason, lost, raw) VALUES (?,?,?,?,?,?,?)",
        (now, damage.table, damage.row, damage.receipt, damage.reason, damage.lost, damage.raw),
    )


def encode_row(names: list[str], values: tuple[Any, ...]) -> bytes:
    """A row as far as it could be read, as JSON; bytes in base64."""
    return json.dumps(
        {
            name: {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
            for name, value in zip(names, values, strict=False)
        },
        ensure_ascii=True,
    ).encode()


def is_json(text: object, kind: type) -> bool:
    """Whether a column holds JSON of this kind."""
    try:
        return isinstance(text, str) and isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        return False
