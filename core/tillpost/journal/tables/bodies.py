"""The bodies of receipts: the receipt in its canonical JSON with a checksum, and the record as the till wrote it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from tillpost.errors import InvalidValue, JournalDamaged
from tillpost.journal.database import List, Table
from tillpost.model import Receipt
from tillpost.model.receipt_json import loads

Stored = tuple[Any, Any]
"""A body and its checksum, neither verified."""


class Bodies(Table):
    """The bodies table; in a table of their own, so that counting and claiming never read past them."""

    def stored(self, seqs: Iterable[int]) -> dict[int, Stored]:
        """The bodies of several rows as they are stored, for `get` and `is_readable`."""
        rows = self._database.read(
            "SELECT seq, body, checksum FROM bodies WHERE seq IN (SELECT value FROM json_each(?))",
            (List(seqs),),
        )
        return {seq: (body, checksum) for seq, body, checksum in rows}

    def get(self, seq: int, stored: Mapping[int, Stored] | None = None) -> Receipt:
        """The receipt of a row. Raises InvalidValue when the body is missing or its checksum does not fit.

        stored: rows read before; they include this one if it exists.
        """
        body, checksum = (self.stored([seq]) if stored is None else stored).get(seq, (None, None))
        if body is None:
            raise InvalidValue(
                "holds no receipt: it could not be read when it was accepted, or was damaged since",
                place=f"journal row {seq}",
            )
        if not isinstance(body, bytes) or hashlib.sha256(body).digest() != checksum:
            raise InvalidValue(
                "the receipt does not match its checksum, the row is damaged;"
                " `tillpost held retry` reads the receipt again from its record",
                place=f"journal row {seq}",
            )
        return loads(body)

    def is_readable(self, seq: int, stored: Mapping[int, Stored] | None = None) -> bool:
        """Whether the body of a row exists and is undamaged. stored: as for `get`."""
        try:
            self.get(seq, stored)
        except (InvalidValue, JournalDamaged):
            return False
        return True

    def raw(self, seq: int) -> bytes:
        """The record as the till wrote it."""
        rows = self._database.read("SELECT raw FROM bodies WHERE seq = ?", (seq,))
        return bytes(rows[0][0]) if rows and isinstance(rows[0][0], bytes) else b""
