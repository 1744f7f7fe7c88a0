"""The fallback: contacts and receipts as Engage's import files. Contract, section 3."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from tillpost import ConfigurationError, Context, Finding, hookimpl, simple
from tillpost.model import Contact, FallbackBatch, FallbackFile, Identifier, NotWritten, Payload, WrittenFiles
from tillpost_engage.filesettings import FileSettings
from tillpost_engage.identifiers import CREATE_KEYS, is_usable, usable
from tillpost_engage.schemas import contacts_schema, receipts_schema
from tillpost_engage.writer import chunks, write_file
from tillpost_engage.xmlnames import RECEIPTS_NAMESPACE, Cleaner, element, is_name
from tillpost_engage.xmlreceipt import NotPlainError, receipt_writer

_log = logging.getLogger(__name__)

Transform = Callable[[etree._ElementTree], bytes]


class EngageFiles:
    """The hooks of the slot `fallback`. transform: the team's XSLT, None without one."""

    def __init__(self, settings: FileSettings, transform: Transform | None) -> None:
        self.settings = settings
        self.transform = transform
        self.receipts_schema = receipts_schema()
        self.contacts_schema = contacts_schema(
            settings.contacts_namespace,
            {
                "contacts": settings.contacts_root,
                "new": settings.contacts_new,
                "updated": settings.contacts_updated,
                "member": settings.contacts_member,
            },
        )

    @hookimpl
    def match_in_file(self, contact: Contact) -> Identifier | None:
        """The contactId when it is known, else the first of `match_keys` that the contact has."""
        if contact.contact_id:
            return Identifier("contactId", contact.contact_id)
        known = usable(contact)
        return next((Identifier(kind, known[kind]) for kind in self.settings.match_keys if kind in known), None)

    @hookimpl
    def import_folders(self) -> tuple[str, ...]:
        """See hookspecs.py."""
        return self.settings.contacts_folder, self.settings.receipts_folder

    @hookimpl
    def write_files(self, batch: FallbackBatch) -> WrittenFiles:
        """Write the batch: contacts files first, then receipts files, one matchKeyType each."""
        return _Batch(self, batch).write()


