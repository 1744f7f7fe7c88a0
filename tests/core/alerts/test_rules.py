"""Each trouble raises exactly one alert that names the cause and the next step, and clears it when it is over."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import click
import pytest

from tests.support.engine import store_of
from tests.support.lines import make_line
from tests.support.numbered import NOW, sale, take
from tests.support.query_cost import add_file, plans
from tillpost.alerts import rules
from tillpost.alerts.channels import ChannelError
from tillpost.alerts.watch import ATTEMPTS, AlertWatch
from tillpost.cli import cli
from tillpost.compose.alert_settings import RULES, AlertSettings, Silence
from tillpost.errors import JournalError, PluginError
from tillpost.flow.heartbeat import Heartbeat
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.limits import SourcePolicy
from tillpost.journal import (
    OPEN,
    ContactLookup,
    Destination,
    FileServer,
    FileState,
    Journal,
    Looked,
    Move,
    ObserverBehind,
    Reading,
    Refusal,
    SourceState,
    SourceStatus,
    State,
    TillTotal,
)
from tillpost.journal.tables.alerts import CALM, MOST_CALM
from tillpost.journal.tables.mappings import reason_of
from tillpost.model import Broken, Conflict, Document, Tenant
from tillpost.reports.plan import Load, plan, weigh

HOUR = 3600.0
LIMITS = AlertSettings(
    command=("/bin/true",),
    silence=(Silence(hours="Mon-Sat 09:00-21:00", zone=ZoneInfo("Europe/Stockholm"), stores=("12",)),),
)


class Clock:
    """Time that is set."""

    def __init__(self) -> None:
        self.now = NOW

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        raise AssertionError("nobody waits here")


class Harness:
    """An alert watch on a journal, its clock, and the notices the channel got."""

    def __init__(self, folder: Path, limits: AlertSettings = LIMITS) -> None:
        self.folder, self.limits = folder, limits
        self.clock = Clock()
        self.told: list[dict[str, Any]] = []
        self.deaf = False
        self.room = 10**12
        self.heartbeat = Heartbeat()
        self.open()

    def open(self) -> None:
        self.journal = Journal(self.folder)
        self.journal.room = lambda: (self.room, 10**13)  # type: ignore[method-assign]
        source = SourcePolicy(room=1000)
        self.line = make_line(self.journal, HookCalls({}), clock=self.clock, heartbeat=self.heartbeat, source=source)
        self.watch = AlertWatch("shop", self.journal, self.limits, self.clock, True, line=self.line, sending=self._take)

    def _take(self, channel: str, _: AlertSettings, told: dict[str, Any]) -> None:
        if self.deaf:
            raise ChannelError("the channel is away")
        self.told.append(told)

    def pass_(self, seconds: float) -> None:
        """Time passes, and then the rules are evaluated."""
        self.clock.now += seconds
        self.watch.check()

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(each["event"], each["alert"]) for each in self.told]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    made = Harness(tmp_path)
    take(made.journal, sale("1"))  # a till that was there and is, all the time
    made.journal.receipts.settle([(1, Move(state=State.DELIVERED, route="api"))], NOW, "deliver")
    made.watch.check()
    assert made.told == []
    yield made
    made.journal.close()


def _revoke(harness: Harness) -> None:
    harness.journal.destination.put(Destination(state="paused", reason="401: the key is not valid", since=NOW), NOW)


def _online(harness: Harness) -> None:
    harness.journal.destination.put(Destination(since=harness.clock.now), harness.clock.now)


def _outage(harness: Harness) -> None:
    take(harness.journal, sale("2"))  # waits, which is the outage's doing and no trouble of its own
    harness.journal.destination.put(
        Destination(state="fallback", reason="refused", since=NOW, unreachable_since=NOW), NOW
    )
    harness.clock.now += 2 * HOUR
    take(harness.journal, sale("3"), now=harness.clock.now)


def _disk(harness: Harness) -> None:
    harness.room = 10**5


def _disk_again(harness: Harness) -> None:
    harness.room = 10**12


def _silent(harness: Harness) -> None:
    harness.clock.now += HOUR  # 14:00 in the store; the other till sells on
    take(harness.journal, sale("1", "2"), now=harness.clock.now)
    _settle(harness)


def _speaks(harness: Harness) -> None:
    take(harness.journal, sale("2"), now=harness.clock.now)
    _settle(harness)


def _gap(harness: Harness) -> None:
    take(harness.journal, sale("3"))
    _settle(harness)
    harness.clock.now += 600


def _gap_closed(harness: Harness) -> None:
    take(harness.journal, sale("2"), now=harness.clock.now)
    _settle(harness)


def _held(harness: Harness) -> None:
    take(harness.journal, Broken(reason="line 9: no total", place="line 9", raw=b"x", number="2", store="12"))


def _discarded(harness: Harness) -> None:
    (entry,) = harness.journal.receipts.find({"state": State.HELD})
    harness.journal.receipts.settle([(entry.seq, Move(state=State.SKIPPED, reason="typed by hand"))], NOW, "person")


def _unread(harness: Harness) -> None:
    add_file(harness.journal, "f.xml")
    harness.journal.files.move(harness.journal.files.get("f.xml"), FileState.UPLOADED, NOW)
    harness.journal.files.mark_stuck("f.xml", "lies unread in the folder for 3 h", NOW)


def _read(harness: Harness) -> None:
    harness.journal.files.move(harness.journal.files.get("f.xml"), FileState.CONSUMED, NOW)


def _stuck(harness: Harness) -> None:
    take(harness.journal, sale("2"))
    (entry,) = harness.journal.receipts.find({"number": "2"})
    tried = Move(state=State.WAITING, attempts=1, due=NOW + 86400, reason="503")
    harness.journal.receipts.settle([(entry.seq, tried)], NOW, "deliver")
    harness.clock.now += 1700


def _goes(harness: Harness) -> None:
    take(harness.journal, sale("3"), now=harness.clock.now)
    _settle(harness)


def _settle(harness: Harness) -> None:
    open_ = [entry for state in OPEN for entry in harness.journal.receipts.find({"state": state})]
    for entry in open_:
        moved = Move(state=State.DELIVERED, route="api")
        harness.journal.receipts.settle([(entry.seq, moved)], harness.clock.now, "deliver")


def _conflict(harness: Harness) -> None:
    """The keys of a receipt's contact lead to two, and the receipt is held for it."""
    take(harness.journal, sale("2"))
    (entry,) = harness.journal.receipts.find({"number": "2"})
    assert entry.contact is not None
    two = Conflict(reason="email and externalId lead to two contacts", found={"email": "a", "externalId": "b"})
    harness.journal.contact_lookups.save([ContactLookup(key=entry.contact, found=two)], "api", NOW)
    reason = harness.journal.contact_lookups.conflict_reason(entry.contact)
    harness.journal.receipts.settle([(entry.seq, Move(state=State.HELD, reason=reason))], NOW, "resolve")


