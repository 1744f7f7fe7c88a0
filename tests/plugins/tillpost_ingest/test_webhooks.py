"""Webhooks of Shopify, Square and Zettle, signed here by a signer of the tests' own, as each vendor publishes it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.ingest import KEY, ONE, TWO, Ingest, Reply, problem
from tillpost.errors import DocumentError
from tillpost.journal import DocumentState
from tillpost.journal.tables.documents import IN_JOURNAL, LARGEST_KEPT
from tillpost.model import Document
from tillpost_ingest.webhooks import LONGEST_MESSAGE, SHOPIFY, SQUARE, ZETTLE

ROOT = Path(__file__).parents[3]
SECRET, OLD = "the-secret-of-the-shop-today", "the-secret-of-the-shop-before"
URL = "https://pos.example.com/v1/shop/receipts"


def mac(content: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), content, hashlib.sha256).digest()


def push(payload: object, name: str = "PurchaseCreated") -> bytes:
    """As Zettle sends it: the payload is a text of JSON inside JSON."""
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    event = {"organizationUuid": "0ab305d5-4001-11f0-9a1c-2f0d5b1c7a10", "eventName": name, "payload": text}
    return json.dumps(event | {"messageId": "m-1", "timestamp": "2026-03-14T16:05:09.120Z"}).encode()


@attrs.frozen
class Vendor:
    """How a test signs for one, the adapter of the pipeline, and two different sales of it."""

    setting: str
    header: str
    sign: Callable[[bytes, str], str]
    adapter: str
    sales: tuple[bytes, bytes]
    number: str

    def headers(self, body: bytes, secret: str = SECRET) -> dict[str, Any]:
        return {self.header: self.sign(body, secret), "X_Api_Key": ""}


def _signed_by_zettle(body: bytes, secret: str) -> str:
    event = json.loads(body)
    return mac("{}.{}".format(event.get("timestamp"), event.get("payload")).encode(), secret).hex()


def _sample(name: str) -> bytes:
    return (ROOT / "plugins" / name).read_bytes()


ORDER = json.loads(_sample("tillpost_shopify/samples/sale.json"))
PURCHASE = json.loads(_sample("tillpost_zettle/samples/purchase.json"))
SQUARE_ORDER = json.loads(_sample("tillpost_square/samples/orders.jsonl").splitlines()[0])
VENDORS = {
    "shopify": Vendor(
        "shopify", "X_Shopify_Hmac_Sha256",
        lambda body, secret: base64.b64encode(mac(body, secret)).decode(),
        'use = "shopify", store = "web", customer_id = "externalId"',
        (json.dumps(ORDER).encode(), json.dumps(ORDER | {"id": 5100002, "name": "#1002"}).encode()), "#1001",
    ),
    "square": Vendor(
        "square", "X_Square_HmacSha256_Signature",
        lambda body, secret: base64.b64encode(mac(URL.encode() + body, secret)).decode(),
        'use = "square", timezone = "Europe/Stockholm"',
        (json.dumps(SQUARE_ORDER).encode(), json.dumps(SQUARE_ORDER).replace("ORDER2001", "ORDER2009").encode()),
        "ORDER2001",
    ),
    "zettle": Vendor(
        "zettle", "X_iZettle_Signature", _signed_by_zettle,
        'use = "zettle", timezone = "Europe/Stockholm"',
        (push(PURCHASE), push(PURCHASE | {"purchaseUUID": "uuid-102", "purchaseNumber": 102})), "101",
    ),
}  # fmt: skip


def settings(name: str, *secrets: str) -> str:
    return f'{name} = {{ shop = {json.dumps(secrets)} }}, url = "{URL}"'


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


@pytest.fixture
def ingest(tmp_path: Path, vendor: Vendor) -> Iterator[Ingest]:
    with Ingest(tmp_path, settings(vendor.setting, OLD, SECRET), adapter=vendor.adapter) as opened:
        yield opened


def send(ingest: Ingest, vendor: Vendor, body: bytes, secret: str = SECRET) -> Reply:
    return ingest.send(body, **vendor.headers(body, secret))


def records(counts: Mapping[str, int]) -> int:
    return sum(counts[name] for name in ("accepted", "skipped"))


# What the vendors publish


def test_square_s_published_example_is_verified() -> None:
    """The request in Square's page on validating webhooks (key, address, body and signature)."""
    given = {"x-square-hmacsha256-signature": "2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og="}
    assert SQUARE.is_signed(given, b'{"hello":"world"}', "https://example.com/webhook", b"asdf1234")
    assert not SQUARE.is_signed(given, b'{"hello":"world"}', "https://example.com/webhook/", b"asdf1234")


