"""72 hours without Engage, in simulated time: receipts and new contacts by file, all of them proved."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

from tests.scenarios.simulator.api import SimulatedClient
from tests.scenarios.simulator.destination_on_disk import Ledger, LongEngage, LongImport
from tests.scenarios.simulator.determinism import seeded
from tests.scenarios.simulator.machine import Machine
from tests.support.memory import memory_folder
from tillpost.flow.delivery.deliver import claim, deliver
from tillpost.flow.intake.accept import accept
from tillpost.flow.rate_limit.budget import SlidingBudget
from tillpost.flow.worker import maintain
from tillpost.model import Document, Line, LineKind, RawRef, Receipt, Tender
from tillpost.model.receipt_json import to_json
from tillpost_demo.basket import make_basket

RECEIPTS = int(os.environ.get("TILLPOST_OUTAGE", 50_000))
"""Receipts of the long outage in a whole run. Before a release: `TILLPOST_OUTAGE=200000` (10 minutes)."""
BEFORE, AFTER = 2_000, 1_000
"""Receipts that are accepted before the outage, and after it."""
BULK, BULK_LINES = 1_600, 15
"""Amid the outage a wholesaler's receipts come all at once, more lines than one file may have."""
TICK = 300.0
ROUND = 0.2
"""Seconds between two rounds of the worker."""
RATE = 50.0
FLAT = 48 << 20
"""Bytes the process may grow by from the first quarter to the last; what goes through it is some 500 MB."""
_MIDNIGHT = datetime.fromisoformat("2026-11-24T00:00:00+01:00")
_HOURS = (0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 5, 7, 9, 8, 7, 7, 9, 10, 8, 4, 2, 1, 0, 0)
"""How busy the shops are, by the hour of the day."""


class RatedClient(SimulatedClient):
    """Goes through the real rate budget, in simulated time, and counts what arrives in any second."""

    budget: SlidingBudget
    machine: Machine
    requests = 0
    most_a_second = 0

    def send(self, *given: Any, **named: Any) -> Any:
        with self.budget.request():  # answered at once, as simulated time goes
            self.requests += 1
        now = self.machine.clock.monotonic()
        self._arrived.append(now)
        while self._arrived[0] <= now - 1.0:
            self._arrived.popleft()
        self.most_a_second = max(self.most_a_second, len(self._arrived))
        return super().send(*given, **named)

    def rate(self, machine: Machine) -> None:
        """Begin to count."""
        self.machine = machine
        self._arrived: deque[float] = deque()
        self.budget = SlidingBudget(RATE, machine.clock.monotonic, machine.clock.advance)


