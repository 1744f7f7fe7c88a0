"""Replay: send receipts of a store's days again, after a person has seen the plan.

A few at a time, and only while few others are due, so that live receipts and the backlog go first. Engage ignores a
receipt it has (Engage contract, save a receipt): id and content stay the same, so no receipt is there twice.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from tillpost.errors import JournalError
from tillpost.flow.fallback.write_files import BATCH_LINES, BATCH_RECEIPTS, map_for_files, swept_on_failure, write_batch
from tillpost.flow.leases import Duty
from tillpost.flow.line import Line
from tillpost.flow.upkeep.replay_plan import SELECTED, Fate, with_fates
from tillpost.journal import Entry, FileState, Move, Replay, ReplayCandidate, ReplayStep, State

STEP_RECEIPTS = 100
"""Receipts a replay by API queues at once, and only while fewer are due, so that it can be stopped quickly."""
SCAN_RECEIPTS = 500
"""Receipts a step reads: most may need no replay, and the thread has other work."""
MAX_WAITING_FILES = 20
"""Files waiting to be uploaded with which a replay by file beside live traffic writes no more."""


def replay(line: Line, files: int = MAX_WAITING_FILES) -> bool:
    """Take a step of the oldest running replay; True when it did something, and another may follow at once.

    files: with so many files waiting to be uploaded, a replay by file writes no more.
    """
    if not line.duties.holds(Duty.REPLAY):
        return False
    running = line.journal.replays.running()
    if running is None or line.guard.closed or line.tenant.pending is not None:
        return False  # receipts of the replay would be mapped with a mapping that is not released
    return _by_file(line, running, files) if running.order.by == "file" else _by_api(line, running)


def seconds_left(running: Replay) -> float | None:
    """Seconds until all receipts are sent, at the rate so far; None while it is unknown."""
    remaining = running.chosen - running.put_back - running.not_written
    if not running.busy or not running.put_back or running.ended_at is not None:
        return None
    return max(0, remaining) * running.busy / running.put_back


def _by_api(line: Line, running: Replay) -> bool:
    now = line.clock.time()
    if not line.breaker.allows_requests():
        return False
    room = STEP_RECEIPTS - line.journal.replay_candidates.backlog(now, STEP_RECEIPTS)
    if room <= 0:
        return False
    chosen, last = _choose(line, running, room)
    moves = [(receipt.seq, _move(line, running, receipt, fate, now)) for receipt, fate in chosen]
    _adopt(line, running, [receipt for receipt, _ in chosen])
    cursor = running.cursor if last is None else last.at
    step = ReplayStep(cursor=cursor, end=last is None, seen=_seen(chosen), moves=moves)
    line.journal.replays.step(running, step, now)
    return True


def _move(line: Line, running: Replay, receipt: ReplayCandidate, fate: Fate, now: float) -> Move:
    if fate is Fate.VERIFY and line.hooks.implements("confirm_receipts"):
        # Before its import its absence from the history proves nothing.
        due = max(now, (receipt.delivered_at or 0.0) + line.retry.confirm_after.total_seconds())
        return Move(state=State.UNCERTAIN, due=due, reason=running.why)
    return Move(state=State.ACCEPTED, due=now, reason=running.why)


def _by_file(line: Line, running: Replay, files: int) -> bool:
    if line.fallback is None:
        raise JournalError(
            f"replay {running.id} is by file, and the pipeline has no `fallback`; nothing is replayed. Add a"
            f" `fallback`, or stop it: `tillpost replay stop {running.id}`"
        )
    if len(line.journal.file_states.in_states(FileState.WRITTEN)) >= files:
        return False
    chosen, last = _choose(line, running, BATCH_RECEIPTS)
    claimed = line.claims.claim((receipt.seq for receipt, _ in chosen), BATCH_RECEIPTS)
    try:
        _adopt(line, running, [receipt for receipt, _ in chosen if receipt.seq in claimed])
        entries, not_written, cut_after = _entries(line, [receipt for receipt, _ in chosen], claimed)
        last = cut_after or last
        payloads, refused = map_for_files(line, entries)
        unnamed = "no file can name its contact"
        not_written |= {entry.seq: refused.get(entry.id, unnamed) for entry in entries if entry.id not in payloads}
        cursor = running.cursor if last is None else last.at
        written = {entry.seq for entry in entries}
        seen = _seen((receipt, fate) for receipt, fate in chosen if receipt.seq in written)
        step = ReplayStep(cursor=cursor, end=last is None, seen=seen, not_written=not_written)
        if not payloads:
            line.journal.replays.step(running, step, line.clock.time())
            return True
        seqs = {entry.id: entry.seq for entry in entries}
        known = {entry.contact for entry in entries if entry.id in payloads and entry.contact}
        created, updated = line.journal.contacts.to_write(known)
        with swept_on_failure(line):
            batch = write_batch(line, created, updated, payloads, seqs)
            refusals = batch.written.refused
            not_written |= {seqs[receipt.key]: receipt.reason for receipt in refusals if receipt.key in seqs}
            step = attrs.evolve(step, batch=batch, not_written=not_written)
            line.journal.replays.step(running, step, line.clock.time())
    finally:
        line.claims.release(claimed)
    return True


def _choose(
    line: Line, running: Replay, limit: int
) -> tuple[list[tuple[ReplayCandidate, Fate]], ReplayCandidate | None]:
    """The next receipts to be sent, at most `limit`, and the last one that was examined; None: none is left."""
    now = line.clock.time()
    before = None if line.keep is None else now - line.keep.total_seconds()
    rows = line.journal.replay_candidates.candidates(running.order, running.cursor, max(SCAN_RECEIPTS, limit))
    chosen: list[tuple[ReplayCandidate, Fate]] = []
    for receipt, fate in with_fates(line.journal, rows, running.order, before, line.anonymous is not None):
        if fate in SELECTED:
            chosen.append((receipt, fate))
            if len(chosen) == limit:
                return chosen, receipt
    return chosen, rows[-1] if rows else None


def _seen(chosen: Iterable[tuple[ReplayCandidate, Fate]]) -> dict[int, tuple[State, float]]:
    return {receipt.seq: (receipt.state, receipt.changed_at) for receipt, _ in chosen}


def _adopt(line: Line, running: Replay, chosen: Iterable[ReplayCandidate]) -> None:
    without_contact = [receipt.seq for receipt in chosen if receipt.contact is None]
    if without_contact and line.anonymous is not None:
        line.journal.replays.assign_contact(running, line.anonymous, without_contact, line.clock.time())


def _entries(
    line: Line, chosen: list[ReplayCandidate], claimed: set[int]
) -> tuple[list[Entry], dict[int, str], ReplayCandidate | None]:
    """The current rows of receipts that are claimed, and why others are omitted.

    The third value is the last receipt of the batch, when the next one would give it too many lines.
    """
    entries: list[Entry] = []
    not_written: dict[int, str] = {}
    total = 0
    for number, receipt in enumerate(chosen):
        entry = line.journal.receipts.get(receipt.id)
        if receipt.seq not in claimed or entry is None or entry.state is not receipt.state:
            not_written[receipt.seq] = "it is on its way by API"
            continue
        total += entry.line_count
        if entries and total > BATCH_LINES:
            return entries, not_written, chosen[number - 1]
        entries.append(entry)
    return entries, not_written, None
