"""What must hold after every step, whatever faults it had."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import Day
from tillpost.journal import MOVES, REPLAYS, VERIFICATIONS, State
from tillpost.journal.sqlite.doctor.examine import account_faults

_STATES = frozenset(State)
_FILE_STATES = {"written": ("written",), "transferred": ("uploaded", "consumed")}


class InvariantBroken(AssertionError):
    """An invariant does not hold; the message says which, and for what."""


class Invariants:
    """Checks a machine against what was acknowledged to its tills. Remembers which events it has read."""

    def __init__(self, machine: Machine, day: Day) -> None:
        self._machine = machine
        self._day = day
        self._folder = str(machine.disk.folder)
        self._ids_of_the_tills = {receipt_id for ids in day.ids for receipt_id in ids}
        self.acknowledged: set[str] = set()
        self.acknowledged_documents: set[int] = set()
        self.set_aside: set[int] = set()
        """Documents that were not read to their end."""
        self.unacknowledged: set[int] = set()
        """Documents the source still has, and hands over again."""
        self._events = 0
        self._was: dict[int, State] = {}
        self._ids: Counter[str] = Counter()
        self._read: dict[str, tuple[str, int]] = {}
        self._seen = 0
        self._rows: list[tuple[Any, ...]] = []
        self._files: list[tuple[Any, ...]] = []
        machine.disk.about_to_commit = self.files_are_whole

    def check(self) -> None:
        """Raise InvariantBroken for the first invariant that does not hold."""
        self._look()
        rows = self._rows
        self._nothing_acknowledged_is_lost({row[0] for row in rows})
        self._no_receipt_has_a_second_id()
        for receipt_id, state, reason, _, _, verified in rows:
            if state not in _STATES:
                raise InvariantBroken(f"{receipt_id} is in the state {state!r}, which does not exist")
            if state in (State.HELD, State.SKIPPED) and not reason:
                raise InvariantBroken(f"{receipt_id} is {state} without a reason")
            if state == State.DELIVERED and not self._there(receipt_id, verified is not None):
                known = "verified" if verified is not None else "delivered"
                raise InvariantBroken(f"{receipt_id} counts as {known}, and Engage does not have it")
        self.files_are_whole()
        self._files_hold_what_the_rows_say(rows)
        self._engage_saw_no_violation()

    def _look(self) -> None:
        """Read the journal as it stands now."""
        if self._machine.disk.changes == self._seen:
            return
        self._seen = self._machine.disk.changes
        self._rows = self._machine.store.read("SELECT id, state, reason, route, file, verified_at FROM receipts")
        self._files = self._machine.store.read(
            "SELECT name, state, sha256, path, keys, kind FROM files WHERE state <> 'confirmed'"
        )
        self._every_move_is_drawn()
        self._conflicts_are_held()
        self._the_account_adds_up()

    def _nothing_acknowledged_is_lost(self, known: set[str]) -> None:
        if lost := self.acknowledged - known:
            raise InvariantBroken(f"acknowledged and lost: {', '.join(sorted(lost))}")

    def _the_account_adds_up(self) -> None:
        """Each record of a document that was acknowledged is in its account, and each row belongs to one document."""
        store = self._machine.store
        for fault in account_faults(store.read):
            raise InvariantBroken(f"the account does not add up: {fault}")
        records = dict(store.read("SELECT sha256, max(records) FROM documents WHERE state = 'read' GROUP BY sha256"))
        for number in self.acknowledged_documents:
            document = self._day.documents[number]
            if records.get(document.sha256) != self._day.records[number]:
                read = records.get(document.sha256, "no")
                raise InvariantBroken(
                    f"{document.name} has {self._day.records[number]} records, and its account has {read}"
                )
        known = {
            name for (name,) in store.read("SELECT name FROM documents WHERE state = 'set aside' AND reason <> ''")
        }
        for number in self.set_aside - self.unacknowledged:
            if (name := self._day.documents[number].name) not in known:
                raise InvariantBroken(f"{name} was set aside, and nothing says so")
        accepted = store.read("SELECT count(*) FROM receipts")[0][0]
        if (
            of_documents := store.read("SELECT coalesce(sum(last - first + 1), 0) FROM document_rows")[0][0]
        ) != accepted:
            raise InvariantBroken(f"the account has {of_documents} receipts, and the journal {accepted}")

    def _no_receipt_has_a_second_id(self) -> None:
        if made := self._machine.engage.ids() - self._ids_of_the_tills:
            raise InvariantBroken(f"Engage was given an id no till made: {', '.join(sorted(made))}")

    def _conflicts_are_held(self) -> None:
        """A receipt is held for a conflict only while its contact has one, and says how a person resolves it."""
        for receipt_id, reason, conflict in self._machine.store.read(
            "SELECT r.id, r.reason, c.conflict FROM receipts r JOIN contacts c ON c.key = r.contact"
            " WHERE r.state = 'held' AND r.reason LIKE 'conflict%'"
        ):
            if not conflict or "tillpost contacts resolve" not in reason:
                raise InvariantBroken(
                    f"{receipt_id} is held for a conflict ({reason}), and its contact has {conflict!r}"
                )

    def _there(self, receipt_id: str, verified: bool) -> bool:
        engage = self._machine.engage
        there = receipt_id in engage.saved if verified else engage.took(receipt_id)
        return there or receipt_id in engage.forgiven

    def files_are_whole(self) -> None:
        """Every file the journal names is on the disk, even if the power fails now."""
        self._look()
        for name, state, sha256, path, _, _ in self._files:
            if self._digest(path) != sha256:
                raise InvariantBroken(f"the {state} file {name} is not on the disk as it was written")

    def _files_hold_what_the_rows_say(self, rows: list[tuple[Any, ...]]) -> None:
        states: dict[str, str] = {}
        holder: dict[str, str] = {}
        for name, state, _, _, keys, kind in self._files:
            states[name] = state
            if kind == "receipts":
                for receipt_id in json.loads(keys):
                    if holder.setdefault(receipt_id, name) != name:
                        raise InvariantBroken(f"{receipt_id} is in two files at once")
        for receipt_id, state, _, _, file, _ in rows:
            if state in _FILE_STATES:
                if holder.get(receipt_id) != file:
                    raise InvariantBroken(f"{receipt_id} is {state}, and no open file has it")
                if states[file] not in _FILE_STATES[state]:
                    raise InvariantBroken(f"{receipt_id} is {state}, and its file is {states[file]}")

    def _digest(self, path: str) -> str:
        """The digest of a file; no file is written twice, so a known one is not read again."""
        whole = os.path.join(self._folder, path)  # noqa: PTH118 - asked for each file before each commit
        try:
            written = os.stat(whole).st_mtime_ns  # noqa: PTH116 - likewise
        except FileNotFoundError:
            return "missing"
        digest, known = self._read.get(path, ("", 0))
        if known != written:
            digest = hashlib.sha256(Path(whole).read_bytes()).hexdigest()
            self._read[path] = digest, written
        return digest

    def _every_move_is_drawn(self) -> None:
        for seq, receipt, contact, step, what in self._machine.store.read(
            "SELECT seq, receipt, contact, step, what FROM events WHERE seq > ? ORDER BY seq", (self._events,)
        ):
            self._events = seq
            if receipt is not None and (what == "sending" or what in _STATES):
                state = State.RESOLVED if what == "sending" else State(what)
                old = self._was.get(receipt)
                # Only a replay and the verification may make more moves.
                allowed = {"replay": REPLAYS, "verify": VERIFICATIONS}.get(step, MOVES).get(old, ()) if old else ()
                if old is not None and state is not old and state not in allowed:
                    raise InvariantBroken(
                        f"receipt {receipt} went from {old} to {state}, which docs/states.md does not draw"
                    )
                self._was[receipt] = state
            elif contact is not None and what in ("id learnt", "created", "id forgotten"):
                self._ids[contact] += -1 if what == "id forgotten" else 1
                if self._ids[contact] > 1:
                    raise InvariantBroken(
                        f"the contact {contact} learnt a second id without having forgotten the first"
                    )

    def _engage_saw_no_violation(self) -> None:
        if found := self._machine.engage.violations:
            raise InvariantBroken(f"Engage saw: {found[0]}")
        for kind in self._machine.engage.doubled():
            raise InvariantBroken(f"Engage has two contacts with one {kind}")

    def settled(self) -> None:
        """Liveness: every receipt is verified, except odd ones and those Engage left out, which are held or skipped."""
        machine = self._machine
        account = machine.line.journal.accounts.of_journal()
        if left := account.receipts["on_the_way"] + account.broken["on_the_way"]:
            raise InvariantBroken(f"by the account {left} are on their way when all has settled")
        for entry in machine.line.journal.receipts.find({}):
            excused = entry.id in self._day.odd or "#" in entry.id or entry.id in machine.engage.forgiven
            excused = excused or entry.id in machine.engage.ignored
            # Engage has it under a contact that no key of the customer leads to any more: a person is told.
            excused = excused or (entry.id in machine.engage.saved and "(contact gone)" in entry.reason)
            # The import has made no contact of a customer whose e-mail is somebody else's; the reason says what helps.
            excused = excused or (entry.id in machine.engage.dropped and "(customer unknown)" in entry.reason)
            if entry.state is State.DELIVERED and entry.verified_at is None and entry.id not in machine.engage.forgiven:
                raise InvariantBroken(f"{entry.id} is accepted by API and nobody knows what became of it")
            if entry.state is State.DELIVERED or (excused and entry.state in (State.HELD, State.SKIPPED)):
                continue
            raise InvariantBroken(f"{entry.id} ended as {entry.state} ({entry.reason})")
        if strays := self._strays():
            raise InvariantBroken(f"left in the fallback folder: {', '.join(sorted(strays))}")

    def _strays(self) -> set[str]:
        return {path.name for path in self._machine.line.journal.fallback_folder.rglob("*") if path.is_file()}
