"""The outbox: receipts are made ready and settled in groups, and sent one by one; being ready costs no attempt."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from queue import Empty
from threading import Event, Thread
from typing import Any

import pytest

from tests.support.engine import store_of
from tests.support.lines import make_line
from tests.support.receipts import DOCUMENT, found
from tillpost.errors import JournalFull
from tillpost.flow.delivery.outbox import Outbox
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.leases import ProcessClaims
from tillpost.flow.limits import RetryPolicy
from tillpost.flow.line import Line
from tillpost.flow.rate_limit.pace import Pace
from tillpost.journal import Accepted, Entry, Journal, State
from tillpost.model import Contact, Delivered, History, Identified, Misconfigured, NotSent, Outcome, Payload, ReceiptRef

COUNT = 12


class FakeDestination:
    """Gives the answers it is set to, and records its calls."""

    def __init__(self) -> None:
        self.answer: Callable[[str], Outcome] = lambda receipt_id: Delivered(status=202)
        self.given: Counter[str] = Counter()
        self.probed: Outcome = Delivered()
        self.asked = 0
        self.resolved: Counter[str] = Counter()

    def deliver(self, payload: Payload) -> Outcome:
        self.given[payload.receipt_id] += 1
        return self.answer(payload.receipt_id)

    def resolve_contact(self, contact: Contact) -> Identified:
        self.resolved[contact.key] += 1
        return Identified(contact_id="guid", holds=dict(contact.attributes))

    def confirm_receipts(self, contact: Contact, receipts: Sequence[ReceiptRef]) -> History:
        self.asked += 1
        return History(shown=frozenset(receipt.id for receipt in receipts) & self.given.keys())


@pytest.fixture
def destination() -> FakeDestination:
    return FakeDestination()


@pytest.fixture
def line(tmp_path: Path, destination: FakeDestination) -> Iterator[Line]:
    """A line with receipts of one contact, which was not looked up yet."""
    journal = Journal(tmp_path)
    journal.receipts.accept([found(number=str(n)) for n in range(COUNT)], DOCUMENT, None, time.time(), Accepted())
    retry = RetryPolicy(confirm_after=timedelta(milliseconds=1))

    def one(call: Any) -> list[tuple[str, Any]]:
        return [("fake", lambda **given: call(**given))]

    hooks = HookCalls(
        callers={
            "resolve_contact": one(destination.resolve_contact),
            "map_receipt": one(lambda receipt, match: Payload(receipt_id=receipt.id, match=match, fields={})),
            "deliver": one(destination.deliver),
            "confirm_receipts": one(destination.confirm_receipts),
            "probe": one(lambda: destination.probed),
        },
    )
    yield make_line(journal, hooks, retry=retry, workers=4)
    journal.close()


@pytest.fixture
def outbox(line: Line) -> Outbox:
    """An outbox that has looked the contact up, delivered one receipt, and made others ready."""
    made = Outbox(line, Event())
    made.run_round()
    assert performed(made) == 1, "the others wait for the answer about their contact"
    made.run_round()
    assert performed(made, 1) == 1
    made.run_round()
    return made


def performed(outbox: Outbox, most: int = 1000) -> int:
    """Perform the jobs that are ready, as a sender does; how many there were."""
    done = 0
    with suppress(Empty):
        while done < most:
            job = outbox._jobs.get_nowait()
            assert job is not None
            outbox.perform(job)
            done += 1
    return done


def rows(line: Line) -> list[Entry]:
    return line.journal.receipts.find({})


def events_of(line: Line, entry: Entry) -> list[str]:
    return [event["what"] for event in line.journal.events.of_receipt(entry.seq) if event["step"] == "deliver"]


def finish(outbox: Outbox) -> None:
    while True:
        outbox.run_round()
        if not performed(outbox) and outbox.is_empty():
            return


def test_without_valid_claims_nothing_is_sent_and_what_was_ready_is_given_back(
    outbox: Outbox, line: Line, destination: FakeDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = destination.given.copy()
    monkeypatch.setattr(ProcessClaims, "are_valid", lambda self: False)
    assert performed(outbox, 1) == 1
    outbox.run_round()
    assert outbox.is_empty()
    assert len(line.claims) == 0
    assert destination.given == given
    assert not [entry for entry in rows(line) if entry.sending is not None]
    monkeypatch.undo()
    finish(outbox)
    assert set(destination.given.values()) == {1}, "no intent was left behind"
    assert destination.asked == 0


def test_a_contact_is_asked_about_once_however_many_receipts_wait(
    outbox: Outbox, line: Line, destination: FakeDestination
) -> None:
    finish(outbox)
    assert set(destination.resolved.values()) == {1}
    assert set(destination.given.values()) == {1}
    assert line.journal.receipts.counts()[State.DELIVERED] == COUNT
    assert len(line.claims) == 0


def test_the_intents_of_a_group_are_in_the_journal_before_any_of_it_is_sent(
    outbox: Outbox, line: Line, destination: FakeDestination
) -> None:
    ready = [entry for entry in rows(line) if entry.sending is not None]
    assert len(ready) > 1
    assert not any(destination.given[entry.id] for entry in ready)


def test_when_requests_stop_what_was_not_sent_keeps_its_place_and_attempts_and_is_sent_next(
    outbox: Outbox, line: Line, destination: FakeDestination
) -> None:
    """They are not looked up, because they were not sent."""
    ready = [entry for entry in rows(line) if entry.sending is not None]
    assert len(ready) > 2
    destination.answer = lambda receipt_id: Misconfigured(reason="answered 401", status=401)
    destination.probed = Misconfigured(reason="answered 401", status=401)
    assert performed(outbox, 1) == 1
    assert not line.breaker.allows_requests()
    performed(outbox, 1)
    outbox.run_round()
    assert sum(destination.given.values()) == 2, "one delivered, one refused, and nothing since"
    for entry in rows(line):
        assert entry.sending is None
        assert entry.attempts == (entry.state is State.DELIVERED)
    assert len(line.claims) == 0
    withdrawn = ready[1:]
    assert all(events_of(line, entry) == ["sending", "not sent"] for entry in withdrawn)
    assert [entry.due for entry in rows(line)] == sorted(entry.due for entry in rows(line))

    destination.answer = lambda receipt_id: Delivered(status=202)
    line.breaker.record(Delivered())
    finish(outbox)
    assert line.journal.receipts.counts()[State.DELIVERED] == COUNT
    assert destination.asked == 0
    assert max(destination.given.values()) == 2, "only the one that was refused went twice"


def test_an_outcome_that_cannot_be_recorded_is_looked_up_and_not_repeated(
    outbox: Outbox, line: Line, destination: FakeDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = performed(outbox)
    assert sent > 1
    with monkeypatch.context() as patch:

        def full(_: Any) -> Any:
            raise JournalFull("no room")

        patch.setattr(store_of(line.journal), "write", full)
        with pytest.raises(JournalFull):
            outbox.run_round()
    assert len(line.claims) == 0
    assert sum(entry.sending is not None for entry in rows(line)) == sent
    outbox.run_round()
    uncertain = [entry for entry in rows(line) if entry.state is State.UNCERTAIN]
    assert len(uncertain) == sent
    while line.journal.receipts.counts()[State.DELIVERED] < COUNT:
        finish(outbox)
    assert destination.asked == sent
    assert set(destination.given.values()) == {1}


def test_a_receipt_that_cannot_be_mapped_is_held_and_its_neighbours_go(
    outbox: Outbox, line: Line, destination: FakeDestination
) -> None:
    store = store_of(line.journal)
    bad = next(entry for entry in rows(line) if entry.state is State.ACCEPTED and entry.sending is None)
    store.write(
        lambda connection: connection.execute("UPDATE bodies SET body = x'00' WHERE seq = ?", (bad.seq,)) and None
    )
    finish(outbox)
    counts = line.journal.receipts.counts()
    assert (counts[State.HELD], counts[State.DELIVERED]) == (1, COUNT - 1)


def test_one_that_failed_waits_and_the_group_goes_on(outbox: Outbox, line: Line, destination: FakeDestination) -> None:
    first = next(entry for entry in rows(line) if entry.sending is not None)
    destination.answer = lambda receipt_id: NotSent(reason="503") if receipt_id == first.id else Delivered(status=202)
    finish(outbox)
    counts = line.journal.receipts.counts()
    assert (counts[State.WAITING], counts[State.DELIVERED]) == (1, COUNT - 1)


class _Narrow:
    """A budget that lets nobody pass until it is opened."""

    def __init__(self) -> None:
        self.open = Event()

    @contextmanager
    def request(self) -> Iterator[None]:
        self.open.wait(30)
        yield

    def slow(self, seconds: float) -> None:
        """Do nothing."""


def test_a_pace_counts_who_waits_for_the_budget_and_sizes_by_its_rate() -> None:
    narrow = _Narrow()
    pace = Pace(lambda key, rate: narrow)
    assert pace.default_workers() == 4
    budget = pace.budget(None, 50)  # type: ignore[arg-type]
    assert pace.default_workers() == 50
    pace.budget(None, 500)  # type: ignore[arg-type]
    assert pace.default_workers() == 64

    def send() -> None:
        with budget.request():
            pass

    threads = [Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 20
    while pace.waiting < 3 and time.monotonic() < end:
        time.sleep(0.01)
    assert pace.waiting == 3
    narrow.open.set()
    for thread in threads:
        thread.join()
    assert pace.waiting == 0