def _resolved(harness: Harness) -> None:
    (entry,) = harness.journal.receipts.find({"number": "2"})
    assert entry.contact is not None
    assert harness.journal.contact_lookups.resolve_conflict(entry.contact, "a", harness.clock.now) == 1
    _settle(harness)


def _refused(harness: Harness) -> None:
    server = FileServer(failures=1, reason="another host key", refused=Refusal.PROBE, since=NOW, checked_at=NOW)
    harness.journal.file_server.put(server)


def _usable(harness: Harness) -> None:
    harness.journal.file_server.put(FileServer(since=harness.clock.now, checked_at=harness.clock.now))


def _document(harness: Harness) -> Reading:
    return Reading(Document(name="day.xml", sha256="ab" * 32, path=None, content=b"<"), "folder")


def _set_aside(harness: Harness) -> None:
    harness.journal.documents.set_aside(_document(harness), "not well-formed", NOW)


def _unreadable(harness: Harness) -> None:
    harness.journal.documents.retry_later(_document(harness), "permission denied", NOW, NOW + 60)
    harness.clock.now += 1000


def _given_up(harness: Harness) -> None:
    (document,) = harness.journal.documents.open()
    harness.journal.documents.discard(document, "empty", harness.clock.now)


def _contact_dies(harness: Harness) -> None:
    now = harness.clock.now
    harness.journal.steps_set_aside.put("confirm_receipts", "c0f3", "the process ended 3 times", 3, now, now + HOUR)


def _contact_lives(harness: Harness) -> None:
    harness.journal.steps_set_aside.remove("confirm_receipts", "c0f3")


