"""The API: what each route does.

Source: contract, section 2; the v2 paths are those of the published client.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs

from tillpost_sandbox import contacts
from tillpost_sandbox.engage import Engage
from tillpost_sandbox.identifiers import IDENTIFIERS, is_valid
from tillpost_sandbox.receipts import format_errors
from tillpost_sandbox.request import Answer, RefusalError, Request
from tillpost_sandbox.state import Contact, Receipt

MOST_HISTORY = 100  # transactions in one answer


@attrs.frozen
class Call:
    """One request to one route: the tenant, the API's version, and the values in the path."""

    engage: Engage
    request: Request
    version: str
    given: dict[str, str]

    def contact(self) -> Contact:
        """The contact of the path. Raises RefusalError 404 when there is none, or it was erased or merged."""
        found = self.engage.state.living(self.given["contactId"])
        if found is None:
            raise RefusalError(404, "ContactNotFound", "no contact has this id")
        return found

    def shown(self, contact: Contact) -> dict[str, Any]:
        """A contact as this version shows it: v2 in groups, which the client needs; v3 flat [open]."""
        meta = {
            "createDate": contact.created_at,
            "lastModifiedDate": contact.updated_at,
            "isApproved": contact.approved,
            "contactType": contact.contact_type,
        }
        tail = {"meta": meta, "preferences": contact.preferences, "consents": contact.consents}
        if self.version == "v2":
            return {"id": contact.id, "attributes": contact.attributes, **tail}
        return contact.attributes | {"id": contact.id, "contactType": contact.contact_type, **tail}


Handler = Callable[[Call], Answer]


def find_id(call: Call) -> Answer:
    """GET contacts/id: a JSON string, the contact's GUID."""
    return Answer(200, contacts.lookup(call.engage.state, call.engage.settings, call.request.query).id)


def find_several(call: Call) -> Answer:
    """GET contacts/id-lookup: an object keyed by identifier, each value the one match or null."""
    found: dict[str, Any] = {}
    for identifier in filter(None, call.request.query.get("id", "").split(",")):
        kind, _, value = identifier.partition(":")
        if kind not in (*IDENTIFIERS, "contactId") or not value:
            raise RefusalError(400, "InvalidSearchQuery", "id must be a list of kind:value, separated by commas")
        matches = call.engage.state.find(kind, value) if is_valid(kind, value) else []
        found[identifier] = call.shown(matches[0]) if len(matches) == 1 else None
    if not found:
        raise RefusalError(400, "InvalidSearchQuery", "id is empty")
    return Answer(200, found)


def create(call: Call) -> Answer:
    """POST contacts: 201 and the contact, or 200 and the id of the one that has the key."""
    state = call.engage.state
    names = {name.lower(): name for name in ("source", "storeExternalId", "createAsUnapproved")}
    in_headers = {names[name]: value for name, value in call.request.headers.items() if name in names}
    options = in_headers if call.version == "v2" else call.request.query
    if call.version == "v3" and in_headers:
        message = f"ignored as headers in v3: {', '.join(sorted(in_headers))}; they go in the query"
        state.note("warning", "ignored-header", message)
    unapproved = options.get("createAsUnapproved", "false").lower()
    if unapproved not in ("true", "false"):
        raise RefusalError(400, "InvalidField", "createAsUnapproved must be true or false")
    contact, is_new = contacts.create(
        state,
        call.engage.settings,
        call.request.json(),
        source=options.get("source"),
        store_external_id=options.get("storeExternalId"),
        approved=unapproved == "false",
    )
    if not is_new:
        call.engage.create_duplicates += 1
        return Answer(200, {"id": contact.id})
    call.engage.created += 1
    return Answer(201, call.shown(contact))


def read(call: Call) -> Answer:
    """GET contacts/{contactId}."""
    return Answer(200, call.shown(call.contact()))


def update(call: Call) -> Answer:
    """PATCH contacts/{contactId} (POST in v2): only the fields sent are changed, empty ones too."""
    return Answer(200, call.shown(contacts.update(call.engage.state, call.contact(), call.request.json())))


def remove(call: Call) -> Answer:
    """DELETE contacts/{contactId}."""
    contacts.remove(call.engage.state, call.contact())
    return Answer(200, {}) if call.version == "v2" else Answer(204)


def change_type(call: Call) -> Answer:
    """POST contacts/{contactId}/updateContactType?contactTypeId=, and promoteToMember of v2."""
    is_promotion = call.request.path.endswith("/promoteToMember")
    wanted = "Member" if is_promotion else call.request.query.get("contactTypeId")
    kind = contacts.contact_type(call.engage.settings, wanted)
    state = call.engage.state
    changed = state.put_contact(attrs.evolve(call.contact(), contact_type=kind, updated_at=state.timestamp()))
    return Answer(200, call.shown(changed))


def prefer(call: Call) -> Answer:
    """POST contacts/{contactId}/preferences/acceptsEmail|Sms|Postal, {"value": true}; approves it too."""
    body = call.request.json()
    value = body.get("value") if isinstance(body, dict) else None
    if not isinstance(value, bool):
        raise RefusalError(400, "InvalidBody", "value must be true or false")
    contact = contacts.update(call.engage.state, call.contact(), {"preferences": {call.given["preference"]: value}})
    return Answer(200, call.shown(call.engage.state.put_contact(attrs.evolve(contact, approved=True))))


