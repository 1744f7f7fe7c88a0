"""The settings of the import files."""

from __future__ import annotations

from pathlib import Path

import attrs

from tillpost.kit.settings import must
from tillpost_engage.schemas import CONTACTS_NAMESPACE
from tillpost_engage.settings import LookupKey
from tillpost_engage.xmlnames import is_name

MOST = 20_000  # contacts, or lines of receipts, in one file (contract, section 3)


_count = must(f"be from 1 to {MOST}, the most Engage accepts in a file", lambda value: 0 < value <= MOST)
_folder = must(
    "be the name of one folder",
    lambda value: value not in ("", ".", "..") and not any(c in "/\\" or c < " " for c in value),
)
_element = must("be an XML element name", is_name)


@attrs.frozen(kw_only=True)
class FileSettings:
    """The fallback files.

    max_lines, max_contacts: in one file. receipts_folder, contacts_folder: below the transfer's path.
    match_keys: the kinds by which a file names a contact whose contactId is unknown; the first one it has is used.
    memberNumber is last, because a contact that the contacts file creates gets its memberNumber only then.
    contact_type: of contacts not named by contactId. contacts_*: the names of the contacts file, whose schema
    the vendor does not publish. xslt: a stylesheet applied to every file last.
    """

    max_lines: int = attrs.field(default=MOST, validator=_count)
    max_contacts: int = attrs.field(default=MOST, validator=_count)
    receipts_folder: str = attrs.field(default="transactionImport", validator=_folder)
    contacts_folder: str = attrs.field(default="contactImport", validator=_folder)
    match_keys: tuple[LookupKey, ...] = attrs.field(
        default=("externalId", "email", "mobilePhone", "socialSecurityNumber", "memberNumber")
    )
    contact_type: str = "Member"
    contacts_namespace: str = attrs.field(default=CONTACTS_NAMESPACE)
    contacts_root: str = attrs.field(default="contacts", validator=_element)
    contacts_new: str = attrs.field(default="new", validator=_element)
    contacts_updated: str = attrs.field(default="updated", validator=_element)
    contacts_member: str = attrs.field(default="member", validator=_element)
    xslt: Path | None = None

    def __attrs_post_init__(self) -> None:
        if not self.match_keys or len(set(self.match_keys)) != len(self.match_keys):
            raise ValueError("match_keys must name at least one key, and none twice")
        if not self.contacts_namespace or any(c <= " " for c in self.contacts_namespace):
            raise ValueError("contacts_namespace must be a namespace URI")
        if self.receipts_folder == self.contacts_folder:
            raise ValueError("receipts_folder and contacts_folder must differ: contacts files go first")
        if self.contacts_new == self.contacts_updated:
            raise ValueError("contacts_new and contacts_updated must differ")
