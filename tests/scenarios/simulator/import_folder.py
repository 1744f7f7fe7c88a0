"""The import folder of the simulated Engage: how files get there, and their import."""

from __future__ import annotations

from typing import Any

from tests.scenarios.simulator.api import is_email
from tests.scenarios.simulator.engage import FILES_EVERY, Engage, Person
from tests.scenarios.simulator.faults import Faults
from tillpost import hookimpl
from tillpost.model import Delivered, Failure, FallbackFile, MaybeSent, Misconfigured, NotSent, Outcome, Refused
from tillpost_engage.schemas import CONTACTS_NAMESPACE
from tillpost_sandbox.documents import UnreadableError, read_contacts, read_receipts

_SKIPPED_KEYS = ("memberNumber",)
"""A file cannot create a contact that has no other key, so the import may drop a receipt that names one."""


class ImportFolder:
    """The files in the folder, and their import, which reads receipts before contacts: the worst order."""

    def __init__(self, engage: Engage) -> None:
        self._engage = engage
        self.files: dict[str, bytes] = {}
        self.shown_at_upload: dict[str, frozenset[tuple[str, str, str]]] = {}
        """By file, what the web shop had set and an answer had shown when it was first uploaded."""
        self.next_import = FILES_EVERY
        self.imported: set[str] = set()

    def advance(self, now: float) -> None:
        """Time has passed: run the import if it is due."""
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
                self._contacts(raw, self.shown_at_upload.pop(name, frozenset()))
            else:
                self._receipts(raw)
        except UnreadableError as error:
            self._engage.violations.append(f"{name} was skipped as a whole: {error.message}")

    def arrived(self, name: str, content: bytes) -> None:
        """A file has its final name."""
        if name not in self.imported:
            self.shown_at_upload[name] = frozenset(self._engage.shown)
        self.files[name] = content

    def _contacts(self, raw: bytes, shown_at_upload: frozenset[tuple[str, str, str]]) -> None:
        for record in read_contacts(raw, "contacts", CONTACTS_NAMESPACE):
            fields = {
                name: value
                for name, value in record.body.items()
                if (name != "email" or is_email(value)) and name not in self._engage.import_drops
            }  # validated field by field
            found = self._engage.with_keys(fields)
            if len(found) > 1 or (found and record.group == "new" and self._engage.keeps_existing):
                # Two people: Engage skips the record. One, and it was to be made: left as it is.
                self._engage.left_out.update(_named(kind, value) for kind, value in record.body.items())
                continue
            if found:
                self._change(found[0], fields, shown_at_upload)
            elif record.group == "new":
                self._engage.make(fields)
            elif person := self._engage.find("memberNumber", fields.get("memberNumber", "")):
                self._change(person, fields, shown_at_upload)

    def _change(self, person: Person, fields: dict[str, str], shown_at_upload: frozenset[tuple[str, str, str]]) -> None:
        for name, value in fields.items():
            held = person.attributes.get(name, "")
            if value != held and (person.id, name, held) in shown_at_upload:
                self._engage.violations.append(f"a file overwrote the {name} that the web shop had set, and shown us")
        self._engage.change(person, fields)

    def _receipts(self, raw: bytes) -> None:
        for record in read_receipts(raw):
            receipt_id = self._engage.take(record.body, "file")
            kind, value = (record.body["contact"][name] for name in ("matchKeyType", "matchKey"))
            if record.body["receiptNumber"] in self._engage.refusable:
                self._engage.dropped[receipt_id] = "refused for its content"
                continue
            if kind == "contactId":
                value = self._merged_into(value)  # whom a merged one's receipts go to, and who may be erased by now
            person = self._person(kind, value)
            named = value if kind == "contactId" else _named(kind, value)
            if person is None and not self._may_be_missing(kind, value, named):
                self._engage.violations.append(f"a file with the receipt {receipt_id} came before its contact")
            self._engage.settle(receipt_id, person, named)

    def _person(self, kind: str, value: str) -> Any:
        return self._engage.people.get(value) if kind == "contactId" else self._engage.find(kind, value)

    def _merged_into(self, value: str) -> str:
        while value in self._engage.merged:
            value = self._engage.merged[value]
        return value

    def _may_be_missing(self, kind: str, value: str, named: str) -> bool:
        gone = named in self._engage.erased or named in self._engage.left_out
        return kind in _SKIPPED_KEYS or gone or (kind == "email" and not is_email(value))


def _named(kind: str, value: str) -> str:
    return f"{kind}:{value.casefold() if kind == 'email' else value}"


class SimulatedTransfer:
    """The hooks of the slot `transfer`: what the SFTP plugin answers, from its own faults."""

    def __init__(self, folder: ImportFolder, faults: Faults) -> None:
        self._folder = folder
        self._faults = faults

    @hookimpl
    def transfer(self, file: FallbackFile) -> Outcome:
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
            self._folder.arrived(file.name, content)
        if fault == "taken":
            self._folder.read(file.name)
        self._faults.cross("after an upload")
        if fault == "unsure":
            return MaybeSent(reason="simulated: no answer to the rename, and then none to the look")
        return Delivered()

    @hookimpl
    def find_transferred(self, file: FallbackFile) -> bool | Failure:
        """Whether it still lies in the folder."""
        self._faults.cross("before a look")
        fault = self._faults.transfer()
        if fault in ("refused", "cut"):
            return NotSent(reason="simulated: no connection to the file server")
        if fault == "denied":
            return Misconfigured(reason="simulated: the file server does not take the password")
        return file.name in self._folder.files
