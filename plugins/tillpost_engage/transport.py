"""Sends receipts, probes Engage, and reads which receipts a contact's history shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from tillpost import hookimpl
from tillpost.model import (
    Contact,
    Failure,
    Gone,
    History,
    MaybeSent,
    NoHints,
    NoHistory,
    NotSent,
    Outcome,
    Payload,
    ReceiptRef,
    Tenant,
)
from tillpost_engage.answers import Answer, code, judge
from tillpost_engage.client import Client
from tillpost_engage.gone import contacts_gone
from tillpost_engage.history import read_history
from tillpost_engage.identifiers import is_contact_id


@attrs.frozen
class Transport:
    """The hooks of the slot `transport`."""

    client: Client

    @hookimpl
    def deliver(self, payload: Payload) -> Outcome | Gone:
        """One POST /receipts. Engage recognises a repeat by its uniqueReceiptId and ignores it."""
        answer = self.client.send("POST", "/receipts", body=payload.fields)
        if isinstance(answer, Answer) and answer.status in (400, 404) and code(answer) == "ContactNotFound":
            return Gone()  # its import tells nobody; an Engage that looks at once is believed
        return answer if isinstance(answer, (NotSent, MaybeSent)) else judge(answer, changes=True)

    @hookimpl
    def probe(self) -> Outcome:
        """Look up a key nobody has: a documented request that changes nothing and needs a valid key."""
        return self.client.probe()

    @hookimpl
    def identity(self) -> Tenant:
        """The address, and a digest of the key: nothing that is documented lets Engage say who it is."""
        return self.client.tenant

    @hookimpl
    def confirm_receipts(
        self, contact: Contact, receipts: Sequence[ReceiptRef]
    ) -> History | NoHistory | Gone | Failure:
        """Read the contact's history around the receipts' times of sale."""
        if not is_contact_id(contact.contact_id):
            return Gone(reason="the stored contactId is not one of Engage's")
        return read_history(self.client, contact.contact_id, receipts)

    @hookimpl
    def contacts_gone(self, since: datetime) -> frozenset[str] | NoHints | Failure:
        """Ask for the contacts that were deleted since then."""
        return contacts_gone(self.client, since)
