"""Contacts against the sandbox: found, created, updated, and what holds."""

from collections.abc import Callable
from typing import Any

import pytest

from tillpost.model import Conflict, Contact, Gone, Identified, Identifier, MaybeSent, Misconfigured, NotSent, Refused

_NAMES = {"email": "email", "phone": "mobilePhone", "external": "externalId", "member": "memberNumber"}


def contact(contact_id: str = "", attributes: dict[str, str] | None = None, **keys: Any) -> Contact:
    identifiers = tuple(Identifier(_NAMES.get(kind, kind), value) for kind, value in keys.items())
    return Contact(key="k", contact_id=contact_id, identifiers=identifiers, attributes=attributes or {}, store="600")


def web_shop(tenant: Any, **fields: str) -> str:
    """Somebody registers there: a contact created by API, not by us."""
    answer = tenant.pool.request(
        "POST", tenant.sandbox.url + "/api/v3/contacts", json=fields, headers={"apikey": "test-key"}
    )
    assert answer.status == 201, answer.data
    return str(answer.json()["id"])


def test_an_unknown_customer_is_made_once_with_what_the_till_knows(tenant: Any) -> None:
    new = contact(email="Ann+1@b.se", phone="+46701234567", attributes={"firstName": "Ann", "city": ""})
    created = tenant.engage.contacts.resolve_contact(new)
    assert created.created
    assert created.holds == {"firstName": "Ann"}
    again = tenant.engage.contacts.resolve_contact(new)
    assert again == Identified(contact_id=created.contact_id, by="email")
    (held,) = tenant.contacts()
    assert held["attributes"]["email"] == "ann+1@b.se"
    assert held["attributes"]["mobilePhone"] == "+46701234567"
    assert "city" not in held["attributes"]
    assert (held["source"], held["store_external_id"]) == ("POS", "600")
    assert tenant.control("GET", "log") == []


@pytest.mark.parametrize("email", ["a+b@x.se", "a&b=c@x.se", "å@x.se", "a%2B@x.se"])
def test_odd_characters_in_a_key_find_the_contact_they_made(tenant: Any, email: str) -> None:
    """`a+b@x.se`, `&`, `å` in an e-mail are encoded."""
    created = tenant.engage.contacts.resolve_contact(contact(email=email))
    assert tenant.engage.contacts.resolve_contact(contact(email=email)).contact_id == created.contact_id
    assert len(tenant.contacts()) == 1


def test_keys_are_tried_in_the_configured_order(tenant: Any, build: Callable[..., Any]) -> None:
    first = tenant.engage.contacts.resolve_contact(contact(external="c-1"))
    second = tenant.engage.contacts.resolve_contact(contact(email="a@b.se"))
    both = contact(email="a@b.se", external="c-1")
    assert tenant.engage.contacts.resolve_contact(both) == Identified(contact_id=first.contact_id, by="externalId")
    other = build(tenant.sandbox.url, keys=("email", "externalId"))
    assert other.contacts.resolve_contact(both) == Identified(contact_id=second.contact_id, by="email")


def test_several_matches_are_a_conflict_with_the_keys_named(tenant: Any) -> None:
    """409 MultipleMatches: held, with both keys named. Which contacts they are, Engage does not say."""
    for kind in ("Member", "Contact"):
        web_shop(tenant, email="a@b.se", contactType=kind)
    new = contact(email="a@b.se", phone="+46701234567")
    assert tenant.engage.contacts.resolve_contact(new) == Conflict(
        reason="answered 409 MultipleMatches: several contacts by email; keys: email, mobilePhone", found={"email": ""}
    )
    found = tenant.engage.contacts.reconcile_contact(new)
    assert (found.found, "keys: email, mobilePhone" in found.reason) == ({"email": ""}, True)


