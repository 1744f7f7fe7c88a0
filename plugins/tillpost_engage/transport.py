"""Sends receipts, probes Engage, and reads which receipts a contact's history shows."""

from __future__ import annotations

import attrs

from tillpost import hookimpl
from tillpost.model import Contact, Failure, Gone, MaybeSent, NotSent, Outcome, Payload, Tenant
from tillpost_engage.answers import Answer, code, judge
from tillpost_engage.client import Client, contact_path
from tillpost_engage.identifiers import is_contact_id

PAGE = 100  # the most transactions one answer may hold (contract, History)
_MOST_PAGES = 1000  # a history that never ends is a fault of Engage


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
    def confirm_receipts(self, contact: Contact, receipt_ids: frozenset[str]) -> frozenset[str] | Gone | Failure:
        """Read the contact's history, 100 at a time, until every id was seen or it ends."""
        if not is_contact_id(contact.contact_id):
            return Gone(reason="the stored contactId is not one of Engage's")
        found: set[str] = set()
        for page in range(_MOST_PAGES):
            query = {"offset": str(page * PAGE), "count": str(PAGE)}
            answer = self.client.ask("GET", f"{contact_path(contact.contact_id)}/transactions", query=query)
            if not isinstance(answer, Answer):
                return answer
            items = answer.value.get("items") if isinstance(answer.value, dict) else answer.value
            if not isinstance(items, list):
                return NotSent(reason="answered a history without a list of items", status=answer.status)
            shown = {item.get("externalId") for item in items if isinstance(item, dict)}
            found |= {name for name in shown if isinstance(name, str)} & receipt_ids
            if found == receipt_ids or len(items) < PAGE:
                break
        return frozenset(found)
