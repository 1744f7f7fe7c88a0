"""Signatures in the form of Standard Webhooks, made here by a signer of the tests' own."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ingest import KEY, NOW, ONE, TWO, Ingest, Reply, problem
from tillpost_ingest.signature import given, secret_bytes, signed

OLD = "whsec_" + base64.b64encode(b"the old secret of the shop").decode()
NEW = "whsec_" + base64.b64encode(b"the new secret of the shop").decode()
SETTINGS = f'keys = {{ store12 = "{KEY}" }}, secrets = {{ webshop = ["{OLD}", "{NEW}"] }}'


def sign(body: bytes, secret: str = NEW, identity: str = "msg_1", at: float = NOW) -> dict[str, Any]:
    """As the specification has it: base64 of HMAC-SHA256 over `id.timestamp.body`, by the decoded secret."""
    key = base64.b64decode(secret.split("_", 1)[1])
    content = b".".join((identity.encode(), str(int(at)).encode(), body))
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {"webhook_id": identity, "webhook_timestamp": str(int(at)), "webhook_signature": f"v1,{signature}"}


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    with Ingest(tmp_path, SETTINGS) as opened:
        yield opened


def send(ingest: Ingest, body: bytes, headers: dict[str, Any]) -> Reply:
    return ingest.send(body, **{"X_Api_Key": "", **headers})


def test_the_published_example_is_verified() -> None:
    """The vector of the specification's reference libraries (their tests of `sign`)."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    signature = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body, secret_bytes(secret))
    assert base64.b64encode(signature).decode() == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_a_body_signed_by_either_secret_is_accepted_under_the_sender_s_name(ingest: Ingest, secret: str) -> None:
    assert send(ingest, ONE, sign(ONE, secret)).status == 202
    assert ingest.ids() == ["1"]
    assert ingest.journal.idempotency_keys.recall("webshop:msg_1") is not None


def test_the_id_of_the_webhook_is_its_key(ingest: Ingest) -> None:
    first = send(ingest, ONE, sign(ONE))
    assert send(ingest, ONE, sign(ONE, at=NOW + 60)).body == first.body
    problem(send(ingest, TWO, sign(TWO)), 422, "key-taken")
    assert send(ingest, ONE, sign(ONE, identity="msg_2")).body["duplicates"] == 1


def test_one_of_several_signatures_is_enough(ingest: Ingest) -> None:
    headers = sign(ONE)
    headers["webhook_signature"] = f"v1a,abc v1,bm8= v1,!! {headers['webhook_signature']}"
    assert send(ingest, ONE, headers).status == 202


@pytest.mark.parametrize(
    "headers",
    [
        sign(TWO),
        sign(ONE, "whsec_" + base64.b64encode(b"somebody else's secret here").decode()),
        sign(ONE, at=NOW - 301),
        sign(ONE, at=NOW + 301),
        sign(ONE) | {"webhook_timestamp": "now"},
        sign(ONE) | {"webhook_timestamp": ""},
        sign(ONE) | {"webhook_id": ""},
        sign(ONE) | {"webhook_id": "msg_2"},
        sign(ONE) | {"webhook_signature": "v1,"},
        sign(ONE) | {"webhook_signature": "nonsense"},
        {"webhook_id": "msg_1"},
    ],
)
def test_what_is_not_signed_by_the_sender_now_is_refused(ingest: Ingest, headers: dict[str, Any]) -> None:
    problem(send(ingest, ONE, headers), 401, "unauthorized")
    assert ingest.ids() == []


@pytest.mark.parametrize("apart", [-300, 300])
def test_a_clock_may_be_five_minutes_off(ingest: Ingest, apart: int) -> None:
    assert send(ingest, ONE, sign(ONE, at=NOW + apart)).status == 202


def test_a_wrong_key_is_not_made_good_by_a_signature(ingest: Ingest) -> None:
    problem(ingest.send(ONE, **(sign(ONE) | {"X_Api_Key": "a-key-nobody-has-here"})), 401, "unauthorized")


def test_only_a_few_signatures_are_looked_at() -> None:
    assert len(given(" ".join(["v1,bm8="] * 100))) == 16