class _Batch:
    """One call of `write_files`: numbers its files and collects what no file can carry."""

    def __init__(self, hooks: EngageFiles, batch: FallbackBatch) -> None:
        self._hooks = hooks
        self._settings = hooks.settings
        self._batch = batch
        self._cleaner = Cleaner()
        self._write_receipt = receipt_writer(self._cleaner)
        self._refused: list[NotWritten] = []
        self._files: list[FallbackFile] = []
        # Another machine may write files in the same second with the same sequence numbers.
        self._suffix = secrets.token_hex(4)

    def write(self) -> WrittenFiles:
        self._write_contacts()
        self._write_receipts()
        if self._cleaner.replaced:
            count, sequence = self._cleaner.replaced, self._batch.sequence
            _log.warning("batch %d: %d characters that XML forbids were replaced by U+FFFD", sequence, count)
        return WrittenFiles(files=tuple(self._files), refused=tuple(self._refused))

    def _write_contacts(self) -> None:
        settings = self._settings
        created = {contact.key: fields for contact in self._batch.created if (fields := self._created(contact))}
        updated = {contact.key: fields for contact in self._batch.updated if (fields := self._updated(contact))}
        sized = [(1, (True, item)) for item in created.items()] + [(1, (False, item)) for item in updated.items()]
        for run in chunks(sized, settings.max_contacts):
            groups = [(settings.contacts_new, True), (settings.contacts_updated, False)]
            below = [(name, [item for is_new, item in run if is_new is kind]) for name, kind in groups]
            self._add(
                write_file(
                    self._path(settings.contacts_folder, "contacts"),
                    "contacts",
                    etree.QName(settings.contacts_namespace, settings.contacts_root),
                    [(name, map(self._member, members)) for name, members in below if members],
                    self._hooks.transform,
                    self._hooks.contacts_schema,
                    settings.contacts_member,
                )
            )

    def _write_receipts(self) -> None:
        by_kind: dict[str, list[tuple[int, Payload]]] = {}
        for payload in {payload.receipt_id: payload for payload in self._batch.receipts}.values():
            lines = len(payload.fields.get("items", ()))
            if lines > self._settings.max_lines:
                self._refuse(
                    payload.receipt_id, f"it has {lines} lines, and a file has at most {self._settings.max_lines}"
                )
            else:
                by_kind.setdefault(payload.match.kind, []).append((lines, payload))
        for sized in by_kind.values():
            for run in chunks(sized, self._settings.max_lines):
                self._add(
                    write_file(
                        self._path(self._settings.receipts_folder, "transactions"),
                        "receipts",
                        etree.QName(RECEIPTS_NAMESPACE, "transactions"),
                        [("", self._transactions(run))],
                        self._hooks.transform,
                    )
                )

    def _add(self, file: FallbackFile | None) -> None:
        if file is not None:
            self._files.append(file)

    def _transactions(self, run: Iterable[Payload]) -> Iterator[tuple[str, str]]:
        """The receipts as elements, one after the other, without those that are refused."""
        for payload in run:
            try:
                text = self._write_receipt(payload.fields)
            except NotPlainError:
                text = self._checked(payload)
            if text:
                yield payload.receipt_id, text

    def _checked(self, payload: Payload) -> str:
        """A receipt written by its names and checked by the schema; "" when it is refused. The others go on."""
        try:
            text = element("transaction", RECEIPTS_NAMESPACE, payload.fields, self._cleaner)
        except ValueError as error:
            self._refuse(payload.receipt_id, f"a file cannot hold it: {error}")
            return ""
        transaction = etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False, huge_tree=True))
        if not self._hooks.receipts_schema.validate(transaction):
            reason = f"not valid by receipts.xsd at {_where(self._hooks.receipts_schema, transaction)}"
            self._refuse(payload.receipt_id, reason)
            return ""
        return text

    def _created(self, contact: Contact) -> dict[str, str] | None:
        keys = {kind: value for kind, value in usable(contact).items() if kind in CREATE_KEYS}
        if not keys:
            self._refuse(contact.key, f"it has none of the keys Engage creates contacts by ({', '.join(CREATE_KEYS)})")
            return None
        kind = {"contactType": self._settings.contact_type} if self._settings.contact_type else {}
        return self._fields(contact, kind | dict(contact.attributes) | keys)

    def _updated(self, contact: Contact) -> dict[str, str] | None:
        changes = contact.changes()
        if not changes:
            return None  # only new information is sent
        keys = usable(contact)
        if not keys:
            self._refuse(contact.key, "it has no identifier by which a file can name it")
            return None
        return self._fields(contact, changes | keys)

    def _fields(self, contact: Contact, fields: dict[str, str]) -> dict[str, str] | None:
        sent = {name: value for name, value in fields.items() if value.strip() and is_usable(name, value)}
        odd = sum(not is_name(name) for name in sent)
        if odd:
            self._refuse(contact.key, f"{odd} of its attributes have names that an XML element cannot have")
            return None
        return sent

    def _refuse(self, key: str, reason: str) -> None:
        self._refused.append(NotWritten(key=key, reason=reason))

    def _member(self, member: tuple[str, dict[str, str]]) -> tuple[str, str]:
        key, fields = member
        settings = self._settings
        return key, element(settings.contacts_member, settings.contacts_namespace, fields, self._cleaner)

    def _path(self, folder: str, kind: str) -> Path:
        number = f"{self._batch.sequence}{len(self._files):04d}-{self._suffix}"
        return self._batch.folder / folder / f"{self._batch.stamp:%Y%m%d%H%M%S}_{number}_{kind}.xml"


def _where(schema: etree.XMLSchema, element: etree._Element) -> str:
    """The names down to the element the schema refused. Its own message would quote the value."""
    entry = schema.error_log.last_error
    found: Any = element.getroottree().xpath(entry.path) if entry is not None and entry.path else []
    if not found:
        return "transaction"
    names = [etree.QName(inner).localname for inner in (*reversed(list(found[0].iterancestors())), found[0])]
    return "/".join(names)


def _stylesheet(path: Path) -> Transform:
    # The team's stylesheet may read files beside it, and do nothing else.
    access = etree.XSLTAccessControl(read_network=False, write_file=False, create_dir=False, write_network=False)
    try:
        sheet = etree.XSLT(etree.parse(path), access_control=access)
    except (OSError, etree.XMLSyntaxError, etree.XSLTParseError) as error:
        raise ConfigurationError(
            Finding(
                key="fallback.xslt",
                message=f"{path} cannot be read as a stylesheet{_why(error)}.",
                next_step="Try it with xsltproc, or remove xslt.",
            )
        ) from None

    def transform(tree: etree._ElementTree) -> bytes:
        result: Any = sheet(tree)  # its bytes are what xsl:output says; the type stubs do not know that
        return bytes(result)

    return transform


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return f": {os.strerror(error.errno).lower()}"
    return f": line {error.position[0]} is not valid XML" if isinstance(error, etree.XMLSyntaxError) else ""


def _make(settings: FileSettings, _context: Context) -> EngageFiles:
    return EngageFiles(settings, _stylesheet(settings.xslt) if settings.xslt else None)


plugin = simple("import files of Voyado Engage", "fallback", FileSettings, _make)