def _event_lost(harness: Harness) -> None:
    harness.journal.steps_set_aside.add_lost("chat", "observe raised ValueError at chat.py:7", 2, harness.clock.now)


def _no_other_is_lost(harness: Harness) -> None:
    harness.clock.now += 86400
    _speaks(harness)


def _observer_away(harness: Harness) -> None:
    now = harness.clock.now
    away = ObserverBehind("chat", 0, SourceState.FAILING, "the chat is away", now - 301, now, 9)
    harness.journal.observers_behind.put(away)


def _observer_again(harness: Harness) -> None:
    harness.journal.observers_behind.remove("chat")


def _source(harness: Harness) -> None:
    status = SourceStatus("folder", SourceState.FAILING, "/mnt/shop is not mounted", NOW, NOW + 60, 1)
    harness.journal.sources.put(status, NOW)


def _source_of_a_faulty_plugin(harness: Harness) -> None:
    """The reason as the flow writes it, of a PluginError."""
    reason = str(PluginError("folder", "collect_documents raised KeyError at /opt/till.py:7"))
    harness.journal.sources.put(SourceStatus("folder", SourceState.FAILING, reason, NOW, NOW + 60, 1), NOW)


def _source_again(harness: Harness) -> None:
    now = harness.clock.now
    harness.journal.sources.put(SourceStatus("folder", SourceState.WORKING, "", now, None, 0), now)


def _loss(harness: Harness) -> None:
    harness.journal.losses.record(NOW, "receipt 12_1 is missing", "Read the export again.")


def _settled(harness: Harness) -> None:
    harness.journal.losses.settle(harness.clock.now)


def _full(harness: Harness) -> None:
    harness.room = 999


def _clock_behind(harness: Harness) -> None:
    harness.journal.events.add(NOW + 90 * 86400, "accept", "document read")


def _clock_right(harness: Harness) -> None:
    harness.journal.events.add(harness.clock.now, "accept", "document read")


def _clock_set(harness: Harness) -> None:
    store_of(harness.journal).write(lambda each: each.execute("UPDATE tills SET last_at = last_at + 3600"))
    harness.journal.shift_pending(-HOUR, NOW)


def _clock_settled(harness: Harness) -> None:
    harness.clock.now += HOUR
    _speaks(harness)


def _overdue(harness: Harness) -> None:
    take(harness.journal, sale("2"))
    harness.clock.now += 1000


def _sent(harness: Harness) -> None:
    _settle(harness)


def _unverified(harness: Harness) -> None:
    take(harness.journal, sale("2"))
    (entry,) = harness.journal.receipts.find({"number": "2"})
    sent = Move(state=State.DELIVERED, route="api", verify_after=60.0)
    harness.journal.receipts.settle([(entry.seq, sent)], NOW, "deliver")
    harness.clock.now += 2 * HOUR
    take(harness.journal, sale("3"), now=harness.clock.now)
    (entry,) = harness.journal.receipts.find({"number": "3"})
    harness.journal.receipts.settle([(entry.seq, Move(state=State.DELIVERED, route="api"))], NOW, "deliver")


def _verified(harness: Harness) -> None:
    (entry,) = harness.journal.receipts.find({"number": "2"})
    harness.journal.verification.settle(Looked(shown=[entry.seq]), harness.clock.now)


def _quiet(harness: Harness, *tills: str) -> None:
    """In each of the last two weeks a dozen at this time, and this week none. The till's numbers follow no sequence."""
    harness.limits = harness.watch.settings = attrs.evolve(LIMITS, off=("silence", "gap"))
    for week in (1, 2):
        sold = [sale(f"{week}-{each}-x", till) for each in range(12) for till in tills or ("1",)]
        take(harness.journal, *sold, now=NOW + week * 7 * 86400)
    harness.clock.now += 3 * 7 * 86400
    _settle(harness)


def _till_quiet(harness: Harness) -> None:
    """Two tills, of which one sells on."""
    _quiet(harness, "1", "2")
    _sells(harness)


def _till_sells(harness: Harness) -> None:
    for till in ("1", "2"):
        take(harness.journal, sale("301", till), now=harness.clock.now)
    _settle(harness)


def _sells(harness: Harness) -> None:
    take(harness.journal, sale("300"), now=harness.clock.now)
    _settle(harness)


