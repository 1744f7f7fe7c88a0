"""Receipts over HTTP: what is refused at once, and what only the import finds."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.plugins.tillpost_sandbox.conftest import Client

SAVE = "/api/v3/receipts"


def test_an_accepted_receipt_is_seen_only_after_the_import(client: "Client", receipt: Any) -> None:
    contact = client.contact(email="a@b.se")
    history = f"/api/v3/contacts/{contact}/transactions"
    assert client.send("POST", SAVE, receipt()).status == 202
    assert client.send("GET", history).body["items"] == []
    assert client.control("GET", "stats")["queued"] == 1
    client.control("POST", "import", {})
    (item,) = client.send("GET", history).body["items"]
    assert (item["externalId"], item["transactionNumber"]) == ("r-1", "1001")
    (held,) = client.control("GET", "receipts")
    assert (held["status"], held["contactId"], held["totalGrossPrice"]) == ("imported", contact, "175.5")
    assert client.control("GET", "stats")["totalGrossPrice"] == "175.5"


REQUIRED = [
    "contact",
    "uniqueReceiptId",
    "createdDate",
    "storeExternalId",
    "currency",
    "totalGrossPrice",
    "paymentMethods",
    "items",
]
REQUIRED_OF_A_LINE = [
    "type",
    "sku",
    "quantity",
    "grossPaidPrice",
    "taxAmount",
    "taxPercent",
    "articleNumber",
    "articleName",
]


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("how", ["absent", "null"])
def test_a_receipt_without_a_required_field(client: "Client", receipt: Any, name: str, how: str) -> None:
    body = receipt(**{name: None})
    if how == "absent":
        del body[name]
    reply = client.send("POST", SAVE, body)
    assert (reply.status, reply.body["errors"]) == (400, [{"field": name, "message": "is required"}])


@pytest.mark.parametrize("name", REQUIRED_OF_A_LINE)
def test_a_line_without_a_required_field(client: "Client", receipt: Any, line: Any, name: str) -> None:
    reply = client.send("POST", SAVE, receipt(items=[line(), line(**{name: None})]))
    assert reply.body["errors"] == [{"field": f"items[1].{name}", "message": "is required"}]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"uniqueReceiptId": ""}, "uniqueReceiptId"),
        ({"uniqueReceiptId": 5}, "uniqueReceiptId"),
        ({"totalGrossPrice": "175.5"}, "totalGrossPrice"),
        ({"totalGrossPrice": True}, "totalGrossPrice"),
        ({"createdDate": "2026-03-01T12:30:00"}, "createdDate"),
        ({"createdDate": "2026-03-01"}, "createdDate"),
        ({"createdDate": "2026-02-30T12:30:00+01:00"}, "createdDate"),
        ({"currency": "kr"}, "currency"),
        ({"currency": "sek"}, "currency"),
        ({"items": []}, "items"),
        ({"items": {}}, "items"),
        ({"paymentMethods": []}, "paymentMethods"),
        ({"contact": "a@b.se"}, "contact"),
        ({"contact": {"matchKey": "a", "matchKeyType": "shoe"}}, "contact.matchKeyType"),
        ({"exchangeRateToGroupCurrency": 0}, "exchangeRateToGroupCurrency"),
        ({"paymentMethods": [{"type": "card", "value": "1"}]}, "paymentMethods[0].value"),
        ({"extraData": [{"value": "x"}]}, "extraData[0].name"),
    ],
)
def test_an_error_of_format_is_refused_at_once(
    client: "Client", receipt: Any, changes: dict[str, Any], field: str
) -> None:
    reply = client.send("POST", SAVE, receipt(**changes))
    assert reply.status == 400
    assert [error["field"] for error in reply.body["errors"]] == [field]
    assert client.control("GET", "receipts") == []


def test_a_price_beyond_all_measure_is_refused(client: "Client", receipt: Any) -> None:
    for number in (b"1e999999", b"1e16", b"0.12345678901"):
        raw = client_body(receipt(totalGrossPrice=424242.0)).replace(b"424242.0", number)
        assert client.send("POST", SAVE, raw).status == 400


def client_body(value: Any) -> bytes:
    import json

    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"type": "SALE"}, "type"),
        ({"type": "RETURN"}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": "1"}, "quantity"),
        ({"grossPaidPrice": -175.5}, "grossPaidPrice"),
        ({"type": "RETURN", "quantity": -1, "grossPaidPrice": -175.5}, "grossPaidPrice"),
        ({"discounts": [{"type": "x", "value": 5}]}, "discounts[0].value"),
        ({"awardsBonus": "true"}, "awardsBonus"),
    ],
)
def test_signs_and_types_of_a_line(
    client: "Client", receipt: Any, line: Any, changes: dict[str, Any], field: str
) -> None:
    reply = client.send("POST", SAVE, receipt(items=[line(**changes)]))
    assert [error["field"] for error in reply.body["errors"]] == [f"items[0].{field}"]


def test_a_full_receipt_is_good(client: "Client", receipt: Any, line: Any) -> None:
    client.contact(email="a@b.se")
    extra = [{"name": "till", "value": "4"}]
    body = receipt(
        exchangeRateToGroupCurrency=1.0,
        totalGrossPrice=-24.5,
        taxDetails=[{"description": "25", "value": -4.9, "percent": 25}],
        usedBonusChecks=[{"checkNumber": "5"}],
        usedPromotions=[{"promotionId": "p"}],
        extraData=extra,
        items=[
            line(extraData=extra, packQuantity=0.525, awardsBonus=True, discounts=[{"value": -5}]),
            line(type="RETURN", quantity=-2, grossPaidPrice=200),
        ],
    )
    assert client.send("POST", SAVE, body).status == 202
    client.control("POST", "import", {})
    assert client.kinds() == []


@pytest.mark.parametrize(("basis", "noted"), [("line", False), ("unit", True)])
def test_a_sum_that_does_not_add_up_is_noted_by_the_price_basis(
    client: "Client", receipt: Any, line: Any, basis: str, noted: bool
) -> None:
    client.contact(email="a@b.se")
    client.control("POST", "settings", {"price_basis": basis})
    body = receipt(totalGrossPrice=-400, items=[line(type="RETURN", quantity=-2, grossPaidPrice=400)])
    assert client.send("POST", SAVE, body).status == 202
    client.control("POST", "import", {})
    assert client.control("GET", "stats")["receipts"] == 1
    assert ("sum-mismatch" in client.kinds()) is noted


def test_the_import_drops_what_has_no_contact_and_no_store(client: "Client", receipt: Any) -> None:
    client.contact(email="a@b.se")
    client.control("POST", "settings", {"stores": ["600"]})
    client.send("POST", SAVE, receipt("no-contact", key="none@b.se"))
    client.send("POST", SAVE, receipt("no-store", storeExternalId="601"))
    client.send("POST", SAVE, receipt("good"))
    client.control("POST", "import", {})
    assert [held["uniqueReceiptId"] for held in client.control("GET", "receipts")] == ["good"]
    noted = {entry["receipt"]: entry["kind"] for entry in client.control("GET", "log")}
    assert noted == {"no-contact": "contact-missing", "no-store": "store-missing"}
    assert client.control("GET", "stats")["dropped"] == 2
    assert "none@b.se" not in str(client.control("GET", "log"))


def test_a_contact_created_before_the_import_is_in_time(client: "Client", receipt: Any) -> None:
    client.send("POST", SAVE, receipt(key="A@B.SE", kind="Email"))
    client.contact(email="a@b.se")
    client.control("POST", "import", {})
    assert client.control("GET", "stats")["receipts"] == 1


@pytest.mark.parametrize(
    ("key", "kind"),
    [("M5", "memberNumber"), ("77", "externalId"), ("+46701234567", "mobilePhone"), ("", "contactId")],
)
def test_every_match_key_type_finds_its_contact(client: "Client", receipt: Any, key: str, kind: str) -> None:
    contact = client.contact(memberNumber="M5", externalId="77", mobilePhone="+46701234567")
    client.send("POST", SAVE, receipt(key=key or contact.upper(), kind=kind))
    client.control("POST", "import", {})
    assert client.control("GET", "receipts")[0]["contactId"] == contact


def test_a_receipt_of_another_contact_type_has_no_contact(client: "Client", receipt: Any) -> None:
    client.contact(email="a@b.se", contactType="Contact")
    client.send("POST", SAVE, receipt())
    client.control("POST", "import", {})
    assert client.kinds() == ["contact-missing"]


def test_a_duplicate_is_ignored_and_its_difference_counted(client: "Client", receipt: Any) -> None:
    contact = client.contact(email="a@b.se")
    client.send("POST", SAVE, receipt())
    client.send("POST", SAVE, receipt(key=contact, kind="contactId", totalGrossPrice=175.50))
    client.control("POST", "import", {})
    client.send("POST", SAVE, receipt(totalGrossPrice=99))
    client.control("POST", "import", {})
    (held,) = client.control("GET", "receipts")
    assert (held["ignoredDuplicates"], held["ignoredDifferent"]) == (2, 1)
    assert held["totalGrossPrice"] == "175.5"
    stats = client.control("GET", "stats")
    assert (stats["receipts"], stats["ignored_duplicates"], stats["duplicated"]) == (1, 2, 0)
    assert "totalGrossPrice" in client.control("GET", "log")[-1]["message"]


def test_one_sale_under_two_ids_is_duplicated(client: "Client", receipt: Any) -> None:
    contact = client.contact(email="a@b.se")
    client.send("POST", SAVE, receipt("r-1"))
    client.send("POST", SAVE, receipt("r-2", key=contact, kind="contactId"))
    client.send("POST", SAVE, receipt("r-3", receiptNumber="1002"))
    client.control("POST", "import", {})
    assert client.control("GET", "stats")["duplicated"] == 1


def test_history_is_paged_and_bounded_by_date(client: "Client", receipt: Any) -> None:
    contact = client.contact(email="a@b.se")
    for day in range(1, 6):
        body = receipt(f"r-{day}", createdDate=f"2026-03-0{day}T12:00:00+01:00")
        client.send("POST", SAVE, body)
    client.control("POST", "import", {})
    history = f"/api/v3/contacts/{contact}/transactions?"

    def ids(query: str) -> list[str]:
        return [item["externalId"] for item in client.send("GET", history + query).body["items"]]

    assert ids("") == ["r-5", "r-4", "r-3", "r-2", "r-1"]
    assert ids("offset=1&count=2") == ["r-4", "r-3"]
    assert ids("fromDate=2026-03-03&toDate=2026-03-04T23:59:59") == ["r-4", "r-3"]
    assert ids("fromDate=2026-03-05T12:00:00%2B02:00") == ["r-5"]
    for query in ("count=101", "offset=-1", "fromDate=yesterday", "fromDate=2026-03-05T12:00:00+02:00"):
        assert client.send("GET", history + query).status == 400, query
