"""The real plugin, built as the core builds it, against the sandbox or a raw socket."""

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import urllib3

from tillpost import Context, Secret, Use
from tillpost.clock import SystemClock
from tillpost.model import Line, LineKind, RawRef, Receipt, Tender
from tillpost_engage import plugin
from tillpost_engage.contacts import Contacts
from tillpost_engage.payload import Mapping
from tillpost_engage.settings import MapSettings, ResolveSettings, TransportSettings
from tillpost_engage.transport import Transport
from tillpost_sandbox import Sandbox

KEY = "test-key"
HOUR = 3600.0


@attrs.define
class CountingBudget:
    """Lets every request pass and counts; `slowed` is what the client asked for."""

    taken: int = 0
    slowed: list[float] = attrs.field(factory=list)
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def request(self) -> AbstractContextManager[None]:
        with self.lock:
            self.taken += 1
        return nullcontext()

    def slow(self, seconds: float) -> None:
        self.slowed.append(seconds)


@attrs.frozen
class Engage:
    """One pipeline's objects of the plugin."""

    contacts: Contacts
    mapping: Mapping
    transport: Transport
    budget: CountingBudget


def context(tmp_path: Path, budget: CountingBudget) -> Context:
    return Context(
        pipeline="p",
        folder=tmp_path,
        state=tmp_path,
        clock=SystemClock(),
        random=random.Random(1),
        budget=lambda _key, _rate: budget,
    )


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[..., Engage]]:
    built: list[Engage] = []

    def make(url: str, *, timeout: float = 5.0, key: str = KEY, basis: Any = "line", **resolve: Any) -> Engage:
        budget = CountingBudget()
        seconds = timedelta(seconds=timeout)
        uses = [
            Use("resolve", ResolveSettings(**resolve)),
            Use("map", MapSettings(price_basis=basis)),
            Use("transport", TransportSettings(url=url, api_key=Secret(key), timeout=seconds)),
        ]
        contacts, mapping, transport = plugin.build(uses, context(tmp_path, budget))
        assert isinstance(contacts, Contacts)
        assert isinstance(mapping, Mapping)
        assert isinstance(transport, Transport)
        engage = Engage(contacts, mapping, transport, budget)
        built.append(engage)
        return engage

    yield make
    for engage in built:
        engage.transport.client.close()


@attrs.frozen
class Tenant:
    """A running sandbox, its controls, and Tillpost's own objects pointed at it."""

    sandbox: Sandbox
    engage: Engage
    pool: urllib3.PoolManager

    def control(self, method: str, name: str, body: Any = None) -> Any:
        raw = None if body is None else json.dumps(body).encode()
        url, headers = f"{self.sandbox.control_url}/_sandbox/{name}", {"Content-Type": "application/json"}
        answer = self.pool.request(method, url, body=raw, headers=headers, retries=False)
        assert answer.status == 200, answer.data
        return json.loads(answer.data, parse_float=Decimal)

    def contacts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "contacts")
        return found

    def faults(self, **wanted: Any) -> None:
        self.control("POST", "faults", wanted)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(
        dir=tmp_path / "sandbox", api_key=KEY, import_every=HOUR, import_files_every=HOUR, rate_limit=9999
    ) as sandbox:
        yield sandbox


@pytest.fixture
def tenant(sandbox: Sandbox, build: Callable[..., Engage]) -> Iterator[Tenant]:
    with urllib3.PoolManager() as pool:
        yield Tenant(sandbox, build(sandbox.url), pool)


def receipt_of(*lines: Line, id: str = "r-1", currency: str = "SEK", **changes: Any) -> Receipt:
    total = sum((line.paid for line in lines), Decimal(0))
    given = {
        "number": "1001",
        "created": datetime.fromisoformat("2026-03-01T12:30:00+01:00"),
        "business_date": date(2026, 3, 1),
        "store": "600",
        "till": "1",
        "total": total,
        "tenders": (Tender(type="card", amount=total),),
        "raw": RawRef(sha256="0" * 64, document="test"),
    }
    return Receipt(id=id, currency=currency, lines=lines, **(given | changes))  # type: ignore[arg-type]


def line_of(paid: str = "175.50", quantity: str = "1", kind: LineKind = LineKind.PURCHASE, **changes: Any) -> Line:
    return Line(kind=kind, sku="sku-1", quantity=Decimal(quantity), paid=Decimal(paid), **changes)


@pytest.fixture(name="receipt_of")
def _receipt_of() -> Callable[..., Receipt]:
    return receipt_of


@pytest.fixture(name="line_of")
def _line_of() -> Callable[..., Line]:
    return line_of