def count(call: Call) -> Answer:
    """GET contacts/count and contacts/{contactType}/count: approved contacts, not cached as Engage's is."""
    kind = call.given.get("contactType")
    wanted = contacts.contact_type(call.engage.settings, kind) if kind else None
    living = (contact for contact in call.engage.state.contacts.values() if not contact.gone and contact.approved)
    return Answer(200, sum(wanted in (None, contact.contact_type) for contact in living))


def changes(call: Call) -> Answer:
    """GET contacts/changes?changeType=Created|Updated|Deleted&fromDate=&toDate=: an object with ids [open: shape]."""
    query = call.request.query
    kind, start, end = query.get("changeType"), _moment(query, "fromDate"), _moment(query, "toDate")
    if kind not in ("Created", "Updated", "Deleted") or start is None:
        raise RefusalError(400, "InvalidSearchQuery", "give changeType (Created, Updated, Deleted) and fromDate")

    def is_wanted(contact: Contact) -> bool:
        if bool(contact.gone) != (kind == "Deleted") or (
            kind == "Updated" and contact.updated_at == contact.created_at
        ):
            return False
        return _within(contact.created_at if kind == "Created" else contact.updated_at, start, end)

    found = [contact.id for contact in call.engage.state.contacts.values() if is_wanted(contact)]
    return Answer(200, {"changeType": kind, "contactIds": found})


def by_key(call: Call) -> Answer:
    """GET (v2) contacts/{contactType}/bykey and byexternalid: the contact a key names."""
    key = call.given.get("keyValue", call.request.query.get("keyValue", ""))
    names = ("externalId",) if "/byexternalid/" in call.request.path else IDENTIFIERS
    kind = contacts.contact_type(call.engage.settings, call.given["contactType"])
    found = {
        contact.id: contact
        for name in names
        for contact in call.engage.state.find(name, key)
        if contact.contact_type == kind
    }
    return Answer(200, call.shown(contacts.only(found)))


def save_receipt(call: Call) -> Answer:
    """POST receipts: 400 for errors of format, else 202: accepted, and imported later."""
    body = call.request.json()
    errors = format_errors(body)
    if errors or not isinstance(body, dict):
        names = ", ".join(error.field for error in errors[:5])
        raise RefusalError(400, "InvalidReceipt", f"{len(errors)} fields are not valid: {names}", tuple(errors))
    call.engage.state.accept(body["uniqueReceiptId"], body, route="api")
    return Answer(202, {})


def history(call: Call) -> Answer:
    """GET contacts/{contactId}/transactions: what was imported, latest sale first."""
    contact, query = call.contact(), call.request.query
    offset, limit = _whole(query, "offset", 0), _whole(query, "count", MOST_HISTORY)
    if limit > MOST_HISTORY:
        raise RefusalError(400, "InvalidSearchQuery", f"count must be at most {MOST_HISTORY}")
    start, end = _moment(query, "fromDate"), _moment(query, "toDate")
    sales = [
        receipt for receipt in call.engage.state.history(contact.id) if _within(receipt.body["createdDate"], start, end)
    ]
    sales.sort(key=lambda receipt: datetime.fromisoformat(receipt.body["createdDate"]), reverse=True)
    items = [_sale(receipt) for receipt in sales[offset : offset + limit]]
    return Answer(200, {"items": items, "totalCount": len(sales), "offset": offset, "count": len(items)})


def stores(call: Call) -> Answer:
    """GET stores: the configured ones, or those of the receipts when any store is allowed."""
    state, known = call.engage.state, call.engage.settings.stores
    names = known or sorted({receipt.body["storeExternalId"] for receipt in state.receipts.values()})
    return Answer(200, [{"externalId": name, "name": name} for name in names])


def _sale(receipt: Receipt) -> dict[str, Any]:
    body = receipt.body
    return {
        "id": str(receipt.seq),
        "externalId": receipt.unique_id,
        "transactionNumber": body.get("receiptNumber"),
        "createdDate": body["createdDate"],
        "storeName": body["storeExternalId"],
        "numberOfItems": len(body["items"]),
        "localCurrency": body["currency"],
    }


def _whole(query: Any, name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise RefusalError(400, "InvalidSearchQuery", f"{name} must be a whole number")
    return int(text)


def _moment(query: Any, name: str) -> datetime | None:
    if name not in query:
        return None
    try:
        return datetime.fromisoformat(query[name])
    except ValueError:
        raise RefusalError(400, "InvalidSearchQuery", f"{name} must be a date or a time in ISO 8601") from None


def _within(text: str, start: datetime | None, end: datetime | None) -> bool:
    """Whether a time is within bounds; a bound without an offset is compared with the local time."""
    at = datetime.fromisoformat(text)

    def comparable(bound: datetime) -> datetime:
        return at if bound.tzinfo else at.replace(tzinfo=None)

    return (start is None or comparable(start) >= start) and (end is None or comparable(end) <= end)
