"""A running sandbox, and a client that knows nothing but HTTP."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import urllib3

from tillpost_sandbox import Sandbox

KEY = "test-key"
HOUR = 3600.0  # no timer fires during a test unless the test asks for it


@attrs.frozen
class Reply:
    status: int
    body: Any
    headers: dict[str, str]


@attrs.define
class Client:
    """Plain HTTP against a sandbox; `control` goes to the port that is always open."""

    sandbox: Sandbox
    pool: urllib3.PoolManager

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        sent = {"apikey": KEY, "Content-Type": "application/json"} | headers
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        return self._send(self.sandbox.url + path, method, raw, sent)

    def control(self, method: str, name: str, body: Any = None) -> Any:
        raw = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        reply = self._send(f"{self.sandbox.control_url}/_sandbox/{name}", method, raw, headers)
        assert reply.status == 200, reply
        return reply.body

    def _send(self, url: str, method: str, raw: bytes | None, headers: dict[str, str]) -> Reply:
        answer = self.pool.request(method, url, body=raw, headers=headers, retries=False, redirect=False, timeout=10.0)
        body = json.loads(answer.data, parse_float=Decimal) if answer.data else None
        return Reply(answer.status, body, {name.lower(): value for name, value in answer.headers.items()})

    def contact(self, **fields: Any) -> str:
        reply = self.send("POST", "/api/v3/contacts?source=POS&storeExternalId=600", fields)
        assert reply.status == 201, reply
        return str(reply.body["id"])

    def faults(self, **wanted: Any) -> None:
        self.control("POST", "faults", wanted)

    def kinds(self) -> list[str]:
        return [entry["kind"] for entry in self.control("GET", "log")]


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(maxsize=4) as pool:
        yield pool


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(dir=tmp_path / "sandbox", api_key=KEY, import_every=HOUR, import_files_every=HOUR) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox, pool: urllib3.PoolManager) -> Client:
    return Client(sandbox, pool)


def receipt(unique_id: str = "r-1", key: str = "a@b.se", kind: str = "email", **changes: Any) -> dict[str, Any]:
    """A receipt of one line that is good by every rule of the contract."""
    return {
        "contact": {"matchKey": key, "matchKeyType": kind},
        "uniqueReceiptId": unique_id,
        "receiptNumber": "1001",
        "createdDate": "2026-03-01T12:30:00+01:00",
        "storeExternalId": "600",
        "currency": "SEK",
        "totalGrossPrice": 175.5,
        "paymentMethods": [{"type": "card", "value": 175.5}],
        "items": [line()],
    } | changes


def line(**changes: Any) -> dict[str, Any]:
    """One line of a receipt."""
    return {
        "type": "PURCHASE",
        "sku": "sku-1",
        "quantity": 1,
        "grossPaidPrice": 175.5,
        "taxAmount": 35.1,
        "taxPercent": 25,
        "articleNumber": "a-1",
        "articleName": "Scarf",
    } | changes


@pytest.fixture(name="receipt")
def receipt_of() -> Any:
    return receipt


@pytest.fixture(name="line")
def line_of() -> Any:
    return line