def _died(harness: Harness) -> None:
    beat = harness.heartbeat.add_thread("shop-deliver-0", harness.clock)
    beat.record_death("TypeError at adapter.py:7")
    beat.record_death("TypeError at adapter.py:7")


def _healthy(harness: Harness) -> None:
    harness.clock.now += HOUR
    _speaks(harness)


def _stopped(harness: Harness) -> None:
    harness.heartbeat.fault = JournalError("the disk does not sync")


def _hangs(harness: Harness) -> None:
    beat = harness.heartbeat.add_thread("shop-source-9", harness.clock)
    beat.thread, beat.since = threading.current_thread(), harness.clock.monotonic() - 601


def _restarted(harness: Harness) -> None:
    harness.heartbeat.reset()


Step = Callable[[Harness], None]


def _printed(harness: Harness, off: str) -> None:
    (entry,) = harness.journal.receipts.find({})
    total = Decimal(entry.total) + Decimal(off)
    figure = TillTotal(store="12", business_date="2026-11-24", currency=entry.currency, total=total, source="day.csv")
    harness.journal.day_totals.put([figure], harness.clock.now)


def _total_off(harness: Harness) -> None:
    _printed(harness, "0.01")


def _total_right(harness: Harness) -> None:
    _printed(harness, "0")


def _mapping(harness: Harness) -> None:
    harness.journal.mappings.activate("a", {}, True, NOW)
    harness.journal.mappings.activate("b", {}, True, NOW)
    take(harness.journal, sale("2"))
    (entry,) = harness.journal.receipts.find({"state": State.ACCEPTED})
    held = Move(state=State.HELD, reason=reason_of("b") + "release it, or put the change back")
    harness.journal.mappings.hold("b", [(entry.seq, held)], NOW)


def _released(harness: Harness) -> None:
    harness.journal.mappings.release("b", harness.clock.now)
    _settle(harness)


def _moved(harness: Harness) -> None:
    for address in ("https://a.example", "https://b.example"):
        harness.journal.tenants.replace(Tenant(address=address), harness.clock.now)


def _address_changed(harness: Harness) -> None:
    harness.journal.tenants.adopt(Tenant(address="https://a.example"), harness.clock.now)
    harness.journal.tenants.set_pending("https://b.example", harness.clock.now)


def _address_back(harness: Harness) -> None:
    harness.journal.tenants.set_pending("", harness.clock.now)


def _a_day_later(harness: Harness) -> None:
    store_of(harness.journal).write(lambda each: each.execute("UPDATE tenants SET since = since - 86400"))


