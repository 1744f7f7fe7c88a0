"""Replays: receipts of a store's days that a person sends again. The rows are the audit trail and hold the progress.

A step moves its receipts, records them and moves the cursor in one commit, so that it continues there after a crash.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from tillpost.errors import ChangedMeanwhile, JournalError
from tillpost.journal.database import Table, Transaction, first
from tillpost.journal.moves import Move, apply_moves
from tillpost.journal.states import OPEN, REPLAYS, State
from tillpost.journal.tables import contact_links, events
from tillpost.journal.tables.batches import Batch, insert_batch, record_refused
from tillpost.model import Customer

RUNNING, STOPPED, DONE = "running", "stopped", "done"
"""States of a replay: moving receipts, stopped by a person, all receipts moved."""

_LONGEST = 10.0
"""Most seconds between two steps that count as work of the replay; in longer gaps it did not run."""
_UNSETTLED = ", ".join(f"'{state}'" for state in (*OPEN, State.WRITTEN, State.TRANSFERRED))


@attrs.frozen(kw_only=True)
class ReplayOrder:
    """The request of a person. first, last: business dates (ISO 8601), both included; till: "" is every till.

    by: `api` or `file`. unverified: also what was accepted by API and no history has shown.
    newest: the last row in the plan; receipts accepted later are not part of it.
    """

    reason: str
    who: str
    by: str
    store: str
    till: str
    first: str
    last: str
    unverified: bool = attrs.field(converter=bool)
    newest: int


@attrs.frozen
class ReplayCursor:
    """The last receipt that was examined: its business date, the time of its sale (UTC), its row."""

    day: str = ""
    moment: str = ""
    after: int = 0


@attrs.frozen(kw_only=True)
class Replay:
    """A replay and its progress. planned: the number and amount of each class, as the person confirmed it.

    chosen: receipts to be sent again. put_back: receipts moved so far; not_written: chosen ones no file could contain.
    busy: seconds in which it made progress, for the rate. Times in seconds since 1970.
    """

    id: int
    order: ReplayOrder
    planned: Mapping[str, Any]
    chosen: int
    state: str
    cursor: ReplayCursor
    put_back: int
    not_written: int
    made_at: float
    stepped_at: float | None
    busy: float
    ended_at: float | None

    @property
    def why(self) -> str:
        """The reason of the moves."""
        return f"replayed because {self.order.reason} (replay {self.id})"


@attrs.frozen(kw_only=True)
class ReplayStep:
    """The result of a step of a replay. end: no receipt is left to examine.

    seen: row → state and time of the last change of the receipts it chose, when it chose them.
    """

    cursor: ReplayCursor
    end: bool
    seen: Mapping[int, tuple[State, float]] = attrs.field(factory=dict)
    moves: Sequence[tuple[int, Move]] = ()
    batch: Batch | None = None
    not_written: Mapping[int, str] = attrs.field(factory=dict)
    """Row → why no file can contain the receipt, which is not changed."""


class Replays(Table):
    """The table of replays."""

    def start(self, order: ReplayOrder, planned: Mapping[str, Any], chosen: int, now: float) -> int:
        """Insert a replay for `run` to carry out; returns its number."""

        def work(transaction: Transaction) -> int:
            rows = transaction.execute(
                "INSERT INTO replays (reason, who, by, store, till, first, last, unverified, newest, made_at, planned,"
                " chosen, state, ended_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING id",
                (
                    *(int(each) if isinstance(each, bool) else each for each in attrs.astuple(order)), now,
                    json.dumps(planned), chosen, RUNNING if chosen else DONE, None if chosen else now,
                ),
            )  # fmt: skip
            number = int(first(rows))
            events.record(transaction, now, "replay", "started", replay=number, by=order.by, chosen=chosen)
            return number

        return self._database.write(work)

    def assign_contact(self, replay: Replay, anonymous: Customer, seqs: Sequence[int], now: float) -> None:
        """Set the anonymous contact for receipts without one."""

        def work(transaction: Transaction) -> None:
            key = contact_links.find_or_create(transaction, anonymous, replay.order.store, now, now)
            # Of one that a person has given its customer meanwhile, that stays.
            transaction.executemany(
                "UPDATE receipts SET contact = ? WHERE seq = ? AND contact IS NULL", [(key, seq) for seq in seqs]
            )

        self._database.write(work)

    def step(self, replay: Replay, step: ReplayStep, now: float) -> None:
        """Make the moves of a step and set the cursor, in one commit.

        Raises JournalError when the replay has been stopped meanwhile, or a receipt has changed since it was chosen:
        a person may have discarded it. Then nothing is changed, and the next step chooses again.
        """

        def work(transaction: Transaction) -> None:
            if first(transaction.execute("SELECT state FROM replays WHERE id = ?", (replay.id,))) != RUNNING:
                raise ChangedMeanwhile(f"replay {replay.id} was stopped meanwhile")
            for seq, seen in step.seen.items():
                current = transaction.execute("SELECT state, changed_at FROM receipts WHERE seq = ?", (seq,)).fetchone()
                if current != seen:
                    raise ChangedMeanwhile(f"row {seq} has changed since replay {replay.id} chose it; it chooses again")
            back = [seq for seq, _ in step.moves]
            if step.batch is not None:
                back += [
                    step.batch.seqs[key]
                    for file in step.batch.written.files
                    if file.kind == "receipts"
                    for key in file.keys
                ]
            _reset(transaction, replay.id, back)
            for seq, move in step.moves:
                apply_moves(transaction, [seq], move, now, "replay", REPLAYS)
            if step.batch is not None:
                insert_batch(transaction, step.batch, now, "replay", reviewed=False, reason=replay.why, allowed=REPLAYS)
                for refused in step.batch.written.refused:
                    if refused.key not in step.batch.seqs:  # of a contact; a receipt is omitted
                        record_refused(transaction, refused, step.batch.seqs, now)
            for seq, reason in step.not_written.items():
                detail = {"reason": f"{replay.why}; left as it was: {reason}"}
                events.record(transaction, now, "replay", "not in a file", receipt=seq, **detail)
            gap = now - replay.stepped_at if replay.stepped_at is not None else 0.0
            transaction.execute(
                "UPDATE replays SET state = ?1, ended_at = ?2, day = ?3, moment = ?4, after = ?5,"
                " put_back = put_back + ?6, not_written = not_written + ?7,"
                " stepped_at = ?8, busy = busy + ?9 WHERE id = ?10",
                (
                    DONE if step.end else RUNNING, now if step.end else None, *attrs.astuple(step.cursor), len(back),
                    len(step.not_written), now, gap if 0.0 <= gap <= _LONGEST else 0.0, replay.id,
                ),
            )  # fmt: skip
            if step.end:
                events.record(transaction, now, "replay", "put back", replay=replay.id)

        self._database.write(work)

    def set_state(self, number: int, old: str, new: str, now: float) -> None:
        """Stop or resume a replay, on behalf of a person. Raises JournalError when it is not in the state `old`."""

        def work(transaction: Transaction) -> None:
            ended = None if new == RUNNING else now
            changed = transaction.execute(
                "UPDATE replays SET state = ?, ended_at = ?, stepped_at = NULL WHERE id = ? AND state = ? RETURNING id",
                (new, ended, number, old),
            )
            if not changed.fetchone():
                raise JournalError(f"replay {number} is not {old}")
            what = "stopped" if new == STOPPED else "resumed"
            events.record(transaction, now, "replay", what, replay=number)

        self._database.write(work)

    def running(self) -> Replay | None:
        """The oldest replay that is running."""
        return next(iter(self._list("state = 'running' ORDER BY id LIMIT 1")), None)

    def get(self, number: int) -> Replay | None:
        """By its number."""
        return next(iter(self._list("id = ?", number)), None)

    def all(self) -> list[Replay]:
        """Every replay, the oldest first."""
        return self._list("TRUE ORDER BY id")

    def count_states(self, number: int) -> dict[str, int]:
        """The states of its receipts now, counted; without those that retention has removed."""
        rows = self._database.read(
            "SELECT r.state, count(*) FROM replayed p JOIN receipts r ON r.seq = p.receipt WHERE p.replay = ?"
            " GROUP BY r.state",
            (number,),
        )
        return {str(state): int(count) for state, count in rows}

    def in_progress(self, number: int) -> bool:
        """Whether a receipt it has moved is not settled yet."""
        sql = f"SELECT 1 FROM receipts r WHERE r.seq = p.receipt AND r.state IN ({_UNSETTLED})"  # noqa: S608 - ours
        return bool(
            self._database.read(f"SELECT 1 FROM replayed p WHERE p.replay = ? AND EXISTS ({sql}) LIMIT 1", (number,))  # noqa: S608
        )

    def _list(self, clause: str, *values: Any) -> list[Replay]:
        asked = [field.name for field in attrs.fields(ReplayOrder)]
        own = (
            "id", "planned", "chosen", "state", "day", "moment", "after",
            "put_back", "not_written", "made_at", "stepped_at", "busy", "ended_at",
        )  # fmt: skip
        sql = f"SELECT {', '.join((*own, *asked))} FROM replays WHERE {clause}"  # noqa: S608 - ours
        return [_replay(dict(zip((*own, *asked), row, strict=True)), asked) for row in self._database.read(sql, values)]


def _replay(row: dict[str, Any], asked: Iterable[str]) -> Replay:
    order = ReplayOrder(**{name: row.pop(name) for name in asked})
    cursor = ReplayCursor(row.pop("day"), row.pop("moment"), row.pop("after"))
    return Replay(order=order, cursor=cursor, planned=json.loads(row.pop("planned")), **row)


def _reset(transaction: Transaction, number: int, seqs: Sequence[int]) -> None:
    """Record the receipts of a replay, and clear how they were delivered before."""
    transaction.executemany(
        "INSERT INTO replayed SELECT ?, seq, state FROM receipts WHERE seq = ?"
        " ON CONFLICT (replay, receipt) DO NOTHING",
        [(number, seq) for seq in seqs],
    )
    transaction.executemany(
        "UPDATE receipts SET route = '', file = '', matched = '', delivered_at = NULL, verified_at = NULL,"
        " verify_due = NULL, looks = 0, sending = NULL, crashes = 0"
        " WHERE seq = ?",
        [(seq,) for seq in seqs],
    )