def test_keys_of_two_contacts_are_a_conflict_that_names_both(tenant: Any) -> None:
    first, second = web_shop(tenant, email="a@b.se"), web_shop(tenant, mobilePhone="+46701234567")
    found = tenant.engage.contacts.reconcile_contact(contact(email="a@b.se", phone="+46701234567", external="c-1"))
    assert found.found == {"email": first, "mobilePhone": second}
    assert found.reason == "several contacts by email, mobilePhone; keys: email, mobilePhone, externalId"


def test_what_engage_holds_is_read_with_its_own_values(tenant: Any) -> None:
    """Its value where it differs, ours where it is the same to Engage, nothing where it holds none."""
    created = web_shop(tenant, email="Ann@B.se", firstName="Anna", city="Lund")
    known = {"firstName": "Ann", "city": "Lund", "street": "Storgatan 1"}
    before = tenant.engage.budget.taken
    found = tenant.engage.contacts.reconcile_contact(contact(email="ann@b.se", external="c-1", attributes=known))
    assert found == Identified(
        contact_id=created, by="email", holds={"firstName": "Anna", "city": "Lund", "email": "ann@b.se"}
    )
    assert tenant.engage.budget.taken - before == 3  # two keys, one reading


def test_a_contact_whose_id_is_known_is_read_and_not_looked_up(tenant: Any) -> None:
    created = web_shop(tenant, email="a@b.se", mobilePhone="+46701234567", city="Lund")
    before = tenant.engage.budget.taken
    found = tenant.engage.contacts.reconcile_contact(contact(created, email="a@b.se", attributes={"city": "Oslo"}))
    assert (found.contact_id, found.holds["city"]) == (created, "Lund")
    assert tenant.engage.budget.taken - before == 1


def test_a_key_that_the_contact_holds_is_not_asked_about(tenant: Any) -> None:
    web_shop(tenant, email="a@b.se", mobilePhone="+46701234567")
    before = tenant.engage.budget.taken
    assert tenant.engage.contacts.reconcile_contact(contact(email="a@b.se", phone="+46701234567")).by == "email"
    assert tenant.engage.budget.taken - before == 2


def test_a_key_engage_does_not_take_gives_way_to_the_next(tenant: Any) -> None:
    created = tenant.engage.contacts.resolve_contact(contact(email="no address", phone="+46701234567"))
    assert created.created
    assert "email" not in tenant.contacts()[0]["attributes"]


@pytest.mark.parametrize("keys", [{"email": "no address"}, {"phone": "070-123"}])
def test_no_valid_key_at_all_is_refused_without_its_value(tenant: Any, keys: dict[str, Any]) -> None:
    refused = tenant.engage.contacts.resolve_contact(contact(**keys))
    assert isinstance(refused, Refused)
    assert _NAMES[next(iter(keys))] in refused.reason
    assert next(iter(keys.values())) not in refused.reason
    assert tenant.contacts() == []


def test_a_member_number_alone_is_looked_up_and_creates_no_contact(tenant: Any, build: Callable[..., Any]) -> None:
    engage = build(tenant.sandbox.url, keys=("memberNumber",))
    assert engage.contacts.resolve_contact(contact(member="m-1")) is None
    assert tenant.contacts() == []


def test_creation_can_be_switched_off(tenant: Any, build: Callable[..., Any]) -> None:
    assert build(tenant.sandbox.url, create=False).contacts.resolve_contact(contact(email="a@b.se")) is None
    assert tenant.contacts() == []


@pytest.mark.parametrize("duplicates", ["existing", "error"])
def test_a_key_that_is_not_looked_up_still_makes_no_second_contact(
    tenant: Any, build: Callable[..., Any], duplicates: str
) -> None:
    """Create answered by a duplicate error: look up, use that one."""
    tenant.control("POST", "settings", {"duplicates": duplicates})
    created = tenant.engage.contacts.resolve_contact(contact(email="a@b.se"))
    blind = build(tenant.sandbox.url, keys=("externalId",))
    found = blind.contacts.resolve_contact(contact(email="a@b.se", external="c-9", attributes={"firstName": "Ann"}))
    assert (found.contact_id, found.created, found.holds) == (created.contact_id, False, {})
    assert len(tenant.contacts()) == 1


