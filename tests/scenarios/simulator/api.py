"""The HTTP API of the simulated Engage, behind the client of the real Engage plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from tests.scenarios.simulator.engage import CREATE_KEYS, Engage
from tests.scenarios.simulator.faults import Faults
from tillpost.model import MaybeSent, NotSent, Tenant
from tillpost_engage import wire
from tillpost_engage.answers import Answer
from tillpost_engage.client import Client

_ANSWERED = {"503": 503, "502": 502, "401": 401, "429": 429}


class SimulatedClient(Client):
    """Calls the simulated Engage instead of sockets, with the faults of the step. Same contract as `Client.send`.

    `meanwhile` is called once while a receipt is on its way: it stands for another thread.
    """

    def __init__(self, engage: Engage, faults: Faults) -> None:
        self._engage = engage
        self._faults = faults
        self._absent = {}
        self.tenant = Tenant(address="https://simulated.example")
        self.documented_only = False
        """Contacts and histories cannot be read."""
        self.meanwhile: Callable[[], None] | None = None
        self._unasked: dict[str, str] = {}
        """Receipts that were accepted, with their contacts, and not looked up in the history since."""

    def close(self) -> None:
        """Nothing is open."""

    def send(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer | NotSent | MaybeSent:
        """One request and its outcome."""
        given: Any = None if body is None else wire.loads(wire.dumps(body))
        silent = NotSent(reason="simulated: no answer") if method == "GET" else MaybeSent(reason="simulated: no answer")
        self._faults.cross(f"before {method} {path}")
        if method == "POST" and path == "/receipts" and self.meanwhile is not None:
            work, self.meanwhile = self.meanwhile, None
            work()
        fault = self._faults.request()
        if fault == "refused":
            return NotSent(reason="simulated: no connection")
        if fault == "hang":
            return silent
        if fault == "page":
            return Answer(status=200, kind="page")
        if fault in _ANSWERED:
            return Answer(status=_ANSWERED[fault], kind="empty", retry_after=20.0 if fault == "429" else None)
        if fault == "race" and method == "POST" and path == "/contacts" and "email" in given:
            self._engage.register({"email": given["email"]})
        answer = self._answer(method, path, query or {}, given, raced=fault == "race")
        self._faults.cross(f"after {method} {path}")
        if fault == "lost":
            return silent
        return Answer(status=504, kind="page") if fault == "504" else answer

    def _answer(self, method: str, path: str, query: Mapping[str, str], body: Any, raced: bool) -> Answer:
        match method, path.strip("/").split("/"):
            case "GET", ["contacts", "id"]:
                return self._find(query)
            case "POST", ["contacts"]:
                return self._create(body, raced)
            case "POST", ["receipts"]:
                return self._receive(body)
            case _, ["contacts", contact_id, *rest]:
                return self._contact(method, unquote(contact_id), rest, query, body)
        raise AssertionError(f"{method} {path} is no route of the contract")

    def _find(self, query: Mapping[str, str]) -> Answer:
        ((kind, value),) = query.items()
        if kind == "email" and not is_email(value):
            return _json(400, {"errorCode": "InvalidEmailAddress"})
        person = self._engage.find(kind, value)
        return _json(404, {"errorCode": "ContactNotFound"}) if person is None else _json(200, person.id)

    def _create(self, body: dict[str, str], raced: bool) -> Answer:
        if not any(body.get(kind) for kind in CREATE_KEYS) or ("email" in body and not is_email(body["email"])):
            return _json(400, {"errorCode": "MissingKey"})
        existing = self._engage.with_keys(body)
        if not existing:
            return _json(201, self._engage.make(body).id)
        if not raced:
            self._engage.violations.append("a contact was created again without looking it up")
        if self._engage.tells_existing:
            return _json(200, existing[0].id)
        return _json(409, {"errorCode": "DuplicateContact"})

    def _receive(self, body: dict[str, Any]) -> Answer:
        if body["contact"]["matchKeyType"] != "contactId":
            self._engage.violations.append("a receipt by API that does not name its contact by contactId")
        if body["receiptNumber"] in self._engage.refusable:
            return _json(400, {"errorCode": "InvalidReceipt"})
        receipt_id, contact_id = body["uniqueReceiptId"], body["contact"]["matchKey"]
        if self._unasked.get(receipt_id) in self._engage.people:
            self._engage.violations.append(f"the receipt {receipt_id} was sent again without asking the history")
        self._unasked[receipt_id] = contact_id
        self._engage.enqueue(body)
        return _json(202, None)

    def _contact(self, method: str, contact_id: str, rest: list[str], query: Mapping[str, str], body: Any) -> Answer:
        if self.documented_only and method == "GET":
            return _json(404, {"errorCode": "NotFound"})
        person = self._engage.people.get(contact_id)
        if person is None:
            return _json(404, {"errorCode": "ContactNotFound"})
        if rest == ["transactions"]:
            self._unasked = {known: of for known, of in self._unasked.items() if of != contact_id}
            start, count = int(query["offset"]), int(query["count"])
            shown = self._engage.saved.history(contact_id)[start : start + count]
            return _json(200, {"items": [{"externalId": receipt_id} for receipt_id in shown]})
        if method == "PATCH":
            self._engage.change(person, body)
        self._engage.show(person)
        return _json(200, {"id": person.id, **person.keys, **person.attributes})


def _json(status: int, value: Any) -> Answer:
    return Answer(status=status, kind="empty" if value is None else "json", value=value)


def is_email(value: str) -> bool:
    """Whether Engage takes it."""
    return "@" in value and ".." not in value
