"""An Engage that has the documented endpoints only: what is not documented carries nothing, however it is refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tillpost.errors import InvalidValue
from tillpost.model import (
    Contact,
    Delivered,
    Gone,
    Identified,
    Identifier,
    Misconfigured,
    NoHistory,
    NotSent,
    ReceiptRef,
    Refused,
)
from tillpost_engage.client import contact_path

NOBODY = "00000000-0000-4000-8000-000000000000"
REFUSED = pytest.mark.parametrize("undocumented", ["403", "404", "405"])
ODD_IDS = ["..", "../receipts", "a/b", "a b", "g?x=1", "%2e%2e", "g\r\nX: y", "6391234567", "å", "g" * 65]


def contact(contact_id: str = "", attributes: dict[str, str] | None = None, **keys: str) -> Contact:
    identifiers = tuple(Identifier(kind, value) for kind, value in keys.items())
    return Contact(key="k", contact_id=contact_id, identifiers=identifiers, attributes=attributes or {}, store="600")


@pytest.fixture
def only(tenant: Any) -> Callable[[str], Any]:
    """The tenant without the endpoints that are not documented."""

    def make(undocumented: str) -> Any:
        tenant.control("POST", "settings", {"undocumented": undocumented})
        return tenant

    return make


def make_contact(tenant: Any, **fields: str) -> str:
    answer = tenant.pool.request(
        "POST", tenant.sandbox.url + "/api/v3/contacts", json=fields, headers={"apikey": "test-key"}
    )
    assert answer.status == 201, answer.data
    return str(answer.json()["id"])


@REFUSED
def test_b5_the_probe_succeeds_with_documented_endpoints_only(
    only: Callable[[str], Any], build: Callable[..., Any], undocumented: str
) -> None:
    tenant = only(undocumented)
    assert isinstance(tenant.engage.transport.probe(), Delivered)
    wrong_address = build(tenant.sandbox.url + "/elsewhere").transport.probe()
    assert isinstance(wrong_address, Misconfigured)
    assert "transport.url" in wrong_address.reason
    wrong_key = build(tenant.sandbox.url, key="rotated-away").transport.probe()
    assert isinstance(wrong_key, Misconfigured)
    assert "transport.api_key" in wrong_key.reason


def test_b5_an_engage_that_fails_has_not_answered_the_probe(tenant: Any) -> None:
    tenant.faults(http="500")
    assert isinstance(tenant.engage.transport.probe(), NotSent)


def test_b5_a_server_that_is_no_engage_is_a_wrong_address(tenant: Any) -> None:
    tenant.faults(http="404")
    assert isinstance(tenant.engage.transport.probe(), Misconfigured)
    assert isinstance(tenant.engage.contacts.reconcile_contact(contact(NOBODY, email="a@b.se")), Misconfigured)
    assert isinstance(tenant.engage.contacts.update_contact(contact(NOBODY), {"city": "x"}), Misconfigured)


@REFUSED
def test_b5_contacts_are_found_created_and_changed_by_documented_requests(
    only: Callable[[str], Any], undocumented: str
) -> None:
    tenant = only(undocumented)
    contacts = tenant.engage.contacts
    created = contacts.resolve_contact(contact(email="a@b.se", attributes={"firstName": "Ann"}))
    assert created.created
    found = contacts.reconcile_contact(contact(email="a@b.se", externalId="c-1", attributes={"city": "Lund"}))
    assert found == Identified(contact_id=created.contact_id, by="email")
    known = contact(created.contact_id, email="a@b.se")
    done = contacts.update_contact(known, {"city": "Lund"})
    assert done == Identified(contact_id=created.contact_id, holds={"city": "Lund"})
    assert tenant.contacts()[0]["attributes"]["city"] == "Lund"


@REFUSED
def test_b5_a_history_that_is_not_to_be_had_is_said_and_is_no_wrong_address(
    only: Callable[[str], Any], build: Callable[..., Any], undocumented: str
) -> None:
    tenant = only(undocumented)
    stored = make_contact(tenant, email="a@b.se")
    refs = [ReceiptRef(id="r", created=datetime(2026, 3, 14, tzinfo=UTC))]
    known = contact(stored, email="a@b.se")
    assert isinstance(tenant.engage.transport.confirm_receipts(known, refs), NoHistory)
    elsewhere = build(tenant.sandbox.url + "/elsewhere").transport
    assert isinstance(elsewhere.confirm_receipts(known, refs), Misconfigured)


@REFUSED
def test_a_stored_id_is_proved_by_one_documented_lookup(only: Callable[[str], Any], undocumented: str) -> None:
    tenant = only(undocumented)
    stored = make_contact(tenant, email="a@b.se", mobilePhone="+46701234567")
    known = contact(stored, email="a@b.se", mobilePhone="+46701234567")
    assert tenant.engage.contacts.reconcile_contact(known).contact_id == stored
    before = tenant.engage.budget.taken  # that reading is not to be had is known from here
    assert tenant.engage.contacts.reconcile_contact(known) == Identified(contact_id=stored, by="email")
    assert tenant.engage.budget.taken - before == 1


@REFUSED
def test_b1_a_merged_or_erased_contact_is_found_by_the_documented_lookup(
    only: Callable[[str], Any], undocumented: str
) -> None:
    tenant = only(undocumented)
    kept, away = make_contact(tenant, email="kept@b.se"), make_contact(tenant, email="a@b.se")
    tenant.control("POST", "merge", {"contactId": away, "into": kept})
    assert isinstance(tenant.engage.contacts.reconcile_contact(contact(away, email="a@b.se")), Gone)
    tenant.control("POST", "erase", {"contactId": kept})
    assert isinstance(tenant.engage.contacts.reconcile_contact(contact(kept, email="kept@b.se")), Gone)
    assert isinstance(tenant.engage.contacts.update_contact(contact(away), {"city": "x"}), Gone)


@REFUSED
def test_a_contact_whose_keys_have_changed_in_engage_is_not_taken_for_gone(
    only: Callable[[str], Any], undocumented: str
) -> None:
    tenant = only(undocumented)
    stored = make_contact(tenant, email="new@b.se", city="Lund")
    assert tenant.engage.contacts.reconcile_contact(contact(stored, email="old@b.se")).contact_id == stored
    (held,) = tenant.contacts()
    assert held["attributes"] == {"email": "new@b.se", "city": "Lund"}, "the question changes nothing"


@pytest.mark.parametrize("undocumented", ["ok", "403", "404", "405"])
def test_b30_a_contact_id_a_till_brings_is_asked_about_before_it_is_used(
    only: Callable[[str], Any], undocumented: str
) -> None:
    tenant = only(undocumented)
    contacts = tenant.engage.contacts
    stored = make_contact(tenant, email="a@b.se")
    assert contacts.resolve_contact(contact(contactId=stored)) == Identified(contact_id=stored, by="contactId")
    for wrong in (NOBODY, "6391234567", ".."):
        refused = contacts.resolve_contact(contact(contactId=wrong))
        assert isinstance(refused, Refused)
        assert "contactId given" in refused.reason
        assert wrong not in refused.reason
        by_email = contacts.resolve_contact(contact(contactId=wrong, email="a@b.se"))
        assert by_email == Identified(contact_id=stored, by="email")
    tenant.control("POST", "erase", {"contactId": stored})
    assert isinstance(contacts.resolve_contact(contact(contactId=stored)), Refused)
    assert len(tenant.contacts()) == 1, "and nobody is created for a wrong contactId"


@pytest.mark.parametrize("odd", ODD_IDS)
def test_what_is_no_contact_id_never_gets_into_a_path(tenant: Any, odd: str) -> None:
    before = tenant.engage.budget.taken
    engage = tenant.engage
    assert isinstance(engage.contacts.resolve_contact(contact(contactId=odd)), Refused)
    if odd != "6391234567":
        assert isinstance(engage.contacts.reconcile_contact(contact(odd)), Gone)
        assert isinstance(engage.contacts.update_contact(contact(odd), {"city": "x"}), Gone)
        assert isinstance(engage.transport.confirm_receipts(contact(odd), []), Gone)
        with pytest.raises(InvalidValue):
            contact_path(odd)
    assert engage.budget.taken == before, "no request was made"


@REFUSED
def test_a_key_that_may_not_change_contacts_keeps_no_receipt_back(
    only: Callable[[str], Any], undocumented: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = only(undocumented)
    stored = make_contact(tenant, email="a@b.se")
    monkeypatch.setattr("tillpost_sandbox.routes._DOCUMENTED", ("GET /contacts/id",))
    answer = tenant.engage.contacts.update_contact(contact(stored, email="a@b.se"), {"city": "x"})
    assert isinstance(answer, Gone if undocumented == "404" else Refused)
    assert isinstance(tenant.engage.transport.probe(), Delivered)