@pytest.mark.parametrize("header", ["x-shopify-hmac-sha256", "shopify-hmac-sha256"])
def test_shopify_s_published_way_is_verified(header: str) -> None:
    """Its page has the way and no digest: `openssl dgst -sha256 -hmac SECRET -binary | base64` made this one."""
    given = {header: "sDtHSW4eqOQhO2yZSbZdL+A/lorEb764y3JhR4uinGc="}
    assert SHOPIFY.is_signed(given, b'{"hello":"world"}', "", b"hush-hush-hush-hush")
    assert not SHOPIFY.is_signed(given, b'{"hello": "world"}', "", b"hush-hush-hush-hush")


def test_zettle_s_published_way_is_verified() -> None:
    """The signing key of its page; of the signature it has the way only, and `openssl dgst -hmac` made this one."""
    key = b"zLzClQLQN8yfH8aEjONeXzgJRAHR0zpD7RonFCpizujCUCectBlln0vFArTbLPYa"
    given = {"x-izettle-signature": "fcbab5fcc6caf3a77978f0a893d66bdd8b6439fa90ed7aefbbbbf4564fb5bd79"}
    body = push('{"amount":15900,"name":"Blå \\"kopp\\""}')
    assert b"\\u00e5" in body, "it is signed without the escapes of the message around it"
    assert ZETTLE.is_signed(given, body, "", key)
    assert not ZETTLE.is_signed(given, body.replace(b"15900", b"15901"), "", key)


# Accepted, once


@pytest.mark.parametrize("secret", [OLD, SECRET])
def test_a_signed_body_is_accepted_under_the_sender_s_name(ingest: Ingest, vendor: Vendor, secret: str) -> None:
    reply = send(ingest, vendor, vendor.sales[0], secret)
    assert reply.status == 200
    assert records(reply.body) == 1
    assert ingest.ids() == [vendor.number]
    (document,) = ingest.journal.documents.newest(9)
    assert document.name.startswith("shop/")


def test_what_is_sent_again_changes_nothing_whatever_its_ids_say(ingest: Ingest, vendor: Vendor) -> None:
    """The ids in headers are not signed, so nothing depends on them: neither a sale twice nor one that is lost."""
    ids: dict[str, Any] = {"X_Shopify_Webhook_Id": "w-1", "Idempotency_Key": "w-1", "webhook_id": "w-1"}
    first, other = (ingest.send(body, **vendor.headers(body), **ids) for body in vendor.sales)
    assert (first.status, other.status) == (200, 200)
    assert len(ingest.ids()) == 2
    again = ingest.send(vendor.sales[0], **vendor.headers(vendor.sales[0]), X_Shopify_Webhook_Id="w-2")
    assert (again.status, again.body["duplicates"], records(again.body)) == (200, 1, 0)
    assert len(ingest.ids()) == 2


def test_the_same_webhook_at_the_same_time_is_accepted_once(ingest: Ingest, vendor: Vendor) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: send(ingest, vendor, vendor.sales[0]), range(16)))
    assert {reply.status for reply in replies} == {200}
    assert sum(records(reply.body) for reply in replies) == 1
    assert len(ingest.ids()) == 1


def test_a_vendor_that_gave_up_before_the_answer_sends_again_and_nothing_is_there_twice(
    ingest: Ingest, vendor: Vendor
) -> None:
    """Shopify waits for 5 seconds, Square for 10: however long a commit takes, the first one counts."""
    taken, release = threading.Event(), threading.Event()

    def slow(document: Document) -> Mapping[str, int]:
        taken.set()
        assert release.wait(60)
        return ingest.served(document)

    ingest.accept = slow
    impatient = ingest.connect()
    body = vendor.sales[0]
    impatient.request("POST", ingest.path, body, {vendor.header.replace("_", "-"): vendor.sign(body, SECRET)})
    assert taken.wait(60)
    impatient.close()
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(send, ingest, vendor, body)
        release.set()
        assert again.result(60).status == 200
    ingest.stop()  # waits for the first, whose sender is gone
    assert len(ingest.ids()) == 1


