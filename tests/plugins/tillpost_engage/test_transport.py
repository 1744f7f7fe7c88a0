"""Delivery against the sandbox: what each answer and each fault becomes."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tillpost.model import (
    Contact,
    Delivered,
    Gone,
    History,
    Identifier,
    MaybeSent,
    Misconfigured,
    NotSent,
    ReceiptRef,
    Refused,
    Throttled,
)


@pytest.fixture
def payload(tenant: Any, receipt_of: Callable[..., Any], line_of: Callable[..., Any]) -> Callable[..., Any]:
    def make(id: str = "r-1", contact_id: str = "") -> Any:
        match = Identifier("contactId", contact_id) if contact_id else Identifier("email", "a@b.se")
        return tenant.engage.mapping.map_receipt(receipt_of(line_of(), id=id), match)

    return make


def refs(*ids: str) -> list[ReceiptRef]:
    return [ReceiptRef(id=id, created=datetime.fromisoformat("2026-03-01T12:30:00+01:00")) for id in ids]


def _guid(tenant: Any) -> str:
    found = tenant.engage.contacts.resolve_contact(Contact(key="k", identifiers=(Identifier("email", "a@b.se"),)))
    return str(found.contact_id)


def test_a_delivered_receipt_is_in_the_history_after_the_import(tenant: Any, payload: Any) -> None:
    contact = Contact(key="k", contact_id=_guid(tenant))
    assert tenant.engage.transport.deliver(payload(contact_id=contact.contact_id)) == Delivered(status=202)
    wanted = refs("r-1", "r-never")
    assert tenant.engage.transport.confirm_receipts(contact, wanted) == History(shown=frozenset())
    tenant.control("POST", "import", {})
    assert tenant.engage.transport.confirm_receipts(contact, wanted) == History(shown=frozenset({"r-1"}))
    assert tenant.control("GET", "receipts")[0]["totalGrossPrice"] == "175.50"


def test_a_history_is_read_page_by_page(tenant: Any, payload: Any) -> None:
    contact = Contact(key="k", contact_id=_guid(tenant))
    ids = [f"r-{i}" for i in range(230)]
    for id in ids:
        assert tenant.engage.transport.deliver(payload(id, contact.contact_id)) == Delivered(status=202)
    tenant.control("POST", "import", {})
    before = tenant.engage.budget.taken
    assert tenant.engage.transport.confirm_receipts(contact, refs(*ids, "no")) == History(shown=frozenset(ids))
    assert tenant.engage.budget.taken - before == 3


def test_the_history_of_an_erased_contact_is_gone(tenant: Any) -> None:
    contact = Contact(key="k", contact_id=_guid(tenant))
    tenant.control("POST", "erase", {"contactId": contact.contact_id})
    assert tenant.engage.transport.confirm_receipts(contact, refs("r")) == Gone()


def test_a_receipt_of_wrong_format_is_refused_by_field_and_without_its_values(tenant: Any, payload: Any) -> None:
    wrong = payload()
    wrong.fields["contact"]["matchKeyType"] = "shoeSize"
    wrong.fields["currency"] = "SECRET-VALUE"
    outcome = tenant.engage.transport.deliver(wrong)
    assert outcome == Refused(reason="answered 400 InvalidReceipt (currency)", status=400)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"http": "500"}, NotSent),
        ({"http": "401"}, Misconfigured),
        ({"http": "404"}, Misconfigured),
        ({"http": "redirect"}, Misconfigured),
        ({"http": "html"}, NotSent),
        ({"http": "429"}, Throttled),
        ({"http": "half"}, MaybeSent),
        ({"http": "reset-after-body"}, MaybeSent),
        ({"http": "hang"}, MaybeSent),
        ({"http": "slow", "drip": 0.4}, MaybeSent),
        ({"http": "refuse"}, NotSent),
    ],
)
def test_each_fault_says_whether_the_receipt_may_have_arrived(
    tenant: Any, payload: Any, build: Callable[..., Any], fault: dict[str, Any], expected: type
) -> None:
    engage, guid = build(tenant.sandbox.url, timeout=1.0), _guid(tenant)
    tenant.faults(**fault)
    assert type(engage.transport.deliver(payload(contact_id=guid))) is expected
    tenant.faults(http="ok")
    assert engage.transport.deliver(payload(contact_id=guid)) == Delivered(status=202)
    tenant.control("POST", "import", {})
    receipts = tenant.control("GET", "receipts")
    assert [one["status"] for one in receipts].count("imported") == 1


def test_too_many_requests_slow_the_shared_budget(tenant: Any, payload: Any) -> None:
    tenant.faults(http="429", retry_after="7", count=1)
    outcome = tenant.engage.transport.deliver(payload())
    assert outcome == Throttled(reason="answered 429, too many requests", retry_after=7.0)
    assert tenant.engage.budget.slowed == [7.0]


def test_a_probe_tells_a_good_key_from_a_bad_one(tenant: Any, build: Callable[..., Any]) -> None:
    assert tenant.engage.transport.probe() == Delivered(status=404)  # ContactNotFound: nobody has that address
    outcome = build(tenant.sandbox.url, key="rotated-away").transport.probe()
    assert isinstance(outcome, Misconfigured)
    assert "transport.api_key" in outcome.reason
    assert "rotated-away" not in outcome.reason
    assert isinstance(build(tenant.sandbox.url + "/elsewhere").transport.probe(), Misconfigured)
