"""The event rows: everything that happens to a receipt or a contact, in order. No personal data in them."""

from __future__ import annotations

import json
from typing import Any

import apsw


def record(
    connection: apsw.Connection,
    at: float,
    step: str,
    what: str,
    *,
    receipt: int | None = None,
    contact: str | None = None,
    **detail: Any,
) -> None:
    """Add an event in the transaction of what it tells of."""
    connection.execute(
        "INSERT INTO events (receipt, contact, at, step, what, detail) VALUES (?,?,?,?,?,?)",
        (receipt, contact, at, step, what, json.dumps(detail, default=str, sort_keys=True)),
    )
