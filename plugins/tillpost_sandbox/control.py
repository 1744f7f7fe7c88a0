"""/_sandbox/…: what a test may see and do that no client of Engage can. Needs no API key; loopback only."""

from collections.abc import Callable
from typing import Any

import attrs

from tillpost_sandbox import contacts
from tillpost_sandbox.engage import Engage
from tillpost_sandbox.faults import BadFaultError
from tillpost_sandbox.imports import differences
from tillpost_sandbox.request import Answer, RefusalError, Request, as_object
from tillpost_sandbox.settings import BadSettingError
from tillpost_sandbox.state import Contact, Receipt, State

PREFIX = "/_sandbox/"


def answer(engage: Engage, request: Request, apply_faults: Callable[[], None]) -> Answer:
    """Answer a control request; `apply_faults` opens and closes the ports as the faults now say."""
    name = request.path.removeprefix(PREFIX)
    state = engage.state
    try:
        match request.method, name:
            case "GET", "receipts":
                with state.lock:
                    held = [*state.receipts.values(), *state.queue.values()]
                    return Answer(200, [_receipt(state, receipt) for receipt in held])
            case "GET", "contacts":
                with state.lock:
                    return Answer(200, [attrs.asdict(contact) for contact in state.contacts.values()])
            case "GET", "log":
                with state.lock:
                    return Answer(200, [attrs.asdict(entry) for entry in state.log])
            case "GET", "stats":
                return Answer(200, engage.stats())
            case "GET", "faults":
                return Answer(200, engage.faults.public())
            case "GET", "settings":
                return Answer(200, engage.settings.public())
            case "POST", "faults":
                engage.faults.set(as_object(request.json()))
                apply_faults()
                return Answer(200, engage.faults.public())
            case "POST", "settings":
                engage.change_settings(as_object(request.json()))
                return Answer(200, engage.settings.public())
            case "POST", "import":
                return Answer(200, {"files": engage.import_files(), "receipts": engage.import_receipts()})
            case "POST", "erase":
                contacts.remove(state, _contact(state, as_object(request.json()), "contactId"))
                return Answer(200, {})
            case "POST", "merge":
                body = as_object(request.json())
                into = _contact(state, body, "into")
                contacts.remove(state, _contact(state, body, "contactId"), into.id)
                return Answer(200, {})
        raise RefusalError(404, "NoSuchRoute", "the sandbox has no such control")
    except (BadFaultError, BadSettingError) as error:
        return RefusalError(400, "InvalidControl", str(error)).answer()
    except RefusalError as refusal:
        return refusal.answer()


def _contact(state: State, body: dict[str, Any], name: str) -> Contact:
    found = state.living(str(body.get(name, "")))
    if found is None:
        raise RefusalError(404, "ContactNotFound", f"{name}: no contact has this id")
    return found


def _receipt(state: State, receipt: Receipt) -> dict[str, Any]:
    body = receipt.body
    ignored = state.ignored.get(receipt.unique_id, []) if receipt.status == "imported" else []
    return {
        "uniqueReceiptId": receipt.unique_id,
        "status": receipt.status,
        "contactId": receipt.contact_id,
        "totalGrossPrice": format(body["totalGrossPrice"], "f"),
        "currency": body["currency"],
        "receiptNumber": body.get("receiptNumber"),
        "createdDate": body["createdDate"],
        "storeExternalId": body["storeExternalId"],
        "route": receipt.route,
        "file": receipt.file,
        "receivedAt": receipt.received_at,
        "importedAt": receipt.settled_at,
        "ignoredDuplicates": len(ignored),
        "ignoredDifferent": sum(bool(differences(body, other.body)) for other in ignored),
        "body": body,
    }