def test_a_creation_without_an_answer_is_found_the_next_time(tenant: Any) -> None:
    new = contact(email="a@b.se")
    seen: list[type] = []
    tenant.faults(http="reset-after-body", count=2)
    for _ in range(4):
        found = tenant.engage.contacts.resolve_contact(new)
        seen.append(type(found))
        if isinstance(found, Identified):
            break
    assert set(seen[:-1]) <= {NotSent, MaybeSent}
    assert seen[-1] is Identified
    assert len(tenant.contacts()) == 1


def test_a_wrong_address_makes_no_contact_and_condemns_none(tenant: Any, build: Callable[..., Any]) -> None:
    engage = build(tenant.sandbox.url + "/wrong")
    assert isinstance(engage.contacts.resolve_contact(contact(email="a@b.se")), Misconfigured)
    tenant.faults(http="404")
    assert isinstance(tenant.engage.contacts.resolve_contact(contact(email="a@b.se")), Misconfigured)
    assert isinstance(tenant.engage.contacts.update_contact(contact("g"), {"city": "x"}), Misconfigured)


def test_an_update_sends_only_what_differs_and_never_an_empty_value(tenant: Any) -> None:
    """An empty field is never sent."""
    created = tenant.engage.contacts.resolve_contact(
        contact(email="a@b.se", attributes={"firstName": "Ann", "city": "Oslo"})
    )
    known = contact(created.contact_id, email="a@b.se")
    changes = {"firstName": "Ann", "city": "Lund", "street": "", "mobilePhone": "12", "contactType": "Contact"}
    done = tenant.engage.contacts.update_contact(known, changes)
    assert done == Identified(contact_id=created.contact_id, holds={"firstName": "Ann", "city": "Lund"})
    held = tenant.contacts()[0]["attributes"]
    assert (held["firstName"], held["city"]) == ("Ann", "Lund")
    before = tenant.engage.budget.taken
    tenant.engage.contacts.update_contact(known, {"city": "Lund"})
    assert tenant.engage.budget.taken - before == 1  # read, nothing to write
    assert tenant.control("GET", "log") == []


def test_an_erased_contact_is_gone_and_found_again(tenant: Any) -> None:
    created = tenant.engage.contacts.resolve_contact(contact(email="a@b.se"))
    tenant.control("POST", "erase", {"contactId": created.contact_id})
    assert tenant.engage.contacts.update_contact(contact(created.contact_id), {"city": "x"}) == Gone()
    assert tenant.engage.contacts.reconcile_contact(contact(created.contact_id, email="a@b.se")) == Gone()
    assert tenant.engage.contacts.reconcile_contact(contact(email="a@b.se")) is None
    assert tenant.engage.contacts.resolve_contact(contact(email="a@b.se")).contact_id != created.contact_id


def test_reconcile_looks_by_every_key_and_creates_no_contact(tenant: Any) -> None:
    ssn = "191212121212"
    assert tenant.engage.contacts.reconcile_contact(contact(socialSecurityNumber=ssn)) is None
    assert tenant.contacts() == []
    tenant.pool.request(
        "POST",
        tenant.sandbox.url + "/api/v3/contacts",
        json={"socialSecurityNumber": ssn},
        headers={"apikey": "test-key"},
    )
    found = tenant.engage.contacts.reconcile_contact(contact(email="x@y.se", socialSecurityNumber=ssn))
    assert found.by == "socialSecurityNumber"


def test_a_given_contact_id_is_checked_once(tenant: Any) -> None:
    created = tenant.engage.contacts.resolve_contact(contact(email="a@b.se"))
    assert tenant.engage.contacts.resolve_contact(contact(contactId=created.contact_id)).by == "contactId"
    assert isinstance(tenant.engage.contacts.resolve_contact(contact(contactId="no-such")), Refused)
