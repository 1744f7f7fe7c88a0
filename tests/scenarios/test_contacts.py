"""faults.md, section Contacts, and the return from an outage: the real launcher, the real sandbox, real files."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.receipts import document, receipt
from tests.support.shop import KEY, Shop, saved, settled, stop
from tillpost.flow.breaker import ANSWERS_NEEDED
from tillpost.model import Customer, Identifier, Receipt

pytestmark = pytest.mark.slow

ASA = "Åsa+1&b@Example.se"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path) as opened:
        yield opened


def sale(number: int, keys: dict[str, str], **attributes: str) -> Receipt:
    identifiers = tuple(Identifier(kind, value) for kind, value in keys.items())
    return attrs.evolve(receipt(number=str(number)), customer=Customer(identifiers=identifiers, attributes=attributes))


def call(shop: Shop, method: str, path: str, body: Any) -> Any:
    """A request by another client of Engage, such as the web shop; or to the sandbox's controls."""
    base = shop.ready["control"] if path.startswith("/_sandbox") else shop.ready["url"]
    request = urllib.request.Request(
        base + path, json.dumps(body).encode(), {"apikey": KEY, "Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def web_shop(shop: Shop, **fields: str) -> str:
    """Somebody registers there."""
    return str(call(shop, "POST", "/api/v3/contacts", fields)["id"])


def outage(shop: Shop, *receipts: Receipt) -> None:
    """Engage does not answer; these sales are written to files."""
    shop.fault(http="refuse")
    before = shop.status()["counts"]["written"]
    shop.put(f"{receipts[0].number}.jsonl", document(list(receipts)))
    shop.wait_for(lambda stand: stand["counts"]["written"] == before + len(receipts))


def people(shop: Shop) -> list[dict[str, Any]]:
    return [each for each in shop.sandbox("contacts") if not each["gone"]]


def owners(shop: Shop) -> dict[str, str]:
    """Receipt number → the contact Engage has it for, once it has imported what it took."""
    call(shop, "POST", "/_sandbox/import", {})
    return {row["receiptNumber"]: row["contactId"] for row in shop.sandbox("receipts") if row["status"] == "imported"}


def lookups(shop: Shop) -> int:
    """How many searches for a contact have been answered so far."""
    requests = shop.sandbox("stats")["requests"]
    return sum(
        count for route, statuses in requests.items() if "contacts/id" in route for status, count in statuses.items()
        if status in ("200", "404", "409")
    )  # fmt: skip


def told(shop: Shop, number: int) -> list[str]:
    """What has happened to a receipt and its contact."""
    (life,) = shop.answers("receipt", receipt(number=str(number)).id)
    return [event["what"] for event in life["events"]]


def test_three_tills_one_new_email_in_one_second_make_one_contact(shop: Shop) -> None:
    """Three tills, one new e-mail, one second: one contact. `a+b@x.se`, `&`, `å` in an e-mail are encoded."""
    process = shop.start()
    for till in range(3):
        shop.put(f"till-{till}.jsonl", document([sale(till, {"email": ASA})]))
    shop.wait_for(settled(3))
    stop(process)
    (person,) = people(shop)
    assert person["attributes"]["email"] == ASA.lower()
    stats = shop.sandbox("stats")
    assert (stats["contacts_created"], stats["create_duplicates"]) == (1, 0)
    assert set(owners(shop).values()) == {person["id"]}


def test_a_409_holds_the_receipt_with_both_keys_named_and_a_person_resolves_it(shop: Shop) -> None:
    """409 MultipleMatches: held, with both keys named."""
    for kind in ("Member", "Contact"):
        wanted = web_shop(shop, email="eva@example.se", contactType=kind)
    process = shop.start()
    shop.put("1.jsonl", document([sale(1, {"email": "eva@example.se", "mobilePhone": "+46701234567"})]))
    shop.wait_for(lambda stand: stand["counts"]["held"] == 1)
    (held,) = shop.answers("held", "list")
    assert "keys: email, mobilePhone" in held["reason"]
    (conflict,) = shop.answers("contacts", "conflicts")
    assert conflict["candidates"] == {"email": ""}
    assert "eva@example" not in str(held) + str(conflict)
    assert shop.tillpost("contacts", "conflicts").returncode == 1
    assert f"resolve {conflict['key']} --use" in held["reason"]
    assert shop.tillpost("contacts", "resolve", conflict["key"], "--use", wanted).returncode == 0
    shop.wait_for(settled(1))
    stop(process)
    assert owners(shop) == {"1": wanted}
    assert shop.tillpost("contacts", "conflicts").returncode == 0
    again = shop.tillpost("contacts", "resolve", conflict["key"], "--use", wanted)
    assert (again.returncode, "has no conflict" in again.stderr) == (2, True)


def test_a_create_that_is_a_duplicate_is_looked_up(tmp_path: Path) -> None:
    """Create answered by a duplicate error: look up, use that one. Here the key is none of those looked up before."""
    with Shop(tmp_path) as shop:
        shop.config.write_text(shop.config.read_text().replace('"externalId", "email", "mobilePhone"', '"externalId"'))
        call(shop, "POST", "/_sandbox/settings", {"duplicates": "error"})
        known = web_shop(shop, email="eva@example.se")
        shop.put("1.jsonl", document([sale(1, {"email": "eva@example.se", "externalId": "4711"})]))
        done = shop.tillpost("run", "--until-idle")
        assert done.returncode == 0, done.stderr
        assert owners(shop) == {"1": known}
        assert len(people(shop)) == 1


@pytest.mark.parametrize("news", [{"city": "Lund"}, {}], ids=["a file updates it", "a file names it"])
def test_a_stored_id_that_answers_404_is_forgotten_and_the_contact_identified_again(
    shop: Shop, news: dict[str, str]
) -> None:
    """The stored GUID answers 404 (merged, erased): forget it, identify again. Here while files hold it."""
    process = shop.start()
    shop.put("1.jsonl", document([sale(1, {"email": "eva@example.se"})]))
    shop.wait_for(settled(1))
    (old,) = people(shop)
    outage(shop, sale(2, {"email": "eva@example.se"}, **news))
    stop(process)
    shop.fault(http="ok")
    new = web_shop(shop, email="eva.new@example.se")
    call(shop, "POST", "/_sandbox/merge", {"contactId": old["id"], "into": new})
    call(shop, "PATCH", f"/api/v3/contacts/{new}", {"email": "eva@example.se"})
    process = shop.start()
    shop.wait_for(settled(2))
    stop(process)
    assert owners(shop) == {"1": new, "2": new}
    assert told(shop, 2).count("id forgotten") == 1
    assert [person["id"] for person in people(shop)] == [new]


def test_a_contact_made_by_file_learns_its_id_exactly_once(shop: Shop) -> None:
    """Contact created by file during the outage, GUID unknown: learnt at the next lookup, exactly once.

    Every further sale asks for nobody: requests are counted at the sandbox.
    """
    process = shop.start()
    shop.wait_for(lambda stand: True)
    outage(shop, sale(1, {"email": ASA}), sale(2, {"email": ASA}), sale(3, {"email": "nils@example.se"}))
    before = lookups(shop)
    shop.fault(http="ok")
    shop.wait_for(settled(3))
    # Nobody before the files, the contact after them: a lookup each. Nothing may have to be asked a third time but
    # the wait for the import, which is one look at each contact that does not show yet.
    once = lookups(shop)
    assert once - before == 4 + ANSWERS_NEEDED, "each probe at the return looks nobody up"
    for number in range(4, 8):
        shop.put(f"{number}.jsonl", document([sale(number, {"email": ASA})]))
    shop.wait_for(settled(7))
    stop(process)
    assert lookups(shop) == once
    assert Counter(told(shop, 1))["id learnt"] == 1
    assert shop.status()["contacts"] == {
        "known": 2, "pending": 0, "created": 0, "reconciled": 2, "conflicts": 0, "unsaved": 0,
    }  # fmt: skip


def test_an_empty_field_is_never_sent(shop: Shop) -> None:
    """An empty field is never sent: neither by API nor in a file, and nothing that is there is emptied."""
    known = web_shop(shop, email="eva@example.se", city="Lund", firstName="Eva")
    process = shop.start()
    shop.put("1.jsonl", document([sale(1, {"email": "eva@example.se"}, city="", firstName="", street="Storgatan 1")]))
    shop.wait_for(settled(1))
    outage(shop, sale(2, {"email": "eva@example.se"}, city="", zipCode="222 22"), sale(3, {"email": ASA}, city=""))
    shop.fault(http="ok")
    shop.wait_for(settled(3))
    stop(process)
    (eva,) = [person for person in people(shop) if person["id"] == known]
    assert eva["attributes"] == {
        "email": "eva@example.se", "city": "Lund", "firstName": "Eva", "street": "Storgatan 1", "zipCode": "222 22",
    }  # fmt: skip
    kinds = {entry["kind"] for entry in shop.sandbox("log")}
    assert not kinds & {"empty-value", "emptied"}


@pytest.mark.parametrize("by", ["file", "api"])
def test_an_update_during_the_outage_does_not_overwrite_a_later_one_made_through_the_api(
    tmp_path: Path, by: str
) -> None:
    """A contact update during the outage must not overwrite a later one made through the API.

    What nobody has touched there, and what is not there, is sent: decision 0008.
    """
    with Shop(tmp_path) as shop:
        if by == "api":
            text = shop.config.read_text().replace('after = "500ms"', 'after = "10m"')
            shop.config.write_text(text.replace("attempts = 3", "attempts = 1000"))
        process = shop.start()
        keys = {"email": "eva@example.se"}
        shop.put("1.jsonl", document([sale(1, keys, firstName="Eva", city="Lund")]))
        shop.wait_for(settled(1))
        (person,) = people(shop)
        told_then = sale(2, keys, firstName="Ewa", city="Malmö", street="Storgatan 1")
        if by == "file":
            outage(shop, told_then)
        else:
            shop.fault(http="refuse")
            shop.put("2.jsonl", document([told_then]))
            shop.wait_for(lambda stand: stand["state"] == "degraded")
        stop(process)
        shop.fault(http="ok")
        call(shop, "PATCH", f"/api/v3/contacts/{person['id']}", {"firstName": "Eva-Lotta"})
        process = shop.start()
        shop.wait_for(settled(2))
        stop(process)
        (person,) = people(shop)
        assert person["attributes"] == {
            "email": "eva@example.se", "firstName": "Eva-Lotta", "city": "Malmö", "street": "Storgatan 1",
        }  # fmt: skip
        assert told(shop, 2).count("attributes kept") == 1
        assert [row["route"] for row in shop.answers("receipts")] == ["api", by]


def test_somebody_who_registered_meanwhile_gets_the_receipts_and_keeps_what_he_said(shop: Shop) -> None:
    """The web shop has the e-mail by now, and knows no externalId: the file would name a receipt by nothing it has."""
    process = shop.start()
    shop.wait_for(lambda stand: True)
    keys = {"externalId": "4711", "email": "eva@example.se"}
    outage(shop, sale(1, keys, firstName="E.", city="Lund"), sale(2, {"externalId": "4712"}))
    outage(shop, sale(3, keys))
    old = {row["name"] for row in shop.answers("files", "list")}
    stop(process)
    shop.fault(http="ok")
    registered = web_shop(shop, email="eva@example.se", firstName="Eva")
    process = shop.start()
    shop.wait_for(settled(3))
    stop(process)
    assert owners(shop)["1"] == owners(shop)["3"] == registered
    assert set(saved(shop).values()) == {1}
    (eva,) = [person for person in people(shop) if person["id"] == registered]
    assert (eva["attributes"]["firstName"], eva["attributes"]["city"]) == ("Eva", "Lund")
    assert len(people(shop)) == 2
    stats = shop.sandbox("stats")
    assert (stats["create_duplicates"], stats["dropped"]) == (0, 0)
    # Nobody had to be told of it, and no file lies about.
    assert told(shop, 1).count("written") == 2
    assert not list((shop.folder / "state" / "shop" / "fallback").rglob("*.xml"))
    assert not old <= {row["name"] for row in shop.answers("files", "list")}


@pytest.mark.parametrize("rule", ["hold", "first"])
def test_keys_that_lead_to_two_contacts_are_held_or_the_first_decides(tmp_path: Path, rule: str) -> None:
    """An e-mail that leads to one contact, a phone number to another: by rule, or by a person; the others go on."""
    with Shop(tmp_path) as shop:
        text = shop.config.read_text()
        shop.config.write_text(text.replace('after = "500ms"', f'conflicts = "{rule}", after = "500ms"'))
        process = shop.start()
        shop.wait_for(lambda stand: True)
        keys = {"email": "eva@example.se", "mobilePhone": "+46701234567"}
        outage(shop, sale(1, keys), sale(2, {"email": "nils@example.se"}), sale(3, keys))
        stop(process)
        shop.fault(http="ok")
        by_email = web_shop(shop, email="eva@example.se")
        by_phone = web_shop(shop, mobilePhone="+46701234567")
        process = shop.start()
        if rule == "first":
            shop.wait_for(settled(3))
            stop(process)
            assert owners(shop)["1"] == owners(shop)["3"] == by_email
            return
        shop.wait_for(lambda stand: stand["counts"]["held"] == 2 and stand["counts"]["delivered"] == 1)
        (conflict,) = shop.answers("contacts", "conflicts")
        assert conflict["candidates"] == {"email": by_email, "mobilePhone": by_phone}
        assert shop.status()["contacts"]["conflicts"] == 1
        shop.put("4.jsonl", document([sale(4, keys)]))
        shop.wait_for(lambda stand: stand["counts"]["held"] == 3)
        done = shop.tillpost("contacts", "resolve", conflict["key"], "--use", by_phone)
        assert "3 receipts" in done.stdout
        shop.wait_for(settled(4))
        stop(process)
        assert {owners(shop)[number] for number in "134"} == {by_phone}
        assert set(saved(shop).values()) == {1}
        assert told(shop, 1).count("id learnt") == 1


def test_fields_the_import_dropped_are_told_by_name_and_offered_once_more(shop: Shop) -> None:
    """A 200 and a file that was read say nothing about a field: what Engage holds is compared with what was said."""
    call(shop, "POST", "/_sandbox/settings", {"import_drops": ["firstName", "zipCode"]})
    process = shop.start()
    shop.wait_for(lambda stand: True)
    keys = {"email": "eva@example.se"}
    outage(shop, sale(1, keys, firstName="Eva", city="Lund", zipCode="222 22"))
    shop.fault(http="ok")
    stand = shop.wait_for(settled(1))
    assert stand["contacts"]["unsaved"] == 1
    (contact,) = shop.answers("contacts", "pending")
    assert contact["unsaved"] == ["firstName", "zipCode"]
    (life,) = shop.answers("receipt", receipt(number="1").id)
    (event,) = [event for event in life["events"] if event["what"] == "fields not saved"]
    assert event["detail"] == {"fields": ["firstName", "zipCode"]}
    assert "Lund" not in str(life)
    shop.put("2.jsonl", document([sale(2, keys)]))
    shop.wait_for(settled(2))
    stop(process)
    (person,) = people(shop)
    assert (person["attributes"]["firstName"], person["attributes"]["zipCode"]) == ("Eva", "222 22")
    assert shop.status()["contacts"]["unsaved"] == 0
    assert shop.answers("contacts", "pending") == []