PLANTED: dict[str, tuple[Step, Step, str, str, str]] = {
    "key revoked": (_revoke, _online, "paused", "401: the key is not valid", "tillpost check"),
    "disk filling": (_disk, _disk_again, "disk_for_outage", "MB free", "Free disk space"),
    "till silent": (_silent, _speaks, "silence 12/1", "till 1 of store 12 is silent", "Ask the store"),
    "gap": (_gap, _gap_closed, "gap 12/1", "missing numbers: 2", "tillpost gaps --store 12"),
    "file not consumed": (_unread, _read, "not_consumed f.xml", "f.xml is still uploaded", "ask for the import"),
    "held receipt": (_held, _discarded, "held line no total", "1 held receipt: line 9: no total", "tillpost held list"),
    "contact conflict": (
        _conflict,
        _resolved,
        "conflict",
        "that lead to several contacts",
        "tillpost contacts resolve",
    ),
    "outage": (_outage, _online, "fallback", "no answer of the destination", "tillpost status"),
    "day total": (
        _total_off,
        _total_right,
        "day_total 12 2026-11-24",
        "difference -0.01",
        "tillpost day 12 2026-11-24",
    ),
    "mapping change": (_mapping, _released, "mapping", "1 receipt mapped with it is held", "tillpost mapping release"),
    "file server": (_refused, _usable, "file_server", "another host key", "tillpost check"),
    "document set aside": (_set_aside, _given_up, "documents", "day.xml (not well-formed)", "tillpost documents list"),
    "document that cannot be read": (
        _unreadable,
        _given_up,
        "documents waiting",
        "1 document cannot be read",
        "permissions",
    ),
    "source away": (_source, _source_again, "source folder", "/mnt/shop is not mounted", "Bring back"),
    "source faulty": (_source_of_a_faulty_plugin, _source_again, "source folder", "till.py:7", "the plugin's author"),
    "contact set aside": (_contact_dies, _contact_lives, "set_aside", "the process ended 3 times", "the plugin"),
    "event lost": (_event_lost, _no_other_is_lost, "observer chat", "lost 2 events", "tillpost receipt"),
    "observer away": (_observer_away, _observer_again, "observer chat waits", "the chat is away", "tried again"),
    "journal repaired": (_loss, _settled, "journal 1", "receipt 12_1 is missing", "Read the export again"),
    "disk full": (_full, _disk_again, "disk", "(`room`)", "Free disk space now"),
    "clock behind": (_clock_behind, _clock_right, "clock", "later than now", "NTP"),
    "clock set": (_clock_set, _clock_settled, "clock", "was set by -3600 s", "NTP"),
    "nothing is sent": (_overdue, _sent, "overdue", "none of them is sent", "Restart"),
    "nothing is verified": (_unverified, _verified, "unverified", "to be looked for in Engage", "verify"),
    "till quiet": (_till_quiet, _till_sells, "quiet tills", "2 of store 12 (usually 12", "Ask the store"),
    "store quiet": (_quiet, _sells, "quiet stores", "12 (usually 12 or more)", "Ask a store"),
    "thread died": (_died, _healthy, "thread shop-deliver-0", "died 2 times within an hour", "tillpost bundle"),
    "pipeline stopped": (_stopped, _restarted, "stopped", "the pipeline has stopped", "log"),
    "thread hangs": (_hangs, _restarted, "stopped", "threads have ended or hang: shop-source-9", "Restart"),
    "address changed": (_address_changed, _address_back, "tenant", "nothing is sent since", "put `transport.url` back"),
    "another tenant": (_moved, _a_day_later, "tenant", "https://b.example", "put `transport.url` back"),
    "stuck": (_stuck, _goes, "oldest_undelivered", "is not delivered: 503", "tillpost receipt"),
}
"""Trouble → how it comes, how it goes, the alert's key, what names the cause, and the next step."""


@pytest.mark.parametrize("trouble", PLANTED)
def test_it_raises_one_alert_that_names_cause_and_next_step_and_clears_it_when_over(
    trouble: str, harness: Harness
) -> None:
    come, go, key, cause, step = PLANTED[trouble]
    come(harness)
    harness.pass_(301)
    harness.pass_(301)  # told once
    assert harness.events == [("raised", key)], trouble
    assert cause in harness.told[0]["what"]
    assert harness.told[0]["means"]
    assert step in harness.told[0]["next_step"]
    assert [alert.key for alert in harness.journal.alerts.standing()] == [key]
    harness.journal.close()
    harness.open()  # a restart repeats nothing
    harness.pass_(1)
    assert len(harness.told) == 1
    go(harness)
    harness.pass_(301)
    harness.pass_(301)
    assert harness.events == [("raised", key), ("over", key)]
    assert harness.told[1]["over_at"] > harness.told[1]["raised_at"]
    assert harness.journal.alerts.standing() == []
    assert [alert.key for alert in harness.journal.alerts.recent(5)] == [key]


YEAR = 365 * 86400.0
AHEAD = {
    "observer away": "UPDATE observers_behind SET since = since + ?",
    "document that cannot be read": "UPDATE documents SET first_at = first_at + ?",
    "address changed": "UPDATE tenants SET pending_since = pending_since + ?",
    "outage": "UPDATE destination SET since = since + ?1, unreachable_since = unreachable_since + ?1",
    "stuck": "UPDATE receipts SET accepted_at = accepted_at + ? WHERE state <> 'delivered'",
    "gap": "UPDATE receipts SET accepted_at = accepted_at + ?",
    "nothing is sent": "UPDATE destination SET since = ?2 + ?1",
    "nothing is verified": "UPDATE destination SET since = ?2 + ?1",
}
"""Trouble → what a clock that was a year ahead has written of it."""


