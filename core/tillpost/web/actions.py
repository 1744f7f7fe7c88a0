"""What a signed-in person may do: retry, discard, and see personal data."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from tillpost.errors import InvalidValue, JournalDamaged, JournalError, UsageError
from tillpost.flow.upkeep import held
from tillpost.journal import Journal
from tillpost.web.receipts import locate, receipt_page
from tillpost.web.request import COOKIE, Answer, Failure, Request
from tillpost.web.site import Site

_REASON_LENGTH = 500
"""Characters of a reason."""
_RECORD_LENGTH = 64 << 10
"""Bytes of a record that are shown."""


def retry(site: Site, request: Request, receipt_id: str) -> Answer:
    """`POST /receipts/ID/retry`"""
    name, _ = locate(site, request, receipt_id)

    def work() -> None:
        result = held.retry(site.lines[name], receipt_id)
        if result.startswith("still held"):
            raise UsageError(result)

    return _act(request, receipt_id, "retry", work)


def discard(site: Site, request: Request, receipt_id: str) -> Answer:
    """`POST /receipts/ID/discard`"""
    name, _ = locate(site, request, receipt_id)
    line, reason = site.lines[name], request.form.get("reason", "").strip()
    if not reason or len(reason) > _REASON_LENGTH:
        raise Failure(400, f"Give the reason to discard it, in at most {_REASON_LENGTH} characters.")
    work = partial(held.discard, line.journal, receipt_id, reason, line.clock.time())
    return _act(request, receipt_id, "discard", work)


def _act(request: Request, receipt_id: str, action: str, work: Callable[[], object]) -> Answer:
    """Do it, and redirect to the page of the receipt, so that loading that again repeats nothing."""
    try:
        work()
    except JournalDamaged:
        raise
    except (UsageError, InvalidValue, JournalError) as error:
        raise Failure(409, str(error)) from None
    query = {"done": action} | {name: value for name, value in request.query.items() if name == "pipeline"}
    return _redirect(f"/receipts/{quote(receipt_id, safe='')}?{urlencode(query)}")


def personal_data(site: Site, request: Request, receipt_id: str) -> Answer:
    """`POST /receipts/ID/personal`: the customer and the record; an event says so before they are shown."""
    name, entry = locate(site, request, receipt_id)
    line = site.lines[name]
    line.journal.events.add(line.clock.time(), "page", "personal data shown", receipt=entry.seq)
    return receipt_page(site, request, receipt_id, personal=_customer(site.journals[name], entry.seq))


def _customer(journal: Journal, seq: int) -> dict[str, Any]:
    raw, customer = journal.bodies.raw(seq), None
    with suppress(InvalidValue):  # the record could not be read: there is nothing but the record
        customer = journal.bodies.get(seq).customer
    return {
        "identifiers": [(known.kind, known.value) for known in customer.identifiers] if customer else [],
        "attributes": sorted(customer.attributes.items()) if customer else [],
        "record": raw[:_RECORD_LENGTH].decode(errors="replace"),
        "cut": len(raw) > _RECORD_LENGTH,
    }


def sign_in_form(site: Site, request: Request) -> Answer:
    """`/sign-in`"""
    return site.page(request, "sign_in.html", after=_local_path(request.query.get("after", "/")), wrong=False)


def sign_in(site: Site, request: Request) -> Answer:
    """`POST /sign-in`: the right token gets the cookie."""
    after = _local_path(request.form.get("after", "/"))
    if not site.token.is_token(request.form.get("token", "")):
        return site.page(request, "sign_in.html", 403, after=after, wrong=True)
    return _redirect(after, f"{COOKIE}={site.token.cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200")


def sign_out(site: Site, request: Request) -> Answer:
    """`POST /sign-out`: the cookie is deleted."""
    return _redirect("/", f"{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")


def _redirect(where: str, cookie: str = "") -> Answer:
    headers = (("Location", where), *((("Set-Cookie", cookie),) if cookie else ()))
    return Answer(body=b"", status=303, headers=headers)


def _local_path(path: str) -> str:
    """A path of this site, else `/`: nobody is redirected elsewhere."""
    is_local = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_local and path.isascii() else "/"
