"""A line with the real Engage plugins against our sandbox or the oracle, on a clock that is set ahead."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Protocol

import attrs

from tests.support.oracle import API_KEY, EVERYTHING, Oracle, running_oracle
from tests.support.receipts import document
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.compose.line import line_of
from tillpost.compose.pipeline import compose
from tillpost.flow.breaker import Breaker
from tillpost.flow.delivery.deliver import claim, deliver
from tillpost.flow.delivery.verify import verify
from tillpost.flow.intake.accept import accept
from tillpost.flow.line import Line
from tillpost.flow.rate_limit.budget import Budgets
from tillpost.journal import Journal
from tillpost.model import Document, Receipt
from tillpost_sandbox import Sandbox

CONFIG = """
[tillpost]
state = "state"

[pipelines.shop]
{own}
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["externalId", "email"] }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{url}", api_key = "{key}", rate = {rate}, timeout = "5s" }}
"""
AFTER, WITHIN = 1200.0 + 1, 24 * 3600.0 + 1
"""Past the defaults of `confirm_after` and `confirm_within`."""


class Ahead(SystemClock):
    """The machine's clock, some seconds ahead."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Tenant(Protocol):
    """What tests do to an Engage, whichever it is."""

    key: str

    @property
    def url(self) -> str: ...

    def merge(self, gone: str, into: str) -> None: ...
    def erase(self, contact_id: str) -> None: ...
    def register(self, **attributes: str) -> str: ...
    def ignore(self, *receipt_ids: str) -> None: ...
    def know_stores(self, *stores: str) -> None: ...
    def show_histories(self, shows: bool) -> None: ...
    def do_import(self) -> None: ...
    def shown(self) -> dict[str, str]:
        """Receipts it shows, each with the id of its contact."""

    def requests(self) -> int: ...


@attrs.define
class OracleTenant:
    oracle: Oracle
    key: str = API_KEY

    @property
    def url(self) -> str:
        return self.oracle.url

    def merge(self, gone: str, into: str) -> None:
        self.oracle.merge(gone, into)

    def erase(self, contact_id: str) -> None:
        self.oracle.erase(contact_id)

    def register(self, **attributes: str) -> str:
        return self.oracle.register(**attributes)

    def ignore(self, *receipt_ids: str) -> None:
        self.oracle.mode(ignore=list(receipt_ids))

    def know_stores(self, *stores: str) -> None:
        self.oracle.mode(stores=list(stores))

    def show_histories(self, shows: bool) -> None:
        self.oracle.mode(**EVERYTHING if shows else dict.fromkeys(EVERYTHING, False))

    def do_import(self) -> None:
        self.oracle.mode(import_delay=0)
        self.oracle.state()
        self.oracle.mode(import_delay=1e6)

    def shown(self) -> dict[str, str]:
        owner: dict[str, str] = self.oracle.state()["owner"]
        return owner

    def requests(self) -> int:
        return int(self.oracle.state()["hits"])


@attrs.define
class RemoteSandbox:
    """A sandbox wherever it runs."""

    url: str
    control_url: str
    key: str = "proving"

    def control(self, method: str, name: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url, headers = f"{self.control_url}/_sandbox/{name}", {"Content-Type": "application/json"}
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def merge(self, gone: str, into: str) -> None:
        self.control("POST", "merge", {"contactId": gone, "into": into})

    def erase(self, contact_id: str) -> None:
        self.control("POST", "erase", {"contactId": contact_id})

    def register(self, **attributes: str) -> str:
        request = urllib.request.Request(
            f"{self.url}/api/v3/contacts",
            json.dumps(attributes).encode(),
            {"Content-Type": "application/json", "apikey": self.key},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.load(answer)["id"])

    def ignore(self, *receipt_ids: str) -> None:
        self.control("POST", "settings", {"ignore": list(receipt_ids)})

    def know_stores(self, *stores: str) -> None:
        self.control("POST", "settings", {"stores": list(stores)})

    def show_histories(self, shows: bool) -> None:
        self.control("POST", "settings", {"undocumented": "ok" if shows else "404"})

    def do_import(self) -> None:
        self.control("POST", "import", {})

    def shown(self) -> dict[str, str]:
        rows = self.control("GET", "receipts")
        return {row["uniqueReceiptId"]: row["contactId"] for row in rows if row["status"] == "imported"}

    def requests(self) -> int:
        counts = self.control("GET", "stats")["requests"]
        return sum(sum(statuses.values()) for statuses in counts.values())


@contextmanager
def tenant(kind: str, folder: Path) -> Iterator[Tenant]:
    """`oracle` or `sandbox`, which import only when they are told to."""
    if kind == "oracle":
        with running_oracle(**EVERYTHING, import_delay=1e6) as oracle:
            yield OracleTenant(oracle)
    else:
        with Sandbox(
            dir=folder / "sandbox", api_key="proving", import_every=1e6, import_files_every=1e6, rate_limit=9999
        ) as sandbox:
            yield RemoteSandbox(sandbox.url, sandbox.control_url)


@attrs.define
class Proving:
    """The line of a shop, its steps taken by hand."""

    line: Line
    tenant: Tenant
    clock: Ahead

    def sell(self, *receipts: Receipt) -> None:
        """Accepted and delivered."""
        accept(self.line, Document.from_bytes(f"{receipts[0].id}.jsonl", document(list(receipts))))
        self.deliver()

    def deliver(self) -> None:
        """Everything that is due."""
        while entries := claim(self.line, 50):
            for entry in entries:
                deliver(self.line, entry)
            self.line.claims.release(entry.seq for entry in entries)

    def later(self, seconds: float) -> None:
        self.clock.ahead += seconds

    def verify(self) -> None:
        """Rounds until no history is due."""
        for _ in range(1000):
            verify(self.line)
            if not self.line.journal.verification.due(self.clock.time(), 1):
                return
        raise AssertionError("histories are due again and again")

    def verify_once(self) -> None:
        """One round."""
        verify(self.line)

    def states(self) -> dict[str, str]:
        """Receipt → its state, or `verified`."""
        return {
            row.id: "verified" if row.verified_at is not None else str(row.state)
            for row in self.line.journal.receipts.find({})
        }

    def contact_id(self) -> str:
        """Of the only contact."""
        (row,) = self.line.journal.contacts.all()
        return str(row["contact_id"])


@contextmanager
def proving(folder: Path, to: Tenant, own: str = "", rate: int = 1000) -> Iterator[Proving]:
    """A line on a journal in the folder; a second one goes on where the first stopped."""
    config = folder / "tillpost.toml"
    config.write_text(CONFIG.format(url=to.url, key=to.key, own=own, rate=rate))
    loaded = load(config)
    clock, chance, budgets = Ahead(), Random(5), Budgets(None)
    composed = compose(loaded, loaded.pipelines[0], clock=clock, random=chance, budget=budgets)
    with closing(budgets), closing(Journal(loaded.pipelines[0].state)) as journal:
        line = line_of(composed, journal)
        breaker = Breaker(journal, line.retry, clock, chance)
        yield Proving(attrs.evolve(line, clock=clock, random=chance, breaker=breaker), to, clock)