@pytest.mark.parametrize("trouble", AHEAD)
def test_what_a_clock_a_year_ahead_has_written_is_told_all_the_same(trouble: str, harness: Harness) -> None:
    """A moment that is still to come was "less than five minutes ago" for a year, and the alert silent for as long."""
    come, go, key, _, _ = PLANTED[trouble]
    come(harness)
    sql = AHEAD[trouble]
    given = (YEAR, harness.clock.now) if "?2" in sql else (YEAR,)
    store_of(harness.journal).write(lambda each: each.execute(sql, given))
    harness.pass_(301)
    harness.pass_(301)
    assert harness.events == [("raised", key)]
    go(harness)
    harness.pass_(301)
    harness.pass_(CALM)
    assert harness.events == [("raised", key), ("over", key)]


def test_what_stands_for_a_while_is_over_though_its_moment_is_still_to_come(harness: Harness) -> None:
    """The change of the clock itself, a thread's death, another tenant, an event lost: a year instead of an hour."""
    harness.clock.now += YEAR
    for come in (_clock_set_now, _died, _moved, _event_lost):
        come(harness)
    harness.clock.now -= YEAR
    _clock_set_now(harness)
    harness.pass_(2 * HOUR)
    assert {alert.key for alert in harness.journal.alerts.standing()} <= {"silence 12/1"}


def _clock_set_now(harness: Harness) -> None:
    harness.journal.shift_pending(0.0, harness.clock.now)


def test_an_alert_that_was_over_with_the_clock_ahead_is_told_when_it_comes_again(harness: Harness) -> None:
    harness.watch.settings = attrs.evolve(LIMITS, off=("silence", "clock"))
    harness.clock.now += YEAR
    _held(harness)
    harness.pass_(1)
    _discarded(harness)
    harness.pass_(1)
    harness.pass_(CALM)
    harness.clock.now -= YEAR
    harness.pass_(1)
    harness.told.clear()
    take(harness.journal, Broken(reason="line 3: no total", place="line 3", raw=b"y", number="7", store="12"))
    harness.pass_(1)
    assert harness.events == [("raised", "held line no total")]


@pytest.mark.parametrize("change", [YEAR, -YEAR])
def test_what_is_noted_moves_with_a_clock_that_is_set(harness: Harness, change: float) -> None:
    """A notice that a channel refused, an alert, a till: each waits and stands as long as it would have."""
    now = harness.clock.now
    harness.deaf = True
    _held(harness)
    _observer_away(harness)
    _source(harness)
    _unreadable(harness)
    _address_changed(harness)
    harness.clock.now = now
    harness.pass_(0)
    tables = ("notices", "alerts", "observers_behind", "sources", "documents", "tenants", "tills", "watching")

    def stored() -> list[Any]:
        return [store_of(harness.journal).read(f"SELECT * FROM {table}") for table in tables]

    def times(rows: list[Any], by: float) -> list[Any]:
        return [
            [tuple(round(each + by, 3) if isinstance(each, float) and each else each for each in row) for row in table]
            for table in rows
        ]

    before = times(stored(), change)
    harness.clock.now += change
    harness.journal.shift_pending(change, harness.clock.now)
    assert times(stored(), 0.0) == before
    harness.deaf = False
    harness.pass_(61)
    assert ("raised", "held line no total") in harness.events


def test_every_rule_has_a_name_in_the_settings_and_the_other_way_round() -> None:
    assert tuple(rules.RULES) == RULES


def test_a_till_is_not_silent_while_the_store_is_closed_and_closing_time_ends_nothing(harness: Harness) -> None:
    _silent(harness)
    harness.pass_(301)
    assert harness.events == [("raised", "silence 12/1")]
    harness.pass_(9 * HOUR)  # closed: the other till is quiet by right, and this one still silent
    assert len(harness.told) == 1
    assert len(harness.journal.alerts.standing()) == 1


def test_the_disk_lasts_as_long_as_the_plan_says(harness: Harness) -> None:
    """What `tillpost plan` wants free for 72 hours at this rate is enough, a hundredth less is not."""
    needed = plan(
        Load(stores=1, receipts_per_hour=1, outage=timedelta(hours=72), after=timedelta()), weigh(harness.journal)
    )
    harness.room = needed.disk + 1
    harness.pass_(60.0)
    assert harness.events == []
    harness.room = needed.disk * 99 // 100
    harness.pass_(60.0)
    assert harness.events == [("raised", "disk_for_outage")]