def test_what_cannot_be_read_is_kept_and_answered_so_that_the_subscription_stays(tmp_path: Path) -> None:
    """Vendors repeat what is refused, and then take the subscription away: with it all later sales."""
    vendor = VENDORS["shopify"]
    with Ingest(tmp_path, settings("shopify", SECRET), adapter=vendor.adapter) as ingest:
        bodies = (b'{"id": 1, ', b"\xff\xfe" + b"x" * LARGEST_KEPT)
        for body in bodies:
            reply = send(ingest, vendor, body)
            assert (reply.status, reply.body["set_aside"]) == (200, True)
        documents = ingest.journal.documents.open()
        assert {(entry.state, entry.place) for entry in documents} == {(DocumentState.SET_ASIDE, IN_JOURNAL)}
        assert {ingest.journal.documents.content(entry.seq) for entry in documents} == set(bodies)


def test_a_sender_with_a_key_of_ours_is_told_what_is_wrong_as_before(tmp_path: Path) -> None:
    with Ingest(tmp_path, f'keys = {{ store12 = "{KEY}" }}, {settings("shopify", SECRET)}') as ingest:
        problem(ingest.send(b'{"id": 1, '), 422, "unreadable")
        assert ingest.send(ONE).status == 202


def test_a_fault_of_the_adapter_is_tried_again_by_the_vendor(ingest: Ingest, vendor: Vendor) -> None:
    def failing(document: Document) -> Mapping[str, int]:
        raise OSError("a fault")

    ingest.accept = failing
    problem(send(ingest, vendor, vendor.sales[0]), 500, "failed")
    ingest.accept = ingest.served
    assert send(ingest, vendor, vendor.sales[0]).status == 200


def test_the_counts_before_a_fault_are_in_the_answer(ingest: Ingest, vendor: Vendor) -> None:
    def broken(document: Document) -> Mapping[str, int]:
        error = DocumentError("it ends early", document.name)
        error.counts = {"accepted": 2}
        raise error

    ingest.accept = broken
    reply = send(ingest, vendor, vendor.sales[0])
    assert (reply.status, reply.body["accepted"], reply.body["set_aside"]) == (200, 2, True)


# Refused


def _changes(vendor: Vendor) -> dict[str, tuple[bytes, Any]]:
    """Each with the body that is sent and the signature it has."""
    first, second = vendor.sales
    right = vendor.sign(first, SECRET)
    raw = bytes.fromhex(right) if vendor.setting == "zettle" else base64.b64decode(right)
    return {
        "of another body": (second.replace(b'"timestamp"', b'"timestamp" '), right),
        "by another secret": (first, vendor.sign(first, "somebody else's secret")),
        "none": (first, ""),
        "nonsense": (first, "nonsense, and more of it"),
        "cut": (first, right[:-4]),
        "hexadecimal for base64 or the reverse": (
            first, base64.b64encode(raw).decode() if vendor.setting == "zettle" else raw.hex()
        ),
        "not ASCII": (first, "ååå"),
        "a body that is empty": (b"", right),
        "a body that is no object": (b"[1]", right),
    }  # fmt: skip


@pytest.mark.parametrize("what", list(_changes(VENDORS["zettle"])))
def test_what_the_vendor_has_not_signed_is_refused(ingest: Ingest, vendor: Vendor, what: str) -> None:
    body, signature = _changes(vendor)[what]
    problem(ingest.send(body, **{vendor.header: signature.encode("latin-1"), "X_Api_Key": ""}), 401, "unauthorized")
    assert ingest.ids() == []


def test_a_vendor_that_is_not_configured_is_refused(tmp_path: Path, vendor: Vendor) -> None:
    with Ingest(tmp_path) as ingest:
        problem(send(ingest, vendor, vendor.sales[0]), 401, "unauthorized")


def test_a_secret_of_one_vendor_is_none_of_another(ingest: Ingest, vendor: Vendor) -> None:
    for other in VENDORS.values():
        if other is not vendor:
            problem(send(ingest, other, vendor.sales[0]), 401, "unauthorized")
    assert ingest.ids() == []


