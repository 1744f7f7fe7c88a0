"""The import folders: which files are read, what is imported, and what the log says of the rest.

Source: contract, section 3. Contacts files are read before receipts files. A file is deleted once
it was read; one that was skipped as a whole is moved to DIR/rejected, where its sender does not see it.
"""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs

from tillpost_sandbox import contacts
from tillpost_sandbox.documents import Record, UnreadableError, read_contacts, read_receipts
from tillpost_sandbox.identifiers import CREATE_KEYS, IDENTIFIERS, is_valid
from tillpost_sandbox.imports import settle
from tillpost_sandbox.receipts import format_errors
from tillpost_sandbox.request import RefusalError
from tillpost_sandbox.settings import Settings
from tillpost_sandbox.state import Contact, State

CONTACTS_FOLDER = "integration/contactImport"
RECEIPTS_FOLDER = "integration/transactionImport"
EXPORT_FOLDER = "integration/customerExport"

Take = Callable[[State, Settings, bytes, str], str]
"""Imports a file of this content and name, and says what came of it."""
_NAME = re.compile(r"(?P<time>[0-9]{14})_(?P<part>[^/\\]+)_(?P<kind>transactions|contacts)\.xml")


@attrs.frozen
class ImportFolders:
    """The folders under `home`, which is what the SFTP user sees as /."""

    home: Path
    rejected: Path

    def make(self) -> None:
        """Make the folders that Engage has for a tenant."""
        for folder in (CONTACTS_FOLDER, RECEIPTS_FOLDER, EXPORT_FOLDER):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        self.rejected.mkdir(exist_ok=True)

    def read(self, state: State, settings: Settings) -> int:
        """Read both folders once; returns the number of files."""
        count = 0
        for folder, kind, take in (
            (CONTACTS_FOLDER, "contacts", _import_contacts),
            (RECEIPTS_FOLDER, "transactions", _import_receipts),
        ):
            for path in sorted((self.home / folder).iterdir()):
                if is_import_name(path.name, kind) and path.is_file():
                    self._take(path, take, state, settings)
                    count += 1
        return count

    def _take(self, path: Path, take: Take, state: State, settings: Settings) -> None:
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return  # its sender removed it
        try:
            done = take(state, settings, raw, path.name)
        except UnreadableError as error:
            state.note("error", error.kind, f"whole file skipped: {error.message}", file=path.name)
            path.replace(self.rejected / path.name)
            return
        state.note("info", "file-imported", done, file=path.name)
        path.unlink(missing_ok=True)


def is_import_name(name: str, kind: str) -> bool:
    """Whether a file of this name is read: `{YYYYMMDDHHmmss}_{sequence or store id}_{kind}.xml`."""
    found = _NAME.fullmatch(name)
    if found is None or found["kind"] != kind:
        return False
    try:
        datetime.strptime(found["time"], "%Y%m%d%H%M%S")  # noqa: DTZ007 - only whether it is a time at all
    except ValueError:
        return False
    return True


def _import_receipts(state: State, settings: Settings, raw: bytes, file: str) -> str:
    counts = {"imported": 0, "ignored": 0, "dropped": 0, "invalid": 0}
    for record in read_receipts(raw):
        counts[_import_receipt(state, settings, record, file)] += 1
    return ", ".join(f"{count} receipts {what}" for what, count in counts.items())


def _import_receipt(state: State, settings: Settings, record: Record, file: str) -> str:
    unique_id = record.body.get("uniqueReceiptId")
    receipt = unique_id if isinstance(unique_id, str) else None
    errors = format_errors(record.body)
    if errors:
        what = "; ".join(f"{error.field} {error.message}" for error in errors)
        state.note("error", "receipt-invalid", f"line {record.line}: {what}", receipt=receipt, file=file)
        return "invalid"
    if record.disordered:
        message = f"line {record.line}: not in the contract's order: {', '.join(record.disordered)}"
        state.note("warning", "element-order", message, receipt=receipt, file=file)
    with state.lock:
        queued = state.accept(str(unique_id), record.body, route="file", file=file)
        return settle(state, settings, queued)


def _import_contacts(state: State, settings: Settings, raw: bytes, file: str) -> str:
    records = read_contacts(raw, settings.contacts_root, settings.contacts_namespace)
    counts = {"new": 0, "updated": 0, "existing": 0, "skipped": 0}
    for record in records:
        try:
            with state.lock:
                counts[_import_contact(state, settings, record, file)] += 1
        except RefusalError as refusal:
            message = f"line {record.line}: {refusal.code}, contact skipped"
            state.note("error", "contact-skipped", message, file=file)
            counts["skipped"] += 1
    return ", ".join(f"{count} contacts {what}" for what, count in counts.items())


def _import_contact(state: State, settings: Settings, record: Record, file: str) -> str:
    valid = _valid_fields(state, record, file)
    body = {name: value for name, value in valid.items() if name not in settings.import_drops}
    if record.group == "new":
        return "new" if contacts.create(state, settings, body, origin="file")[1] else "existing"
    target = _target(state, body)
    body.pop("contactType", None)
    contacts.update(state, target, body)
    return "updated"


def _valid_fields(state: State, record: Record, file: str) -> dict[str, Any]:
    """The contact without invalid fields: Engage validates contact by contact, field by field."""
    kept = {}
    for name, value in record.body.items():
        good = not value or name not in IDENTIFIERS or is_valid(name, value)
        if name == "preferences":
            good = all(isinstance(entry, bool) for entry in value.values())
        if good:
            kept[name] = value
        else:
            state.note("warning", "field-skipped", f"line {record.line}: {name} is not valid", file=file)
    return kept


def _target(state: State, body: dict[str, Any]) -> Contact:
    """The contact that an `updated` element means, by the first of its identifiers that is known."""
    for name in ("contactId", "id", "memberNumber", *CREATE_KEYS):
        if body.get(name):
            found = state.find("contactId" if name == "id" else name, body[name])
            if len(found) == 1:
                return found[0]
    raise RefusalError(404, "ContactNotFound", "no contact matches")
