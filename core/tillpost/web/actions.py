"""What a person may do here, with the token: retry, discard, and see personal data."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from tillpost.errors import InvalidValue, JournalDamaged, JournalError, UsageError
from tillpost.flow.line import Line
from tillpost.flow.upkeep import held
from tillpost.web.desk import Desk
from tillpost.web.receipts import RAW, locate, one
from tillpost.web.request import COOKIE, Answer, Failure, Request

_REASON = 500
"""Characters of a reason."""


def retry(desk: Desk, request: Request, receipt_id: str) -> Answer:
    """`POST /receipts/ID/retry`"""
    name, _ = locate(desk, request, receipt_id)
    return _done(desk, request, receipt_id, lambda: held.retry(desk.lines[name], receipt_id))


def discard(desk: Desk, request: Request, receipt_id: str) -> Answer:
    """`POST /receipts/ID/discard`"""
    name, _ = locate(desk, request, receipt_id)
    line = desk.lines[name]
    reason = request.form.get("reason", "").strip()
    if not reason or len(reason) > _REASON:
        raise Failure(400, f"Say why it is discarded, in at most {_REASON} characters.")

    def work() -> str:
        held.discard(line.journal, receipt_id, reason, line.clock.time())
        return "discarded"

    return _done(desk, request, receipt_id, work)


def _done(desk: Desk, request: Request, receipt_id: str, work: Any) -> Answer:
    try:
        said = work()
    except (UsageError, InvalidValue) as error:
        raise Failure(409, f"Not done. {error}") from None
    except JournalDamaged:
        raise
    except JournalError as error:
        raise Failure(409, f"Not done. {error}") from None
    # On to the page of the receipt, so that loading it again repeats nothing.
    told = {"done": "retry" if said.startswith(("queued", "read")) else said.split(" ", 1)[0]}
    if "pipeline" in request.query:
        told["pipeline"] = request.query["pipeline"]
    return Answer(
        body=b"", status=303, headers=(("Location", f"/receipts/{quote(receipt_id, safe='')}?{urlencode(told)}"),)
    )


def personal(desk: Desk, request: Request, receipt_id: str) -> Answer:
    """`POST /receipts/ID/personal`: the customer and the record; that they were shown is an event before they are."""
    name, entry = locate(desk, request, receipt_id)
    line = desk.lines[name]
    line.journal.events.add(line.clock.time(), "page", "personal data shown", receipt=entry.seq)
    return one(desk, request, receipt_id, personal=_customer(desk, line, entry.seq))


def _customer(desk: Desk, line: Line, seq: int) -> dict[str, Any]:
    journal = desk.journals[line.name]
    raw = journal.bodies.raw(seq)
    try:
        customer = journal.bodies.get(seq).customer
    except InvalidValue:
        customer = None  # it could not be read: there is the record only
    return {
        "identifiers": [(each.kind, each.value) for each in customer.identifiers] if customer else [],
        "attributes": sorted(customer.attributes.items()) if customer else [],
        "record": raw[:RAW].decode(errors="replace"),
        "cut": len(raw) > RAW,
    }


def token_form(desk: Desk, request: Request) -> Answer:
    """`/token`: where it is entered."""
    return desk.page(request, "token.html", after=_after(request.query.get("after", "/")), wrong=False)


def enter_token(desk: Desk, request: Request) -> Answer:
    """`POST /token`: the right one gets the cookie."""
    after = _after(request.form.get("after", "/"))
    if not desk.token.is_token(request.form.get("token", "")):
        return desk.page(request, "token.html", 403, after=after, wrong=True)
    cookie = f"{COOKIE}={desk.token.cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200"
    return Answer(body=b"", status=303, headers=(("Location", after), ("Set-Cookie", cookie)))


def forget_token(desk: Desk, request: Request) -> Answer:
    """`POST /token/forget`: the browser is a viewer again."""
    cookie = f"{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
    return Answer(body=b"", status=303, headers=(("Location", "/"), ("Set-Cookie", cookie)))


def _after(path: str) -> str:
    """A path of ours, else the first page: nobody is led elsewhere."""
    ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if ours and path.isascii() else "/"
