"""Replay: the plan has each receipt once; steps are small, wait for others, and are exact after any kill."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import apsw
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scenarios.simulator.engage import Engage
from tests.scenarios.simulator.faults import Killed
from tests.scenarios.simulator.machine import FALLBACK, RETRY, Machine
from tests.scenarios.simulator.till import sale
from tests.support.engine import store_of
from tests.support.simulated import deliver_all, take_sales, written
from tillpost.errors import JournalError
from tillpost.flow.delivery.deliver import claim
from tillpost.flow.intake.accept import accept
from tillpost.flow.upkeep import held
from tillpost.flow.upkeep import replay as module
from tillpost.flow.upkeep.replay import replay, seconds_left
from tillpost.flow.upkeep.replay_plan import SELECTED, Fate, fate_of, plan
from tillpost.flow.worker import maintain
from tillpost.journal import FileState, Journal, ReplayCandidate, ReplayCursor, ReplayOrder, State
from tillpost.journal.sqlite.doctor import verify
from tillpost.model import Document
from tillpost.model.receipt_json import dumps

DAY = date(2026, 11, 24)


def order_of(journal: Journal, **asked: object) -> ReplayOrder:
    values = {
        "reason": "store was unknown", "who": "eva", "by": "api", "store": "12", "till": "",
        "first": "2026-11-01", "last": "2026-11-30", "unverified": False, "newest": journal.replay_candidates.newest(),
    }  # fmt: skip
    return ReplayOrder(**values | asked)  # type: ignore[arg-type]


def start(machine: Machine, **asked: object) -> int:
    journal, now = machine.line.journal, machine.clock.time()
    order = order_of(journal, **asked)
    made = plan(journal, order, machine.line.keep, machine.line.anonymous is not None, now)
    return journal.replays.start(order, made.json(), made.chosen, now)


def lose(machine: Machine) -> set[str]:
    """Engage's import has omitted everything it accepted by API, as for an unknown store."""
    lost = machine.engage.ids()
    machine.engage.saved = type(machine.engage.saved)()
    machine.engage.queue.clear()
    return lost


def states(machine: Machine) -> Counter[str]:
    return Counter(str(entry.state) for entry in machine.line.journal.receipts.find({}))


def put(folder: Path, sql: str) -> None:
    raw = apsw.Connection(str(folder / "journal.db"))
    raw.execute(sql)
    raw.close()


# --- the plan --------------------------------------------------------------------------------------------------------


def test_every_receipt_of_the_days_is_in_exactly_one_share_with_its_money(machine: Machine) -> None:
    """One of each kind: what is answered, proved, discarded, without a customer, taken, damaged, old, open."""
    line = attrs.evolve(machine.line, anonymous=None)
    machine.line = line
    take_sales(machine, 1, 2)
    deliver_all(machine)
    take_sales(machine, 3, 4, 5, 6, 7, 8)
    take_sales(machine, 9, keys={})
    accept(line, Document.from_bytes("other", dumps(sale(1, {"externalId": "4711"}, price="9.00")) + b"\n"))
    take_sales(machine, 10, day=DAY + timedelta(days=30))
    journal = line.journal
    put(
        journal.folder,
        "UPDATE receipts SET verified_at = delivered_at WHERE number = '2';"
        "UPDATE receipts SET state = 'skipped', reason = 'discarded: a test' WHERE number = '3';"
        "UPDATE receipts SET state = 'held', reason = 'refused' WHERE number IN ('4', '5', '6');"
        "UPDATE bodies SET body = x'00' WHERE seq IN (SELECT seq FROM receipts WHERE number = '5');"
        "DELETE FROM bodies WHERE seq IN (SELECT seq FROM receipts WHERE number = '6');"
        "UPDATE receipts SET state = 'skipped', reason = 'unknown', changed_at = 1 WHERE number = '7';",
    )
    made = plan(journal, order_of(journal, unverified=True), timedelta(days=90), False, machine.clock.time())
    assert {fate: share.count for fate, share in made.shares.items()} == {
        Fate.SEND: 1, Fate.VERIFY: 1, Fate.CONFIRMED: 1, Fate.IN_PROGRESS: 1, Fate.COLLIDES: 1, Fate.DISCARDED: 1,
        Fate.UNREADABLE: 2, Fate.NO_CUSTOMER: 1, Fate.TOO_OLD: 1, Fate.SUPERSEDED: 0,
    }  # fmt: skip
    assert made.shares[Fate.UNREADABLE].amounts == {"SEK": Decimal("12.00")}
    assert made.shares[Fate.COLLIDES].amounts == {"SEK": Decimal("9.00")}
    assert made.chosen == 2
    plain = plan(journal, order_of(journal), timedelta(days=90), False, machine.clock.time())
    assert (plain.shares[Fate.CONFIRMED].count, plain.shares[Fate.VERIFY].count) == (2, 0)


