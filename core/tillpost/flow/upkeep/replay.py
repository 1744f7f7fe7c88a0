"""Replay: receipts of a store's days are put back on the line, after a person has seen what that means.

A little at a time, and only while little else is due, so that what is just sold, and what waits already, goes first.
Engage ignores a receipt it has (Engage contract, save a receipt): id and content stay the same, so none is doubled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs

from tillpost.errors import JournalError
from tillpost.flow.fallback.write_files import BATCH_LINES, BATCH_RECEIPTS, map_for_files, swept_on_failure, write_batch
from tillpost.flow.leases import Duty
from tillpost.flow.line import Line
from tillpost.journal import OPEN, Entry, FileState, Journal, Move, Replay, ReplayCandidate, ReplayOrder, State, Step

STEP_RECEIPTS = 100
"""Receipts that a replay by API puts back at most, and only while fewer are due: a stop leaves little on the line."""
SCAN_RECEIPTS = 500
"""Receipts a step looks at: most may be confirmed, and the thread has other things to do."""
MAX_WAITING_FILES = 20
"""Files that wait to go up, beyond which a replay by file beside live traffic writes no more."""
_TAKEN = re.compile(r"#[0-9a-f]{12}$")
"""The end of the id under which a receipt is held whose own id has other content."""


class Fate(StrEnum):
    """What a replay means for a receipt; each has exactly one."""

    SEND = "send"
    """It is put back on the line."""
    VERIFY = "verify"
    """Accepted by API, and not verified: it is looked up in the history, and sent again if it is not there."""
    CONFIRMED = "confirmed"
    """Left: the destination has it."""
    IN_PROGRESS = "in_progress"
    """On its way already."""
    COLLIDES = "collides"
    """Its id has other content, which the destination would keep."""
    DISCARDED = "discarded"
    """A person has said that it is never to be sent (`tillpost held discard`)."""
    UNREADABLE = "unreadable"
    """The journal has no whole body of it."""
    NO_CUSTOMER = "no_customer"
    """It has no contact, and the pipeline names no anonymous one."""
    TOO_OLD = "too_old"
    """Settled longer ago than `keep`: it leaves the journal any moment."""


SELECTED = (Fate.SEND, Fate.VERIFY)


@attrs.define
class Share:
    """Receipts of one fate: how many, and what they come to, by currency."""

    count: int = 0
    amounts: dict[str, Decimal] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Plan:
    """What a replay would do, before anything is done.

    undated: records of the store that could not be read, so nobody knows their day. kept_since: receipts of the days
    before this date may have left the journal; "" when none of the order's have.
    """

    order: ReplayOrder
    shares: Mapping[Fate, Share]
    undated: int
    kept_since: str

    @property
    def chosen(self) -> int:
        """How many would be put back."""
        return sum(self.shares[fate].count for fate in SELECTED)

    def json(self) -> dict[str, Any]:
        """As it is stored and printed for machines."""
        return {
            **{
                str(fate): {"count": share.count, "amounts": {name: str(sum_) for name, sum_ in share.amounts.items()}}
                for fate, share in self.shares.items()
            },
            "undated": self.undated,
            "kept_since": self.kept_since,
        }


def fate_of(
    each: ReplayCandidate, order: ReplayOrder, before: float | None, anonymous: bool, readable: Callable[[int], bool]
) -> Fate:
    """The fate of a receipt. before: what was settled before it leaves the journal; None: nothing does."""
    if (each.state in OPEN and order.by == "api") or each.state in (State.WRITTEN, State.TRANSFERRED):
        return Fate.IN_PROGRESS
    if each.state is State.DELIVERED and not (order.unverified and each.route == "api" and not each.reason):
        return Fate.CONFIRMED
    if each.contact is None and _TAKEN.search(each.id):
        return Fate.COLLIDES
    if each.state is State.SKIPPED and each.reason.startswith("discarded: "):
        return Fate.DISCARDED
    if each.state in (State.DELIVERED, State.SKIPPED) and before is not None and each.changed_at < before:
        return Fate.TOO_OLD
    if not readable(each.seq):
        return Fate.UNREADABLE
    if each.contact is None and not anonymous:
        return Fate.NO_CUSTOMER
    return Fate.VERIFY if each.state is State.DELIVERED else Fate.SEND


def plan(journal: Journal, order: ReplayOrder, keep: timedelta | None, anonymous: bool, now: float) -> Plan:
    """Look at every receipt of the order; nothing is changed."""
    before = None if keep is None else now - keep.total_seconds()
    shares = {fate: Share() for fate in Fate}
    for page in journal.replay_candidates.pages(order):
        for each, fate in _judged(journal, page, order, before, anonymous):
            share = shares[fate]
            share.count += 1
            share.amounts[each.currency] = share.amounts.get(each.currency, Decimal(0)) + Decimal(each.total)
    kept_since = "" if before is None else datetime.fromtimestamp(before, UTC).date().isoformat()
    return Plan(
        order=order,
        shares=shares,
        undated=journal.replay_candidates.undated(order.store, order.till),
        kept_since=kept_since if order.first < kept_since else "",
    )


def _judged(
    journal: Journal, rows: list[ReplayCandidate], order: ReplayOrder, before: float | None, anonymous: bool
) -> Iterator[tuple[ReplayCandidate, Fate]]:
    """Each with its fate; only the bodies that decide about it are read, and all together."""
    wanted: list[int] = []

    def note(seq: int) -> bool:
        wanted.append(seq)
        return True

    for each in rows:
        fate_of(each, order, before, anonymous, note)
    stored = journal.bodies.stored(wanted) if wanted else {}
    for each in rows:
        yield each, fate_of(each, order, before, anonymous, lambda seq: journal.bodies.is_readable(seq, stored))


def replay(line: Line, files: int = MAX_WAITING_FILES) -> bool:
    """A step of the oldest replay that runs; True when it did something, and another may follow at once.

    files: how many may wait to go up before one by file writes more.
    """
    if not line.duties.holds(Duty.REPLAY):
        return False
    running = line.journal.replays.running()
    if running is None or line.guard.closed:
        return False  # a new mapping is not released yet, and what a replay puts back would be mapped with it
    return _by_file(line, running, files) if running.order.by == "file" else _by_api(line, running)


def seconds_left(running: Replay) -> float | None:
    """Seconds until all are put back, at the rate so far; None when there is no telling yet."""
    rest = running.chosen - running.put_back - running.not_written
    if not running.busy or not running.put_back or running.ended_at is not None:
        return None
    return max(0, rest) * running.busy / running.put_back


def _by_api(line: Line, running: Replay) -> bool:
    now = line.clock.time()
    room = (
        STEP_RECEIPTS - line.journal.replay_candidates.backlog(now, STEP_RECEIPTS)
        if line.breaker.allows_requests()
        else 0
    )
    if room <= 0:
        return False
    rows, chosen = _choose(line, running, room)
    moves = [(each.seq, _move(line, running, each, fate, now)) for each, fate in chosen]
    _adopt(line, running, [each for each, _ in chosen])
    last = chosen[-1][0] if len(chosen) == room else rows[-1] if rows else None
    cursor, end = (last.at, False) if last is not None else (running.cursor, True)
    line.journal.replays.step(running, Step(cursor=cursor, end=end, moves=moves), now)
    return True


def _move(line: Line, running: Replay, each: ReplayCandidate, fate: Fate, now: float) -> Move:
    if fate is Fate.VERIFY and line.hooks.implements("confirm_receipts"):
        # It shows once it is imported; before that its absence proves nothing.
        due = max(now, (each.delivered_at or 0.0) + line.retry.confirm_after.total_seconds())
        return Move(state=State.UNCERTAIN, due=due, reason=running.why)
    return Move(state=State.ACCEPTED, due=now, reason=running.why)


def _by_file(line: Line, running: Replay, files: int) -> bool:
    if line.fallback is None:
        raise JournalError(
            f"replay {running.id} goes by file, and the pipeline has no `fallback`: add one, or"
            f" `tillpost replay stop {running.id}`"
        )
    if len(line.journal.file_states.in_states(FileState.WRITTEN)) >= files:
        return False
    rows, chosen = _choose(line, running, BATCH_RECEIPTS)
    mine = line.claims.claim((each.seq for each, _ in chosen), BATCH_RECEIPTS)
    try:
        _adopt(line, running, [each for each, _ in chosen if each.seq in mine])
        entries, not_written, last = _entries(line, [each for each, _ in chosen], mine)
        if last is None:
            last = chosen[-1][0] if len(chosen) == BATCH_RECEIPTS else rows[-1] if rows else None
        cursor, end = (last.at, False) if last is not None else (running.cursor, True)
        payloads, refused = map_for_files(line, entries)
        unnamed = "no file can name its contact"
        not_written |= {entry.seq: refused.get(entry.id, unnamed) for entry in entries if entry.id not in payloads}
        if not payloads:
            step = Step(cursor=cursor, end=end, not_written=not_written)
            line.journal.replays.step(running, step, line.clock.time())
            return True
        seqs = {entry.id: entry.seq for entry in entries}
        known = {entry.contact for entry in entries if entry.id in payloads and entry.contact}
        created, updated = line.journal.contacts.to_write(known)
        with swept_on_failure(line):
            batch = write_batch(line, created, updated, payloads, seqs)
            not_written |= {seqs[each.key]: each.reason for each in batch.written.refused if each.key in seqs}
            step = Step(cursor=cursor, end=end, batch=batch, not_written=not_written)
            line.journal.replays.step(running, step, line.clock.time())
    finally:
        line.claims.release(mine)
    return True


def _choose(line: Line, running: Replay, most: int) -> tuple[list[ReplayCandidate], list[tuple[ReplayCandidate, Fate]]]:
    """What comes next, and those of it, at most so many, that are to be put back."""
    now = line.clock.time()
    before = None if line.keep is None else now - line.keep.total_seconds()
    rows = line.journal.replay_candidates.candidates(running.order, running.cursor, max(SCAN_RECEIPTS, most))
    chosen: list[tuple[ReplayCandidate, Fate]] = []
    for each, fate in _judged(line.journal, rows, running.order, before, line.anonymous is not None):
        if fate in SELECTED:
            chosen.append((each, fate))
            if len(chosen) == most:
                break
    return rows, chosen


def _adopt(line: Line, running: Replay, chosen: Iterable[ReplayCandidate]) -> None:
    bare = [each.seq for each in chosen if each.contact is None]
    if bare and line.anonymous is not None:
        line.journal.replays.assign_contact(running, line.anonymous, bare, line.clock.time())


def _entries(
    line: Line, chosen: list[ReplayCandidate], mine: set[int]
) -> tuple[list[Entry], dict[int, str], ReplayCandidate | None]:
    """Their rows as they stand now that nobody else works on them, and why others are left out.

    The third: the last of them, when the next would make a batch of too many lines.
    """
    entries: list[Entry] = []
    not_written: dict[int, str] = {}
    total = 0
    for number, each in enumerate(chosen):
        entry = line.journal.receipts.get(each.id)
        if each.seq not in mine or entry is None or entry.state is not each.state:
            not_written[each.seq] = "it is on its way by API"
            continue
        total += entry.line_count
        if entries and total > BATCH_LINES:
            return entries, not_written, chosen[number - 1]
        entries.append(entry)
    return entries, not_written, None
