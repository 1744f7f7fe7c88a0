"""The data of the sandbox, in memory and on disk.

Each change is one line appended to DIR/state.jsonl and given to the operating system before a request is
answered, so that a sandbox that was killed still has what it accepted.
"""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import attrs

from tillpost_sandbox import wire
from tillpost_sandbox.identifiers import IDENTIFIERS, normal


@attrs.frozen
class Contact:
    """A contact of the tenant. `gone` is empty, `erased`, or `merged` (into `merged_into`)."""

    id: str
    contact_type: str
    attributes: dict[str, Any]
    preferences: dict[str, Any]
    consents: list[Any]
    origin: str  # api, file or seed
    created_at: str
    updated_at: str
    approved: bool = True
    source: str | None = None
    store_external_id: str | None = None
    gone: str = ""
    merged_into: str | None = None

    def keys(self) -> Iterable[tuple[str, str]]:
        """The identifiers this contact is found by, in the form in which they are compared."""
        if not self.gone:
            for kind in IDENTIFIERS:
                value = self.attributes.get(kind)
                if isinstance(value, str) and value:
                    yield kind, normal(kind, value)


@attrs.frozen
class Receipt:
    """An accepted receipt, by `route` api or file. status: queued, imported, ignored or dropped."""

    seq: int
    unique_id: str
    body: dict[str, Any]
    route: str
    file: str | None
    received_at: str
    status: str = "queued"
    contact_id: str | None = None
    settled_at: str | None = None


@attrs.frozen
class Entry:
    """A line of the integration log. It names receipts, contacts by id, and files; never personal data."""

    at: str
    level: str  # info, warning or error
    kind: str
    message: str
    receipt: str | None = None
    contact: str | None = None
    file: str | None = None


@attrs.define
class State:
    """All data. Callers take `lock` around changes that belong together."""

    path: Path
    lock: threading.RLock = attrs.field(factory=threading.RLock, repr=False)
    contacts: dict[str, Contact] = attrs.field(factory=dict, init=False, repr=False)
    receipts: dict[str, Receipt] = attrs.field(factory=dict, init=False, repr=False)  # imported, by unique id
    queue: dict[int, Receipt] = attrs.field(factory=dict, init=False, repr=False)
    ignored: dict[str, list[Receipt]] = attrs.field(factory=dict, init=False, repr=False)
    dropped: int = attrs.field(default=0, init=False)
    log: list[Entry] = attrs.field(factory=list, init=False, repr=False)
    _index: dict[tuple[str, str], dict[str, None]] = attrs.field(factory=dict, init=False, repr=False)
    _history: dict[str, list[str]] = attrs.field(factory=dict, init=False, repr=False)
    _seq: int = attrs.field(default=0, init=False)
    _file: BinaryIO = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._load()
        self._file = self.path.open("ab")

    def close(self) -> None:
        """Close the file; the data stays readable in memory."""
        with self.lock:
            self._file.close()

    def timestamp(self) -> str:
        """Now, in ISO 8601 with its offset."""
        return datetime.now(UTC).astimezone().isoformat()

    def put_contact(self, contact: Contact) -> Contact:
        """Store a contact, new or changed."""
        with self.lock:
            self._write("contact", attrs.asdict(contact))
            self._hold_contact(contact)
        return contact

    def living(self, contact_id: str) -> Contact | None:
        """The contact of an id, unless it was erased or merged away."""
        contact = self.contacts.get(contact_id.lower())
        return None if contact is None or contact.gone else contact

    def find(self, kind: str, value: str) -> list[Contact]:
        """The living contacts that have an identifier, oldest first."""
        if kind == "contactId":
            contact = self.living(value)
            return [contact] if contact else []
        return [self.contacts[found] for found in self._index.get((kind, normal(kind, value)), ())]

    def accept(self, unique_id: str, body: dict[str, Any], *, route: str, file: str | None = None) -> Receipt:
        """Queue a receipt for the import."""
        with self.lock:
            self._seq += 1
            receipt = Receipt(self._seq, unique_id, body, route, file, self.timestamp())
            self._write("receipt", attrs.asdict(receipt))
            self.queue[receipt.seq] = receipt
        return receipt

    def settle(self, receipt: Receipt, status: str, contact_id: str | None = None) -> None:
        """Take a receipt from the queue: imported for a contact, ignored as a duplicate, or dropped."""
        with self.lock:
            settled = {"seq": receipt.seq, "status": status, "contact_id": contact_id, "at": self.timestamp()}
            self._write("settled", settled)
            self._hold_settled(settled)

    def note(self, level: str, kind: str, message: str, **about: str | None) -> None:
        """Add a line to the integration log."""
        with self.lock:
            entry = Entry(self.timestamp(), level, kind, message, **about)
            self._write("log", attrs.asdict(entry))
            self.log.append(entry)

    def history(self, contact_id: str) -> list[Receipt]:
        """The imported receipts of a contact, in the order of their import."""
        return [self.receipts[unique_id] for unique_id in self._history.get(contact_id, ())]

    def move_history(self, source: str, target: str) -> None:
        """Give one contact's receipts to another, as a merge does."""
        with self.lock:
            self._write("merge", {"source": source, "target": target})
            self._hold_merge(source, target)

    def _hold_contact(self, contact: Contact) -> None:
        old = self.contacts.get(contact.id)
        before, after = set(old.keys()) if old else set(), list(contact.keys())
        for key in before.difference(after):
            self._index[key].pop(contact.id, None)
        for key in after:
            self._index.setdefault(key, {})[contact.id] = None
        self.contacts[contact.id] = contact

    def _hold_settled(self, settled: dict[str, Any]) -> None:
        receipt = attrs.evolve(
            self.queue.pop(settled["seq"]),
            status=settled["status"],
            contact_id=settled["contact_id"],
            settled_at=settled["at"],
        )
        match receipt.status:
            case "imported":
                self.receipts[receipt.unique_id] = receipt
                self._history.setdefault(str(receipt.contact_id), []).append(receipt.unique_id)
            case "ignored":
                self.ignored.setdefault(receipt.unique_id, []).append(receipt)
            case _:
                self.dropped += 1

    def _hold_merge(self, source: str, target: str) -> None:
        moved = self._history.pop(source, [])
        for unique_id in moved:
            self.receipts[unique_id] = attrs.evolve(self.receipts[unique_id], contact_id=target)
        self._history.setdefault(target, []).extend(moved)

    def _write(self, kind: str, value: dict[str, Any]) -> None:
        self._file.write(f'{{"{kind}": {wire.dumps(value)}}}\n'.encode())
        self._file.flush()

    def _load(self) -> None:
        if not self.path.exists():
            self.path.touch(mode=0o600)
            return
        kept = 0
        with self.path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # cut by a kill while it was written: it was not acknowledged
                self._replay(wire.loads(line))
                kept += len(line)
        with self.path.open("r+b") as file:
            file.truncate(kept)

    def _replay(self, line: Any) -> None:
        match line:
            case {"contact": fields}:
                self._hold_contact(Contact(**fields))
            case {"receipt": fields}:
                receipt = Receipt(**fields)
                self._seq = receipt.seq
                self.queue[receipt.seq] = receipt
            case {"settled": settled}:
                self._hold_settled(settled)
            case {"merge": moved}:
                self._hold_merge(**moved)
            case {"log": fields}:
                self.log.append(Entry(**fields))