_TEXT = st.sampled_from(["", "seen in the history", "discarded: x", "refused", "the id is taken by other content: a"])


@given(
    state=st.sampled_from(list(State)), route=st.sampled_from(["", "api", "file"]), reason=_TEXT,
    contact=st.sampled_from([None, "k"]), whole=st.booleans(), age=st.sampled_from([0.0, 9.0]),
    by=st.sampled_from(["api", "file"]), unverified=st.booleans(), anonymous=st.booleans(),
    id=st.sampled_from(["a", "a#0123456789ab"]), before=st.sampled_from([None, 5.0]),
    verified=st.sampled_from([None, 5.0]),
)  # fmt: skip
def test_what_engage_has_or_must_not_get_is_never_chosen(
    state: State, route: str, reason: str, contact: str | None, whole: bool, age: float, by: str,
    unverified: bool, anonymous: bool, id: str, before: float | None, verified: float | None,
) -> None:  # fmt: skip
    each = ReplayCandidate(
        seq=1, id=id, state=state, route=route, reason=reason, contact=contact, currency="SEK", total="1",
        changed_at=9.0 - age, delivered_at=None, verified_at=verified, at=ReplayCursor(),
    )  # fmt: skip
    order = ReplayOrder(
        reason="r", who="w", by=by, store="1", till="", first="2026-01-01", last="2026-01-01",
        unverified=unverified, newest=1,
    )  # fmt: skip
    fate = fate_of(each, order, before, anonymous, lambda _: whole)
    assert fate in Fate
    if fate not in SELECTED:
        return
    assert whole
    assert contact or anonymous
    assert not reason.startswith("discarded: ") or state is not State.SKIPPED
    assert state not in (State.WRITTEN, State.TRANSFERRED)
    if state is State.DELIVERED:
        assert (fate, unverified, verified) == (Fate.VERIFY, True, None)
    if by == "api":
        assert state in (State.HELD, State.SKIPPED, State.DELIVERED)


def test_the_receipts_come_in_order_of_time_whatever_their_order_of_acceptance(machine: Machine) -> None:
    take_sales(machine, 30, 7, day=DAY)
    take_sales(machine, 9, 4, day=DAY - timedelta(days=2))
    take_sales(machine, 5, day=DAY)
    journal = machine.line.journal
    for page in (1, 2, 100):
        pages = journal.replay_candidates.pages(order_of(journal), page)
        walked = [each.id.split("_")[-1] for each in itertools.chain.from_iterable(pages)]
        assert walked == ["4", "9", "5", "7", "30"]


# --- by API ----------------------------------------------------------------------------------------------------------


def test_what_was_answered_is_asked_for_and_only_what_is_missing_is_sent_again(machine: Machine) -> None:
    take_sales(machine, *range(6))
    deliver_all(machine)
    machine.clock.advance(3600.0)
    machine.engage.advance(machine.clock.monotonic())
    kept = sorted(machine.engage.ids())
    gone = kept[:2]
    for receipt_id in gone:
        contact = machine.engage.saved._contact.pop(receipt_id)
        machine.engage.saved._history[contact].remove(receipt_id)
    number = start(machine, unverified=True)
    while replay(machine.line):
        deliver_all(machine)
    machine.clock.advance(3600.0)
    deliver_all(machine)
    machine.engage.advance(machine.clock.monotonic())
    journal = machine.line.journal
    assert states(machine) == {"delivered": 6}
    assert machine.engage.ids() == set(kept)
    assert {entry.id for entry in journal.receipts.find({}) if entry.verified_at is None} == set(gone)
    entry = journal.receipts.get(gone[0])
    assert entry is not None
    details = [event["detail"] for event in journal.events.of_receipt(entry.seq) if event["step"] == "replay"]
    assert [f"replayed because store was unknown (replay {number})" in detail for detail in details] == [True]
    done = journal.replays.get(number)
    assert done is not None
    assert (done.state, done.put_back, done.order.who) == ("done", 6, "eva")
    assert journal.replays.count_states(number) == {"delivered": 6}


