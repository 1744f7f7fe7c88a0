"""A destination for long runs. It keeps what it gets on the disk, so that the run's memory is the pipeline's own."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from lxml import etree

from tests.scenarios.simulator.engage import Engage, Saved
from tests.scenarios.simulator.import_folder import ImportFolder
from tillpost_engage.xmlnames import RECEIPTS_NAMESPACE

_TRANSACTION = f"{{{RECEIPTS_NAMESPACE}}}transaction"
_PATHS = {
    path.rpartition("/")[2]: "/".join(f"{{{RECEIPTS_NAMESPACE}}}{name}" for name in path.split("/"))
    for path in ("uniqueReceiptId", "receiptNumber", "storeExternalId", "contact/matchKey", "contact/matchKeyType")
}
_ITEMS = f"{{{RECEIPTS_NAMESPACE}}}items"


class Ledger(Saved):
    """Which receipts arrived, how often, and with which contact."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.executescript(
            "PRAGMA journal_mode = off; PRAGMA synchronous = off;"
            "CREATE TABLE saved (receipt TEXT PRIMARY KEY, contact TEXT, seq INTEGER) WITHOUT ROWID;"
            "CREATE INDEX by_contact ON saved(contact, seq);"
            "CREATE TABLE came (sale TEXT PRIMARY KEY, receipt TEXT, times INTEGER) WITHOUT ROWID;"
        )
        self._count = 0

    def __contains__(self, receipt_id: str) -> bool:
        return self._base.execute("SELECT 1 FROM saved WHERE receipt = ?", (receipt_id,)).fetchone() is not None

    def __len__(self) -> int:
        return int(self._base.execute("SELECT count(*) FROM saved").fetchone()[0])

    def add(self, receipt_id: str, contact: str) -> None:
        self._count += 1
        self._base.execute("INSERT INTO saved VALUES (?, ?, ?)", (receipt_id, contact, self._count))

    def history(self, contact: str) -> list[str]:
        rows = self._base.execute("SELECT receipt FROM saved WHERE contact = ? ORDER BY seq", (contact,))
        return [receipt_id for (receipt_id,) in rows]

    def note(self, sale: str, receipt_id: str) -> str:
        """Count the arrival of a sale; the id under which it arrived first."""
        self._base.execute(
            "INSERT INTO came VALUES (?, ?, 1) ON CONFLICT (sale) DO UPDATE SET times = times + 1", (sale, receipt_id)
        )
        return str(self._base.execute("SELECT receipt FROM came WHERE sale = ?", (sale,)).fetchone()[0])

    def came(self) -> dict[int, int]:
        """Number of arrivals → how many sales have it."""
        return dict(self._base.execute("SELECT times, count(*) FROM came GROUP BY times"))

    def close(self) -> None:
        """The run is over."""
        self._base.close()


class LongEngage(Engage):
    """An Engage that keeps its receipts in a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(saved=ledger)
        self._ledger = ledger

    def take(self, body: Mapping[str, Any], by: str) -> str:
        receipt_id = str(body["uniqueReceiptId"])
        sale = f"{body['storeExternalId']}/{body['receiptNumber']}"
        if (known := self._ledger.note(sale, receipt_id)) != receipt_id:
            self.violations.append(f"{by}: the sale {sale} came as {known} and as {receipt_id}")
        return receipt_id


class Shelf(MutableMapping[str, bytes]):
    """Files by name in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder

    def __getitem__(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            raise KeyError(name) from None

    def __setitem__(self, name: str, content: bytes) -> None:
        (self._folder / name).write_bytes(content)

    def __delitem__(self, name: str) -> None:
        (self._folder / name).unlink()

    def __iter__(self) -> Iterator[str]:
        return (path.name for path in self._folder.iterdir())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return (self._folder / str(name)).exists()


class LongImport(ImportFolder):
    """Reads files one receipt at a time, and records the size of the largest."""

    def __init__(self, engage: Engage, folder: Path) -> None:
        super().__init__(engage)
        self.files = Shelf(folder)  # type: ignore[assignment]
        self.most_lines = self.most_contacts = 0

    def _contacts(self, raw: bytes, known_then: frozenset[tuple[str, str, str]]) -> None:
        self.most_contacts = max(self.most_contacts, raw.count(b"</member>"))
        super()._contacts(raw, known_then)

    def _receipts(self, raw: bytes) -> None:
        lines, kinds = 0, set[str]()
        for _, element in etree.iterparse(io.BytesIO(raw), tag=_TRANSACTION):
            body = {name: str(element.findtext(path)) for name, path in _PATHS.items()}
            items = element.find(_ITEMS)
            lines += 0 if items is None else len(items)
            kinds.add(body["matchKeyType"])
            self._take(body)
            element.clear()
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]
        self.most_lines = max(self.most_lines, lines)
        if len(kinds) != 1:
            self._engage.violations.append(f"a file with {len(kinds)} kinds of matchKey")

    def _take(self, body: dict[str, str]) -> None:
        receipt_id = self._engage.take(body, "file")
        kind, value = body["matchKeyType"], body["matchKey"]
        person = self._person(kind, value)
        if person is None:
            self._engage.violations.append(f"a file with the receipt {receipt_id} came before its contact")
        self._engage.settle(receipt_id, person, value)