@attrs.define
class Tills:
    """What the tills hand over: JSON lines, put together from receipts made once.

    during: receipts of the outage. new: customers whom Engage has never seen, first met in it. members: customers
    whom Engage knows and we do not, first met in it.
    """

    random: Random
    during: int
    new: int
    members: int
    number: int = 0
    met: int = 0
    bodies: list[str] = attrs.field(factory=list)
    bulk: str = ""

    def __attrs_post_init__(self) -> None:
        while len(self.bodies) < 300:
            basket = make_basket(self.random, "SEK")
            if len(basket.lines) <= 2:
                self.bodies.append(_body(basket.lines, basket.tenders))
        line = Line(kind=LineKind.PURCHASE, sku="bulk", quantity=Decimal(6), paid=Decimal("120.00"))
        self.bulk = _body((line,) * BULK_LINES, (Tender(type="card", amount=Decimal(120 * BULK_LINES)),))

    def regulars(self, count: int, at: float) -> Document:
        """Each of the customers we know buys once."""
        return self._document([self._line(f"K{n % BEFORE}", self.random.choice(self.bodies), at) for n in range(count)])

    def outage(self, count: int, at: float) -> Document:
        """Every so often somebody new, else somebody who was here before."""
        lines = []
        for _ in range(count):
            if (self.number - BEFORE) % ((self.during - BULK) // self.new) == 0 and self.met < self.new:
                who, self.met = self.met, self.met + 1
                lines.append(self._line(_newcomer(who), self.random.choice(self.bodies), at))
                continue
            share = self.random.random()
            if share < 0.1:
                key = f"member{self.random.randrange(self.members)}@example.se"
            elif share < 0.5:
                key = _newcomer(self.random.randrange(self.met))
            else:
                key = f"K{self.random.randrange(BEFORE)}"
            lines.append(self._line(key, self.random.choice(self.bodies), at))
        return self._document(lines)

    def wholesale(self, count: int, at: float) -> Document:
        """Many lines at once, of customers known by their contactId."""
        return self._document([self._line(f"K{n}", self.bulk, at) for n in range(count)])

    def _line(self, key: str, body: str, at: float) -> str:
        self.number += 1
        kind = "email" if "@" in key else "externalId"
        when = _MIDNIGHT + timedelta(seconds=at)
        return (
            f'{{"number":"{self.number}","created":"{when.isoformat()}","business_date":"{when.date()}","customer":'
            f'{{"identifiers":[{{"kind":"{kind}","value":"{key}"}}],"attributes":{{"firstName":"{key[:2]}"}}}},{body}\n'
        )

    def _document(self, lines: list[str]) -> Document:
        return Document.from_bytes(f"{self.number}.jsonl", "".join(lines).encode())


def _newcomer(number: int) -> str:
    return f"N{number}" if number % 2 else f"new{number}@example.se"


def _body(lines: tuple[Line, ...], tenders: tuple[Tender, ...]) -> str:
    """The part of a receipt's JSON that does not say who bought when."""
    receipt = Receipt(
        id="x", number="x", created=_MIDNIGHT, business_date=date(2026, 11, 24), store="12", till="1", currency="SEK",
        total=sum((line.paid for line in lines), Decimal(0)), lines=lines, tenders=tenders,
        raw=RawRef(sha256="", document=""),
    )  # fmt: skip
    form = to_json(receipt)
    for name in ("id", "number", "created", "business_date", "customer", "raw"):
        del form[name]
    return json.dumps(form)[1:]


class Run:
    """The line, its destinations, and time."""

    def __init__(self, folder: Path, random: Random, members: int) -> None:
        self.ledger = Ledger(folder / "ledger.db")
        self.engage = LongEngage(self.ledger)
        self.machine = Machine(folder / "state", random, self.engage)
        self.client = RatedClient(self.engage, self.machine.faults)
        self.client.rate(self.machine)
        self.imports = LongImport(self.engage, folder / "imports")
        self.machine.client, self.machine.imports = self.client, self.imports
        self.machine.line = attrs.evolve(self.machine.line, hooks=self.machine._hooks(), anonymous=None)
        self.resident: list[int] = []
        for number in range(BEFORE):
            self.engage.make({"externalId": f"K{number}"})
        for number in range(members):
            self.engage.make({"email": f"member{number}@example.se"})

    def tick(self) -> None:
        """Five minutes of everything but the source."""
        machine, line = self.machine, self.machine.line
        while line.breaker.allows_requests() and (entries := claim(line, 50)):
            for entry in entries:
                if line.breaker.allows_requests():
                    deliver(line, entry)
            line.claims.release(entry.seq for entry in entries)
        # The worker's round comes five times a second; here until one has changed nothing: all wait for others.
        end = machine.clock.monotonic() + TICK
        before = -1
        while machine.disk.changes != before and machine.clock.monotonic() < end:
            before = machine.disk.changes
            maintain(line)
            machine.clock.advance(ROUND)
        machine.clock.advance(max(0.0, end - machine.clock.monotonic()))
        now = machine.clock.monotonic()
        self.engage.advance(now)
        self.imports.advance(now)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.resident.append(pages * os.sysconf("SC_PAGE_SIZE"))

    def take(self, document: Document) -> None:
        """The tills hand over a document, if they sold anything: one without a record is refused."""
        if document.content:
            accept(self.machine.line, document)

    def quiet(self) -> bool:
        """Nothing is left to do."""
        line = self.machine.line
        return line.breaker.destination.state == "online" and not (
            line.journal.file_states.open_states() or line.journal.receipts.count_unsettled() or self.engage.queue
        )


@contextmanager
def a_run(members: int) -> Iterator[Run]:
    """It proves nothing of the disk, so it does not wait for one."""
    with memory_folder(2_000) as folder, seeded(1) as random:
        running = Run(folder, random, members)
        try:
            yield running
        finally:
            running.machine.stop()
            running.ledger.close()


def test_an_outage_of_9_hours_with_10_000_receipts_and_400_new_contacts(measured: Callable[[str], None]) -> None:
    """As the long one, in little."""
    go_through(9, 10_000, 400, measured)


class TestLong:
    @pytest.mark.slow
    @pytest.mark.timeout(1800)
    def test_an_outage_of_72_hours_with_5_000_new_contacts(self, measured: Callable[[str], None]) -> None:
        """All delivered, exactly once; files within limits; contacts before receipts; memory flat; the rate kept."""
        go_through(72, RECEIPTS, 5_000, measured)


def go_through(hours: int, during: int, new: int, measured: Callable[[str], None]) -> None:
    """An outage of so many hours, with so many receipts and so many customers whom Engage has never seen."""
    members = during // 200
    with a_run(members) as running:
        clock, journal, tills = (
            running.machine.clock,
            running.machine.line.journal,
            Tills(Random(2), during, new, members),
        )
        clock.advance(9 * 3600.0)
        running.take(tills.regulars(BEFORE, clock.monotonic()))
        while not running.quiet():
            running.tick()
        assert journal.receipts.routes() == {"api": BEFORE, "file": 0}

        running.machine.faults.api = "refused"
        running.resident.clear()
        began, accepted = clock.monotonic(), 0
        busy = [_HOURS[int((began + n * TICK) // 3600) % 24] for n in range(int(hours * 3600 / TICK))]
        for number in range(len(busy)):
            if number == len(busy) // 2:
                running.take(tills.wholesale(BULK, clock.monotonic()))
                accepted += BULK
            last = accepted
            due = round((during - BULK) * sum(busy[: number + 1]) / sum(busy)) + (
                BULK if number >= len(busy) // 2 else 0
            )
            running.take(tills.outage(due - accepted, clock.monotonic()))
            accepted = due
            running.tick()
        assert (accepted, tills.met) == (during, new)
        assert running.machine.line.breaker.destination.state == "fallback"
        assert len(running.ledger) == BEFORE
        states = journal.receipts.counts()
        # What the last five minutes brought waits for the next batch; the first failures wait for theirs.
        assert states["written"] + states["accepted"] + states["waiting"] == during
        assert states["written"] > during - (accepted - last) - 100

        running.machine.faults.api = "ok"
        running.take(tills.regulars(AFTER, clock.monotonic()))
        for _ in range(24 * 12):
            running.tick()
            if running.quiet():
                break
        assert journal.receipts.counts()["delivered"] == BEFORE + during + AFTER
        assert len(running.ledger) == BEFORE + during + AFTER
        assert running.ledger.came() == {1: BEFORE + during + AFTER}
        assert running.engage.violations == []
        assert list(running.engage.doubled()) == []
        assert running.imports.most_lines <= 20_000
        assert running.imports.most_lines > 19_900, "one batch was to fill a file"
        assert running.imports.most_contacts <= 20_000
        assert len(running.engage.people) == BEFORE + members + new
        assert journal.contacts.counts()["known"] == BEFORE + members + new
        assert [path for path in journal.fallback_folder.rglob("*") if path.is_file()] == []
        assert running.client.most_a_second <= RATE
        quarter = len(running.resident) // 4
        grown = max(running.resident[-quarter:]) - max(running.resident[:quarter])
        files = sum(journal.file_states.counts().values())
        measured(
            f"{during} receipts and {new} new contacts in {files} files, all delivered"
            f" {(clock.monotonic() - began) / 3600 - hours:.1f} h after Engage came back; {running.client.requests}"
            f" requests, at most {running.client.most_a_second} in a second; grown by {grown >> 20} MB"
            f" to {max(running.resident) >> 20} MB"
        )
        assert grown <= FLAT