def test_a_refused_sender_is_told_in_the_log_once_and_without_what_it_sent(
    ingest: Ingest, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong secret must not be silent: the vendor is refused, and nobody here would know."""
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            problem(send(ingest, vendor, vendor.sales[0], "the secret of another"), 401, "unauthorized")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"pipeline shop: ingest: a request is refused (401): no secret of {vendor.setting} has")
    assert ("url" in line) == (vendor.setting == "square")
    assert not any(word in line for word in (SECRET, "example.com", "1001"))


def test_so_is_one_with_a_wrong_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Ingest(tmp_path) as ingest, caplog.at_level(logging.WARNING):
        ingest.send(ONE, X_Api_Key="a-key-nobody-has-here")
        ingest.send(ONE, X_Api_Key="")
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "unknown key",
        "neither a key nor a signature was sent",
    ]


# What vendors send to try an address

TEST_MESSAGE = b'{"eventName": "TestMessage", "messageId": "m-1", "payload": {"data": "payload"}}'


@pytest.mark.parametrize("secrets", [(), (SECRET,)])
@pytest.mark.parametrize("headers", [{}, {"X_iZettle_Signature": "00" * 32}])
def test_zettle_s_test_message_is_answered_before_its_key_is_known(
    tmp_path: Path, secrets: tuple[str, ...], headers: dict[str, Any]
) -> None:
    """Zettle gives the signing key once the address has answered its test, so nobody can check that one."""
    with Ingest(tmp_path, settings("zettle", *secrets), adapter=VENDORS["zettle"].adapter) as ingest:
        reply = ingest.send(TEST_MESSAGE, X_Api_Key="", **headers)
        assert (reply.status, reply.body["accepted"]) == (200, 0)
        assert ingest.journal.documents.newest(9) == [], "nothing of it is taken"
        problem(ingest.send(push(PURCHASE), X_Api_Key="", **headers), 401, "unauthorized")


@pytest.mark.parametrize(
    "body",
    [
        b'{"eventName": "TestMessages"}',
        b'{"eventName": ["TestMessage"]}',
        b'["TestMessage"]',
        b'{"eventName": "TestMessage"',
        b"[" * 100_000,
        b'{"eventName": "TestMessage", "payload": "' + b"x" * LONGEST_MESSAGE + b'"}',
    ],
)
def test_nothing_else_is_answered_without_a_signature(tmp_path: Path, body: bytes) -> None:
    with Ingest(tmp_path, settings("zettle")) as ingest:
        problem(ingest.send(body, X_Api_Key=""), 401, "unauthorized")


def test_without_zettle_its_test_message_is_refused(tmp_path: Path) -> None:
    with Ingest(tmp_path, settings("shopify", SECRET)) as ingest:
        problem(ingest.send(TEST_MESSAGE, X_Api_Key=""), 401, "unauthorized")


TRIALS = {
    "shopify": json.dumps(ORDER | {"test": True}).encode(),
    "square": b'{"merchant_id": "M", "type": "webhooks.test_notification", "event_id": "e",'
    b' "created_at": "2026-03-14T16:05:09Z", "data": {"type": "webhooks", "id": "d"}}',
    "zettle": push({"data": "payload"}, "TestMessage"),
}


def test_a_signed_trial_of_the_vendor_is_answered_and_leaves_nothing_for_a_person(
    ingest: Ingest, vendor: Vendor
) -> None:
    reply = send(ingest, vendor, TRIALS[vendor.setting])
    assert (reply.status, reply.body["accepted"], reply.body["held"]) == (200, 0, 0)
    assert ingest.journal.documents.open() == []


def test_standard_webhooks_and_vendors_stand_side_by_side(tmp_path: Path) -> None:
    raw = b"the secret of the webshop"
    secret = f"whsec_{base64.b64encode(raw).decode()}"
    signature = hmac.new(raw, b"msg_1.1780000000." + ONE, hashlib.sha256).digest()
    standard: dict[str, Any] = {
        "webhook_id": "msg_1",
        "webhook_timestamp": "1780000000",
        "webhook_signature": f"v1,{base64.b64encode(signature).decode()}",
        "X_Api_Key": "",
    }
    both = f'secrets = {{ webshop = ["{secret}"] }}, {settings("shopify", SECRET)}, zettle = {{ shop = [] }}'
    with Ingest(tmp_path, both) as ingest:
        assert ingest.send(ONE, **standard).status == 202
        assert send(ingest, VENDORS["shopify"], TWO).status == 200
        problem(ingest.send(TWO, **standard), 401, "unauthorized")
        assert len(ingest.ids()) == 2


def test_one_that_waits_for_a_slow_commit_keeps_nobody_else_waiting(ingest: Ingest, vendor: Vendor) -> None:
    release = threading.Event()
    first = threading.Event()

    def slow_once(document: Document) -> Mapping[str, int]:
        if not first.is_set():
            first.set()
            assert release.wait(60)
        return ingest.served(document)

    ingest.accept = slow_once
    with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as stack:
        stack.callback(release.set)
        waiting = pool.submit(send, ingest, vendor, vendor.sales[0])
        assert first.wait(60)
        assert send(ingest, vendor, vendor.sales[1]).status == 200
        release.set()
        assert waiting.result(60).status == 200
