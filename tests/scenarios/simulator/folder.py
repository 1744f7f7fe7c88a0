"""The import folder of the simulated Engage: how files get there, and what its import makes of them."""

from __future__ import annotations

from typing import Any

from tests.scenarios.simulator.engage import FILES_EVERY, Engage
from tests.scenarios.simulator.faults import Faults
from tillpost import hookimpl
from tillpost.model import Delivered, Failure, MaybeSent, Misconfigured, NotSent, Outcome, Refused, SpooledFile
from tillpost_engage.schemas import CONTACTS_NAMESPACE
from tillpost_sandbox.documents import UnreadableError, read_contacts, read_receipts

_SKIPPED_KEYS = ("memberNumber",)
"""A file cannot make a contact that has no other key, so a receipt that names one may come to nothing."""


class ImportFolder:
    """What lies there, and its import, which reads receipts before contacts: the worst order there is."""

    def __init__(self, engage: Engage) -> None:
        self._engage = engage
        self.files: dict[str, bytes] = {}
        self.next_import = FILES_EVERY
        self.imported: set[str] = set()

    def advance(self, now: float) -> None:
        """Time has passed here."""
        if now >= self.next_import:
            self.read_all()
            self.next_import = now - now % FILES_EVERY + FILES_EVERY

    def read_all(self) -> None:
        """The hourly import."""
        for name in sorted(self.files, key=lambda name: (name.endswith("_contacts.xml"), name)):
            self.read(name)

    def read(self, name: str) -> None:
        """Import one file and delete it."""
        raw = self.files.pop(name)
        self.imported.add(name)
        try:
            if name.endswith("_contacts.xml"):
                self._contacts(raw)
            else:
                self._receipts(raw)
        except UnreadableError as error:
            self._engage.violations.append(f"{name} was skipped as a whole: {error.message}")

    def _contacts(self, raw: bytes) -> None:
        for record in read_contacts(raw, "contacts", CONTACTS_NAMESPACE):
            fields = {
                name: value for name, value in record.body.items() if name != "email" or "@" in value
            }  # validated field by field
            found = self._engage.with_keys(fields)
            if len(found) > 1:
                continue  # two people: Engage skips the record
            if found:
                self._engage.change(found[0], fields)
            elif record.group == "new":
                self._engage.make(fields)
            elif person := self._engage.find("memberNumber", fields.get("memberNumber", "")):
                self._engage.change(person, fields)

    def _receipts(self, raw: bytes) -> None:
        for record in read_receipts(raw):
            receipt_id = self._engage.take(record.body, "file")
            kind, value = (record.body["contact"][name] for name in ("matchKeyType", "matchKey"))
            if record.body["receiptNumber"] in self._engage.refusable:
                self._engage.dropped[receipt_id] = "refused for its content"
                continue
            person = self._person(kind, value)
            named = value if kind == "contactId" else f"{kind}:{value.casefold() if kind == 'email' else value}"
            if person is None and not self._may_be_missing(kind, value, named):
                self._engage.violations.append(f"a file with the receipt {receipt_id} came before its contact")
            self._engage.settle(receipt_id, person, named)

    def _person(self, kind: str, value: str) -> Any:
        if kind != "contactId":
            return self._engage.find(kind, value)
        while value in self._engage.merged:
            value = self._engage.merged[value]
        return self._engage.people.get(value)

    def _may_be_missing(self, kind: str, value: str, named: str) -> bool:
        return kind in _SKIPPED_KEYS or named in self._engage.erased or (kind == "email" and "@" not in value)


class SimulatedTransfer:
    """The hooks of the slot `transfer`: what the SFTP plugin answers, from its own faults."""

    def __init__(self, folder: ImportFolder, faults: Faults) -> None:
        self._folder = folder
        self._faults = faults

    @hookimpl
    def transfer(self, file: SpooledFile) -> Outcome:
        """Upload under a temporary name, rename; look first, and look when in doubt."""
        self._faults.cross("before an upload")
        try:
            content = file.path.read_bytes()
        except OSError as error:
            return Refused(reason=f"{file.name} cannot be read here: {type(error).__name__}")
        fault = self._faults.transfer()
        if fault == "refused":
            return NotSent(reason="simulated: no connection to the file server")
        if fault == "denied":
            return Misconfigured(reason="simulated: the file server does not take the password")
        if fault == "cut":
            return NotSent(reason="simulated: half of it arrived")  # under the temporary name: nobody reads it
        if file.name not in self._folder.files:
            self._folder.files[file.name] = content
        if fault == "taken":
            self._folder.read(file.name)
        self._faults.cross("after an upload")
        if fault == "unsure":
            return MaybeSent(reason="simulated: no answer to the rename, and then none to the look")
        return Delivered()

    @hookimpl
    def find_transferred(self, file: SpooledFile) -> bool | Failure:
        """Whether it still lies there."""
        self._faults.cross("before a look")
        fault = self._faults.transfer()
        if fault in ("refused", "cut"):
            return NotSent(reason="simulated: no connection to the file server")
        if fault == "denied":
            return Misconfigured(reason="simulated: the file server does not take the password")
        return file.name in self._folder.files
