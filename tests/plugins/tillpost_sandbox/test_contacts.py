"""Contacts over HTTP, by section 2 of the contract."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.plugins.tillpost_sandbox.conftest import Client

FIND = "/api/v3/contacts/id?"


def test_a_key_is_needed(client: "Client") -> None:
    assert client.send("GET", FIND + "email=a@b.se", apikey="").status == 401
    assert client.send("GET", FIND + "email=a@b.se", apikey="other").status == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/api/v3/nothing"), ("PUT", "/api/v3/receipts"), ("POST", "/api/v4/receipts")],
)
def test_an_unknown_route_is_a_404_in_json(client: "Client", method: str, path: str) -> None:
    reply = client.send(method, path)
    assert (reply.status, reply.body["errorCode"]) == (404, "NoSuchRoute")
    assert reply.headers["content-type"].startswith("application/json")


def test_a_created_contact_is_found_by_each_of_its_keys(client: "Client") -> None:
    contact = client.contact(
        email="Åsa+pos@b.se",
        mobilePhone="+46701234567",
        externalId="77",
        socialSecurityNumber="198112189876",
        memberNumber="M5",
    )
    for query in (
        "email=%C3%A5sa%2Bpos@b.se",
        "mobilePhone=%2B46701234567",
        "socialSecurityNumber=198112189876",
        "customKey=77",
        "customKey=M5",
        "any=%2B46701234567",
        "any=77",
        "email=%C3%A5sa%2Bpos@b.se&contactType=member",
    ):
        reply = client.send("GET", FIND + query)
        assert (reply.status, reply.body) == (200, contact), query


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("email=no-mail", "InvalidEmailAddress"),
        ("mobilePhone=0701234567", "InvalidPhoneNumber"),
        ("mobilePhone=+46701234567", "InvalidPhoneNumber"),  # an unencoded plus is a space
        ("socialSecurityNumber=198112189875", "InvalidSocialSecurityNumber"),
        ("socialSecurityNumber=131052-308U", "InvalidSocialSecurityNumber"),
        ("email=a@b.se&contactType=Robot", "InvalidContactType"),
        ("", "InvalidSearchQuery"),
        ("email=", "InvalidSearchQuery"),
        ("phone=1", "InvalidSearchQuery"),
    ],
)
def test_what_does_not_validate_is_named(client: "Client", query: str, code: str) -> None:
    reply = client.send("GET", FIND + query)
    assert (reply.status, reply.body["errorCode"]) == (400, code)


@pytest.mark.parametrize("number", ["198112789873", "131052-308T"])
def test_coordination_numbers_and_finnish_codes_are_valid(client: "Client", number: str) -> None:
    assert client.send("GET", FIND + f"socialSecurityNumber={number}").status == 404


def test_no_contact_and_several(client: "Client") -> None:
    client.contact(externalId="9", email="one@b.se")
    client.contact(externalId="10", memberNumber="9")
    assert client.send("GET", FIND + "email=none@b.se").body["errorCode"] == "ContactNotFound"
    reply = client.send("GET", FIND + "customKey=9")
    assert (reply.status, reply.body["errorCode"]) == (409, "MultipleMatches")
    assert client.send("GET", FIND + "email=one@b.se&customKey=10").status == 409


def test_any_stops_at_the_first_kind_that_validates(client: "Client") -> None:
    client.contact(externalId="198112189876")
    assert client.send("GET", FIND + "customKey=198112189876").status == 200
    assert client.send("GET", FIND + "any=198112189876").status == 404


def test_several_identifiers_at_once(client: "Client") -> None:
    contact = client.contact(email="a@b.se")
    path = "/api/v3/contacts/id-lookup?id=email:a@b.se,mobilePhone:%2B46701234567"
    reply = client.send("GET", path)
    assert reply.body["email:a@b.se"]["id"] == contact
    assert reply.body["mobilePhone:+46701234567"] is None
    assert client.send("GET", "/api/v3/contacts/id-lookup?id=shoe:44").status == 400
    assert client.send("GET", "/api/v3/contacts/id-lookup").status == 400


def test_source_and_store_count_only_in_the_query(client: "Client") -> None:
    path = "/api/v3/contacts?source=POS&storeExternalId=600&createAsUnapproved=true"
    client.send("POST", path, {"email": "q@b.se"})
    client.send("POST", "/api/v3/contacts", {"email": "h@b.se"}, source="POS", storeExternalId="600")
    by_query, by_header = client.control("GET", "contacts")
    assert (by_query["source"], by_query["store_external_id"], by_query["approved"]) == ("POS", "600", False)
    assert (by_header["source"], by_header["store_external_id"], by_header["approved"]) == (None, None, True)
    assert "ignored-header" in client.kinds()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "MissingKey"),
        ({"firstName": "A"}, "MissingKey"),
        ({"email": ""}, "MissingKey"),
        ({"memberNumber": "5"}, "MissingKey"),
        ({"email": "a"}, "InvalidEmailAddress"),
        ({"email": 5}, "InvalidEmailAddress"),
        ({"mobilePhone": "070"}, "InvalidPhoneNumber"),
        ({"email": "a@b.se", "socialSecurityNumber": "1"}, "InvalidSocialSecurityNumber"),
        ({"email": "a@b.se", "contactType": "Robot"}, "InvalidContactType"),
        ({"email": "a@b.se", "preferences": {"acceptsSms": "yes"}}, "InvalidField"),
        ([], "InvalidBody"),
        (b"{", "InvalidJson"),
        (b'{"email": "a@b.se", "email": "c@d.se"}', "InvalidJson"),
        (b"[" * 100_000, "InvalidJson"),
        (b'{"a": NaN}', "InvalidJson"),
    ],
)
def test_a_contact_that_cannot_be_created(client: "Client", body: Any, code: str) -> None:
    reply = client.send("POST", "/api/v3/contacts", body)
    assert (reply.status, reply.body["errorCode"]) == (400, code)
    assert client.control("GET", "contacts") == []


def test_another_content_type_is_refused(client: "Client") -> None:
    reply = client.send("POST", "/api/v3/contacts", b"email=a@b.se", **{"Content-Type": "text/plain"})
    assert reply.status == 415


def test_an_existing_key_answers_the_first_contact_or_409(client: "Client") -> None:
    first = client.contact(email="a@b.se")
    again = client.send("POST", "/api/v3/contacts", {"email": "A@B.se", "firstName": "B"})
    assert (again.status, again.body) == (200, {"id": first})
    client.control("POST", "settings", {"duplicates": "error"})
    assert client.send("POST", "/api/v3/contacts", {"email": "a@b.se"}).status == 409
    stats = client.control("GET", "stats")
    assert (stats["contacts"], stats["contacts_created"], stats["create_duplicates"]) == (1, 1, 1)


def test_a_key_is_unique_within_its_contact_type(client: "Client") -> None:
    client.contact(email="a@b.se")
    other = client.contact(email="a@b.se", contactType="contact")
    assert client.send("GET", FIND + "email=a@b.se").status == 409
    assert client.send("GET", FIND + "email=a@b.se&contactType=Contact").body == other


def test_a_patch_changes_what_it_names_and_empty_overwrites(client: "Client") -> None:
    contact = client.contact(email="a@b.se", firstName="Ann", city="Lund")
    path = f"/api/v3/contacts/{contact}"
    assert client.send("PATCH", path, {"firstName": "Anna"}).status == 200
    assert client.send("GET", path).body["firstName"] == "Anna"
    assert "emptied" not in client.kinds()
    assert client.send("PATCH", path, {"city": ""}).body["city"] == ""
    assert "emptied" in client.kinds()
    moved = client.send("PATCH", path, {"email": "new@b.se"})
    assert (moved.body["email"], client.send("GET", FIND + "email=a@b.se").status) == ("new@b.se", 404)
    assert client.send("PATCH", path, {"contactType": "Contact"}).status == 400
    client.contact(email="taken@b.se")
    assert client.send("PATCH", path, {"email": "taken@b.se"}).status == 409


def test_the_contact_type_changes_by_its_own_route(client: "Client") -> None:
    contact = client.contact(email="a@b.se")
    path = f"/api/v3/contacts/{contact}/updateContactType?contactTypeId="
    assert client.send("POST", path + "Contact", {}).body["contactType"] == "Contact"
    assert client.send("POST", path + "Robot", {}).status == 400


def test_an_erased_and_a_merged_contact_answer_404(client: "Client", receipt: Any) -> None:
    gone, away, kept = (client.contact(email=f"{name}@b.se") for name in ("gone", "away", "kept"))
    client.send("POST", "/api/v3/receipts", receipt(key="away@b.se"))
    client.control("POST", "import", {})
    assert client.send("DELETE", f"/api/v3/contacts/{gone}").status == 204
    client.control("POST", "merge", {"contactId": away, "into": kept})
    for contact in (gone, away, "not-a-guid"):
        assert client.send("GET", f"/api/v3/contacts/{contact}").status == 404
        assert client.send("PATCH", f"/api/v3/contacts/{contact}", {"city": "Lund"}).status == 404
    assert client.send("GET", FIND + "email=away@b.se").status == 404
    assert client.send("GET", f"/api/v3/contacts/{kept}/transactions").body["totalCount"] == 1


def test_preferences_counts_changes_and_stores(client: "Client") -> None:
    contact = client.contact(email="a@b.se")
    path = f"/api/v3/contacts/{contact}/preferences/acceptsSms"
    assert client.send("POST", path, {"value": True}).body["preferences"] == {"acceptsSms": True}
    assert client.send("POST", path, {"value": 1}).status == 400
    assert client.send("GET", "/api/v3/contacts/count").body == 1
    since = "&fromDate=2000-01-01"
    assert client.send("GET", f"/api/v3/contacts/changes?changeType=Created{since}").body["contactIds"] == [contact]
    assert client.send("GET", f"/api/v3/contacts/changes?changeType=Deleted{since}").body["contactIds"] == []
    assert client.send("GET", f"/api/v3/contacts/changes?changeType=Moved{since}").status == 400
    client.control("POST", "settings", {"stores": ["600"]})
    assert client.send("GET", "/api/v3/stores").body == [{"externalId": "600", "name": "600"}]


def test_v2_takes_its_options_as_headers_and_answers_in_groups(client: "Client") -> None:
    created = client.send("POST", "/api/v2/contacts", {"externalId": "5"}, source="POS", createAsUnapproved="true")
    assert created.body["attributes"] == {"externalId": "5"}
    assert client.control("GET", "contacts")[0]["source"] == "POS"
    contact = created.body["id"]
    for path in ("member/byexternalid/5", "Member/bykey/5", "Member/bykey?keyValue=5", contact):
        assert client.send("GET", f"/api/v2/contacts/{path}").body["id"] == contact
    assert client.send("GET", "/api/v2/contacts/Member/byexternalid/6").status == 404
    changed = client.send("POST", f"/api/v2/contacts/{contact}", {"city": "Lund"})
    assert changed.body["attributes"]["city"] == "Lund"
    assert client.send("POST", f"/api/v2/contacts/{contact}/promoteToMember", {}).status == 200
    assert client.send("DELETE", f"/api/v2/contacts/{contact}").status == 200