def test_a_step_is_small_and_waits_while_others_are_due(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP_RECEIPTS", 4)
    take_sales(machine, *range(10))
    put(machine.line.journal.folder, "UPDATE receipts SET state = 'held', reason = 'refused'")
    machine.clock.advance(3600.0)
    number = start(machine)
    take_sales(machine, 100, 101, 102)  # just sold
    assert replay(machine.line)
    assert states(machine) == {"held": 9, "accepted": 4}
    assert not replay(machine.line), "as many are due as a step has"
    first = [entry.number for entry in claim(machine.line, 3)]
    assert first == ["100", "101", "102"], "what was just sold goes first"
    machine.line.claims.release(range(100))
    deliver_all(machine)
    assert replay(machine.line)
    assert states(machine)["held"] == 5
    running = machine.line.journal.replays.get(number)
    assert running is not None
    assert running.put_back == 5


def test_nothing_is_queued_while_the_destination_is_away(machine: Machine) -> None:
    take_sales(machine, 1)
    put(machine.line.journal.folder, "UPDATE receipts SET state = 'held', reason = 'refused'")
    start(machine)
    machine.line.breaker.apply(lambda destination: attrs.evolve(destination, state="degraded"))
    assert not replay(machine.line)
    assert states(machine) == {"held": 1}


def test_a_stopped_replay_stays_where_it_is_and_goes_on_there(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEP_RECEIPTS", 2)
    take_sales(machine, *range(5))
    put(machine.line.journal.folder, "UPDATE receipts SET state = 'held', reason = 'refused'")
    number, replays = start(machine), machine.line.journal.replays
    assert replay(machine.line)
    replays.set_state(number, "running", "stopped", machine.clock.time())
    deliver_all(machine)
    assert not replay(machine.line)
    with pytest.raises(JournalError, match="not running"):
        replays.set_state(number, "running", "stopped", machine.clock.time())
    replays.set_state(number, "stopped", "running", machine.clock.time())
    while replay(machine.line):
        deliver_all(machine)
    assert states(machine) == {"delivered": 5}
    lives = [machine.line.journal.events.of_receipt(seq) for seq in range(1, 6)]
    assert [sum(event["step"] == "replay" for event in life) for life in lives] == [1] * 5


@pytest.mark.parametrize("by", ["api", "file"])
def test_what_a_person_discards_while_it_is_chosen_is_not_sent(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """It was held when the step chose it; of what is skipped a replay sends all but what was discarded."""
    take_sales(machine, 1, 2)
    put(machine.line.journal.folder, "UPDATE receipts SET state = 'held', reason = 'refused'")
    start(machine, by=by)
    journal, step = machine.line.journal, machine.line.journal.replays.step

    def discarded_first(*given: object) -> None:
        monkeypatch.undo()
        held.discard(journal, journal.receipts.find({"number": "1"})[0].id, "a test sale", machine.clock.time())
        step(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(journal.replays, "step", discarded_first)
    with pytest.raises(JournalError, match="has changed since replay 1 chose it"):
        replay(machine.line)
    assert states(machine) == {"skipped": 1, "held": 1}
    assert written(machine) == []
    while replay(machine.line):
        pass
    assert states(machine) == {"skipped": 1, {"api": "accepted", "file": "written"}[by]: 1}


def test_a_customer_a_receipt_was_given_meanwhile_is_not_taken_for_anonymous(machine: Machine) -> None:
    line = machine.line
    machine.line = attrs.evolve(line, anonymous=None)
    take_sales(machine, 1, keys={})
    take_sales(machine, 2)
    machine.line = line
    journal, number = line.journal, start(machine)
    ((own,),) = store_of(journal).read("SELECT contact FROM receipts WHERE number = '2'")
    running = journal.replays.get(number)
    assert running is not None
    assert line.anonymous is not None
    put(journal.folder, f"UPDATE receipts SET contact = '{own}' WHERE number = '1'")
    journal.replays.assign_contact(running, line.anonymous, [1], machine.clock.time())
    assert {each.contact for each in journal.receipts.find({})} == {own}


def test_what_is_accepted_after_the_plan_is_no_part_of_it(machine: Machine) -> None:
    take_sales(machine, 1)
    put(machine.line.journal.folder, "UPDATE receipts SET state = 'held', reason = 'refused'")
    number = start(machine)
    take_sales(machine, 2)
    put(machine.line.journal.folder, "UPDATE receipts SET state = 'held', reason = 'refused' WHERE number = '2'")
    while replay(machine.line):
        deliver_all(machine)
    assert states(machine) == {"delivered": 1, "held": 1}
    assert machine.line.journal.replays.count_states(number) == {"delivered": 1}


def test_a_receipt_without_a_customer_gets_the_anonymous_contact(machine: Machine) -> None:
    line = machine.line
    machine.line = attrs.evolve(line, anonymous=None)
    take_sales(machine, 1, keys={})
    machine.line = line
    assert states(machine) == {"skipped": 1}
    start(machine)
    while replay(machine.line):
        deliver_all(machine)
    assert states(machine) == {"delivered": 1}


def test_the_numbers_of_status_and_the_doctor_agree_after_a_replay(machine: Machine) -> None:
    take_sales(machine, *range(4))
    deliver_all(machine)
    start(machine, unverified=True)
    assert replay(machine.line)
    journal = machine.line.journal
    assert journal.receipts.routes() == {"api": 0, "file": 0}, "what is asked for is not delivered meanwhile"
    assert journal.receipts.counts()["uncertain"] == 4
    found = verify(journal.folder)
    assert found.fine, found


def test_the_remaining_time_follows_from_the_rate_so_far(machine: Machine) -> None:
    take_sales(machine, 1)
    put(machine.line.journal.folder, "UPDATE receipts SET state = 'held', reason = 'refused'")
    running = machine.line.journal.replays.get(start(machine))
    assert running is not None
    assert seconds_left(running) is None
    assert seconds_left(attrs.evolve(running, chosen=100, put_back=40, not_written=10, busy=20.0)) == 25.0


# --- by file ---------------------------------------------------------------------------------------------------------


def by_file(machine: Machine) -> None:
    for _ in range(60):
        machine.clock.advance(400.0)
        machine.engage.advance(machine.clock.monotonic())
        machine.imports.advance(machine.clock.monotonic())
        maintain(machine.line)
        replay(machine.line)


def test_history_goes_by_file_in_chunks_and_in_order_though_the_api_answers(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_RECEIPTS", 3)
    take_sales(machine, 9, 2, 5, 1, day=DAY)
    take_sales(machine, 8, 7, 6, day=DAY - timedelta(days=1))
    number = start(machine, by="file")
    while replay(machine.line):
        assert not machine.engage.ids()
    journal = machine.line.journal
    files = [each.file for each in journal.files.all() if each.file.kind == "receipts"]
    assert [[key.split("_")[-1] for key in file.keys] for file in files] == [["6", "7", "8"], ["1", "2", "5"], ["9"]]
    assert journal.file_states.in_states(FileState.WRITTEN)[0].kind == "contacts"
    by_file(machine)
    assert states(machine) == {"delivered": 7}
    assert {entry.route for entry in journal.receipts.find({})} == {"file"}
    assert journal.replays.count_states(number) == {"delivered": 7}
    assert not machine.engage.violations


def test_files_that_wait_to_go_up_are_few(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_RECEIPTS", 1)
    take_sales(machine, *range(6))
    start(machine, by="file")
    while replay(machine.line, files=3):
        pass
    assert states(machine)["written"] < 6
    while replay(machine.line, files=99):
        pass
    assert states(machine) == {"written": 6}


def test_what_no_file_can_take_is_left_as_it_was_and_says_why(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_sales(machine, 1, 2)
    deliver_all(machine)
    number = start(machine, by="file", unverified=True)
    monkeypatch.setattr(
        module, "map_for_files", lambda line, entries: ({}, {each.id: "the map says no" for each in entries})
    )
    while replay(machine.line):
        pass
    assert states(machine) == {"delivered": 2}
    entry = machine.line.journal.receipts.find({})[0]
    assert "the map says no" in machine.line.journal.events.of_receipt(entry.seq)[-1]["detail"]
    done = machine.line.journal.replays.get(number)
    assert done is not None
    assert (done.state, done.put_back, done.not_written) == ("done", 0, 2)


# --- kills -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["api", "file"])
def test_a_kill_at_any_moment_of_a_replay_loses_and_doubles_none(
    tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at the first boundary it crosses, then at the second, and so on, until it crosses them all."""
    monkeypatch.setattr(module, "STEP_RECEIPTS", 3)
    monkeypatch.setattr(module, "BATCH_RECEIPTS", 3)
    for kill_at in itertools.count(1):
        machine = Machine(tmp_path / f"{by}{kill_at}", Random(1), Engage())
        take_sales(machine, *range(8))
        put(machine.line.journal.folder, "UPDATE receipts SET state = 'held', reason = 'refused'")
        number = start(machine, by=by)
        survived = _killed_at(machine, kill_at)
        for _ in range(200):
            machine.clock.advance(max(RETRY.confirm_after, FALLBACK.check_every).total_seconds() / 2)
            machine.engage.advance(machine.clock.monotonic())
            machine.imports.advance(machine.clock.monotonic())
            maintain(machine.line)
            replay(machine.line)
            deliver_all(machine)
            if states(machine) == {"delivered": 8} and machine.line.journal.replays.running() is None:
                break
        journal = machine.line.journal
        assert states(machine) == {"delivered": 8}, (by, kill_at)
        assert len(machine.engage.ids()) == 8
        assert not machine.engage.violations
        done = journal.replays.get(number)
        assert done is not None
        assert done.put_back == 8
        for seq in range(1, 9):
            assert sum(event["step"] == "replay" for event in journal.events.of_receipt(seq)) == 1
        machine.stop()
        if survived:
            assert kill_at > 5
            return


def _killed_at(machine: Machine, boundary: int) -> bool:
    """Step until the process is killed where it crosses that boundary; True when there were not so many."""
    machine.faults.arm((), (), boundary, 0)
    try:
        while replay(machine.line):
            deliver_all(machine)
    except Killed:
        machine.faults.disarm()
        machine.restart()
        return False
    machine.faults.disarm()
    return True
