"""Whatever is sent, nothing is answered by 500, and the next sender is served."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.ingest import KEY, ONE, Ingest, wire
from tillpost.clock import SystemClock
from tillpost_ingest.receive import Endpoint, Request, answer
from tillpost_ingest.senders import Senders
from tillpost_ingest.settings import Settings
from tillpost_ingest.webhooks import VENDORS


@pytest.fixture(scope="module")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    with Ingest(tmp_path_factory.mktemp("ingest")) as opened:
        yield opened


def large() -> AbstractContextManager[None]:
    return nullcontext()


NAMES = st.sampled_from(
    ["content-type", "content-encoding", "content-length", "transfer-encoding", "idempotency-key", "webhook-id",
     "webhook-timestamp", "webhook-signature", "authorization", "x-api-key", "origin", "host",
     *(name for vendor in VENDORS for name in vendor.headers)]
)  # fmt: skip
VALUES = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=40),
    st.sampled_from(["gzip", "application/json", f"Bearer {KEY}", KEY, "v1,bm8=", "0", "5", "1780000000"]),
)
BODIES = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([b'{"eventName": "TestMessage"}', b'{"eventName": "A", "timestamp": 1, "payload": "\\ud800"}']),
    st.just(b"[" * 4000),
    st.binary(max_size=100).map(gzip.compress),
    st.builds(lambda at, put: ONE[:at] + put + ONE[at:], st.integers(0, len(ONE)), st.binary(max_size=8)),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(headers=st.dictionaries(NAMES, VALUES), body=BODIES, known=st.booleans())
def test_no_header_and_no_body_gives_a_500(ingest: Ingest, headers: dict[str, str], body: bytes, known: bool) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    endpoint = Endpoint(
        ingest.served,
        Senders.of(_settings(secret)),
        SystemClock(),
        4096,
        "shop",
    )
    given = ({"x-api-key": KEY} if known else {}) | {"content-length": str(len(body))} | headers
    reply = answer(Request("POST", "/v1/shop/receipts", given, lambda size: body[:size], large), {"shop": endpoint})
    assert reply.status in (200, 202, 400, 401, 403, 411, 413, 415, 422)


def _settings(secret: str) -> Settings:
    from tillpost import Secret

    signers: dict[str, tuple[Secret, ...]] = {"shop": (Secret(secret),)}
    url = "https://pos.example.com/"
    return Settings(
        listen="127.0.0.1:1",
        keys={"store12": Secret(KEY)},
        secrets=signers,
        shopify=signers,
        square=signers,
        zettle=signers,
        url=url,
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.one_of(
        st.binary(min_size=1, max_size=200), st.text(max_size=60).map(lambda text: f"POST {text} HTTP/1.1\r\n".encode())
    )
)
def test_no_bytes_on_the_wire_give_a_500(ingest: Ingest, sent: bytes) -> None:
    with wire(ingest) as raw:
        raw.sendall(sent + b"\r\n\r\n")
        raw.settimeout(0.2)
        try:
            received = raw.recv(65536)
        except (TimeoutError, ConnectionResetError):
            received = b""
    assert not received.startswith(b"HTTP/1.1 5") or received.startswith((b"HTTP/1.1 501", b"HTTP/1.1 505")), received


def test_and_the_next_is_served(ingest: Ingest, tmp_path: Path) -> None:
    assert ingest.send(ONE).status == 202