def test_a_rule_that_is_off_is_not_looked_at_and_what_it_had_raised_is_over(harness: Harness) -> None:
    _held(harness)
    harness.pass_(1)
    harness.watch.settings = attrs.evolve(LIMITS, off=("held",))
    harness.pass_(1)
    assert harness.journal.alerts.standing() == []
    harness.pass_(CALM)  # a channel is told once it has been over for a while
    assert harness.events == [("raised", "held line no total"), ("over", "held line no total")]


@pytest.mark.parametrize(("up", "told"), [(30, 1), (90, 3), (400, 7), (900, 9), (2000, 20)])
def test_what_comes_and_goes_stands_each_time_and_is_told_seldom(harness: Harness, up: float, told: int) -> None:
    harness.watch.settings = attrs.evolve(LIMITS, off=("silence",))
    for _ in range(10):
        _revoke(harness)
        harness.pass_(30)
        assert [alert.key for alert in harness.journal.alerts.standing()] == ["paused"]
        _online(harness)
        harness.pass_(1)
        assert harness.journal.alerts.standing() == []
        for _ in range(int(up // 30)):
            harness.pass_(30)
    assert len(harness.events) == told
    assert {key for _, key in harness.events} == {"paused"}
    harness.pass_(CALM * MOST_CALM)
    assert harness.events[-1] == ("over", "paused")
    assert [event for event, _ in harness.events] == ["raised", "over"] * (len(harness.events) // 2)


def test_the_journal_knows_when_somebody_watched_last(harness: Harness) -> None:
    harness.pass_(3600)
    assert harness.journal.alerts.watched_at() == harness.clock.now
    harness.pass_(30)  # once a minute is enough
    assert harness.journal.alerts.watched_at() == harness.clock.now - 30


def test_rules_run_without_a_channel_and_nothing_is_sent(harness: Harness) -> None:
    harness.watch.settings = AlertSettings()
    _held(harness)
    harness.pass_(1)
    assert [alert.key for alert in harness.journal.alerts.standing()] == ["held line no total"]
    assert harness.journal.alerts.due(harness.clock.now + 1e6) == []


def test_a_channel_that_is_away_is_tried_again_later_and_later_and_then_told_all_in_order(harness: Harness) -> None:
    harness.watch.settings = attrs.evolve(LIMITS, off=("silence", "channel"))
    harness.deaf = True
    _revoke(harness)
    harness.pass_(1)
    tries = []
    for _ in range(200):
        harness.pass_(60)
        ((channel, attempts, reason),) = harness.journal.alerts.unsent()
        tries.append(attempts)
    assert (channel, reason) == ("command", "the channel is away")
    assert 5 < tries[-1] < 10  # three and a third hours: at once, 1, 5, 15, 60, 60 … minutes
    _online(harness)
    harness.pass_(1)
    harness.deaf = False
    harness.pass_(2 * HOUR)
    harness.pass_(1)
    assert harness.events == [("raised", "paused"), ("over", "paused")]
    assert harness.journal.alerts.unsent() == []


def test_a_channel_that_takes_no_notice_is_an_alert_until_it_does(harness: Harness) -> None:
    harness.watch.settings = attrs.evolve(LIMITS, off=("silence",))
    harness.deaf = True
    _revoke(harness)
    for _ in range(20):
        harness.pass_(60)
    (paused, channel) = harness.journal.alerts.standing()
    assert (paused.key, channel.key) == ("paused", "channel command")
    assert "the channel is away" in channel.what
    harness.deaf = False
    harness.pass_(HOUR)
    harness.pass_(60)
    assert [alert.key for alert in harness.journal.alerts.standing()] == ["paused"]
    assert harness.events == [("raised", "paused"), ("raised", "channel command")]
    harness.pass_(HOUR)
    assert harness.events[-1] == ("over", "channel command")


def test_a_notice_no_channel_ever_takes_is_given_up(harness: Harness) -> None:
    harness.watch.settings = attrs.evolve(LIMITS, off=("silence", "channel"))
    harness.deaf = True
    _revoke(harness)
    for _ in range(ATTEMPTS + 2):
        harness.pass_(HOUR)
    assert harness.journal.alerts.unsent() == []


def test_a_gap_is_no_trouble_before_its_time(harness: Harness) -> None:
    take(harness.journal, sale("3"), now=NOW)
    _settle(harness)
    harness.pass_(600)
    assert harness.told == []
    harness.pass_(301)
    assert harness.events == [("raised", "gap 12/1")]


def test_what_is_asked_each_time_is_asked_of_indexes(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    _held(harness)
    found = plans(
        harness.journal,
        lambda journal: (
            journal.alert_inputs.oldest(),
            journal.alert_inputs.held(),
            journal.alert_inputs.last_event(),
            journal.alert_inputs.last_clock_change(NOW, NOW),
            journal.alert_inputs.last_delivery_event(NOW),
            journal.alert_inputs.accepted_between(NOW - HOUR, NOW),
        ),
        monkeypatch,
    )
    by_place = ("INDEX", "PRIMARY KEY", "SCALAR", "TEMP B-TREE", "SCAN events", "SEARCH")
    assert all(any(words in plan for words in by_place) for plan in found), found
    assert not [plan for plan in found if "SCAN receipts" in plan and "INDEX" not in plan], found
    assert harness.journal.alert_inputs.acceptance_rate(NOW + HOUR) > 0


def test_limits_are_durations() -> None:
    assert (LIMITS.every, LIMITS.gap) == (timedelta(seconds=30), timedelta(minutes=15))


def test_held_receipts_of_one_cause_are_one_alert_however_many(harness: Harness) -> None:
    for number in range(30):
        reason = f"line {number}: no total" if number % 2 else f'the store "{number}" is not known'
        broken = Broken(reason=reason, place=f"line {number}", raw=b"x", number=str(number + 50), store="12")
        take(harness.journal, broken)
    harness.pass_(1)
    assert harness.events == [("raised", "held the store is not known"), ("raised", "held line no total")]
    assert [each["what"].partition(":")[2].partition(":")[0] for each in harness.told] == [" 15 held receipts"] * 2


def test_many_causes_are_not_many_alerts(harness: Harness) -> None:
    for word in ("alpha", "beta", "gamma", "delta", "eta", "zeta", "theta", "iota", "kappa", "mu", "nu", "xi", "pi"):
        take(harness.journal, Broken(reason=word, place=word, raw=b"x", number=word, store="12"))
    harness.pass_(1)
    assert len(harness.told) == 11
    assert harness.told[-1]["alert"] == "held other causes"
    assert "3 held receipts" in harness.told[-1]["what"]


def test_a_rule_that_fails_silences_no_other_and_is_an_alert(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    _held(harness)
    harness.pass_(1)
    monkeypatch.setattr(harness.journal.alert_inputs, "held", lambda: 1 / 0)
    _revoke(harness)
    harness.pass_(1)
    assert [alert.key for alert in harness.journal.alerts.standing()] == ["held line no total", "paused", "rule held"]


def test_a_store_that_is_closed_at_this_time_of_the_week_is_not_quiet(harness: Harness) -> None:
    _quiet(harness)
    harness.clock.now += 6 * HOUR  # two in the morning; nothing came then in the weeks before either
    harness.pass_(301)
    assert harness.events == []


def test_nothing_is_overdue_while_a_backlog_goes_out(harness: Harness) -> None:
    take(harness.journal, *(sale(str(number)) for number in range(2, 9)))
    harness.clock.now += 1000
    (entry, *_) = harness.journal.receipts.find({"state": State.ACCEPTED})
    harness.journal.receipts.settle([(entry.seq, Move(state=State.DELIVERED, route="api"))], NOW + 900, "deliver")
    harness.pass_(1)
    assert harness.events == []


def _commands(text: str) -> list[list[str]]:
    """The words of each command of ours that a text names."""
    return [words.split()[1:] for words in re.findall(r"`(tillpost [^`]+)`", text)]


@pytest.mark.parametrize("trouble", PLANTED)
def test_b32_every_command_that_an_alert_advises_is_there(trouble: str, harness: Harness) -> None:
    """A person who types it gets its help, and no error of usage."""
    PLANTED[trouble][0](harness)
    harness.pass_(301)
    (told, *_) = harness.told
    for words in _commands(f"{told['means']} {told['next_step']}"):
        command: click.Command = cli
        context, rest = click.Context(cli), list(words)
        while rest and isinstance(command, click.Group):
            found = command.get_command(context, rest.pop(0))
            assert found is not None, words
            command = found
        assert not isinstance(command, click.Group) or command.invoke_without_command, words
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= options, words
