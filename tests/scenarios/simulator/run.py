"""Runs a schedule step by step, checks the invariants after each step, and lets everything settle at the end."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Literal

import attrs

from tests.scenarios.simulator.determinism import seeded
from tests.scenarios.simulator.engage import Engage
from tests.scenarios.simulator.faults import Killed
from tests.scenarios.simulator.invariants import InvariantBroken, Invariants
from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.schedule import Step, outage, schedule
from tests.scenarios.simulator.till import PEOPLE, REGISTERED, Day, day
from tillpost.errors import DocumentError, JournalFull, TillpostError
from tillpost.flow.delivery.deliver import claim, deliver
from tillpost.flow.delivery.verify import verify
from tillpost.flow.intake.accept import accept
from tillpost.flow.limits import TransferPolicy
from tillpost.flow.retry_policy import MAX_CRASHES
from tillpost.flow.upkeep.replay import replay
from tillpost.flow.upkeep.replay_plan import plan
from tillpost.flow.worker import maintain
from tillpost.journal import OPEN_FILES, ReplayOrder, State

BOUND = 3 * 86400.0
"""Seconds in which everything must have settled once the faults are over; the longest wait of the flow is the six
hours of `confirm_within`, and clocks that were set back a few hours make it longer."""
_ROUNDS = 1500


@attrs.frozen(kw_only=True)
class Failure:
    """A failed run. step: the index of the last step that ran; -1: while settling."""

    seed: int
    mode: str
    step: int
    message: str

    def __str__(self) -> str:
        where = "while it settled" if self.step < 0 else f"after step {self.step}"
        return (
            f"seed {self.seed} ({self.mode}), {where}: {self.message}\n"
            f"  again: python -m tests.scenarios.simulator --mode {self.mode} --seed {self.seed} --shrink"
        )


class Run:
    """One schedule on one machine."""

    def __init__(self, seed: int, folder: Path, random: Random) -> None:
        own = Random(f"day {seed}")
        self.day: Day = day(own)
        engage = Engage(tells_existing=own.random() < 0.3)
        engage.refusable = set(self.day.refusable)
        imports = Random(f"imports {seed}")
        engage.keeps_existing = imports.random() < 0.5
        engage.import_drops = frozenset(imports.choice(((), ("firstName",), ("mobilePhone",))))
        silent = Random(f"left out {seed}")
        engage.follows_merges = silent.random() < 0.5
        engage.ignores = frozenset(known for ids in self.day.ids for known in ids if silent.random() < 0.06)
        when: Literal["restored", "asap"] = "asap" if own.random() < 0.3 else "restored"
        self.machine = Machine(folder, random, engage, TransferPolicy(when=when), self._deadly(seed))
        self.invariants = Invariants(self.machine, self.day)
        self.unacknowledged = self.invariants.unacknowledged
        last = Random(f"last replay {seed}")
        self._last_replay = last.randrange(1000) if last.random() < 0.3 else 0
        """The replay of everything, once all has settled; 0: none."""

    def _deadly(self, seed: int) -> dict[str, int]:
        """In one seed of four the name of a document that ends the process, and the record at which it does."""
        own = Random(f"deadly {seed}")
        number = own.randrange(len(self.day.documents))
        return {self.day.documents[number].name: own.randrange(self.day.records[number])} if own.random() < 0.25 else {}

    def step(self, step: Step) -> None:
        """One step, with its faults. It catches what the worker's loops catch."""
        machine = self.machine
        machine.random.seed(step.salt)
        machine.faults.arm(step.requests, step.transfers, step.kill_at, step.full_at)
        try:
            self._do(step)
        except Killed:
            machine.restart()
        except JournalFull:
            pass  # the worker waits a second and goes on
        except (TillpostError, OSError) as error:
            raise InvariantBroken(f"{step.kind} raised {type(error).__name__}: {error}") from error
        finally:
            machine.faults.disarm()
        self.invariants.check()

    def _do(self, step: Step) -> None:
        machine = self.machine
        match step.kind:
            case "accept":
                self.accept(step.number % len(self.day.documents))
            case "claim":
                machine.outbox.run_round()
            case "deliver":
                self._deliver(step)
            case "maintain":
                maintain(machine.line)
                replay(machine.line)
            case "verify":
                verify(machine.line)
            case "replay":
                self._replay(step.number)
                replay(machine.line)
            case "time":
                self.pass_time(step.seconds)
            case "clock":
                machine.clock.jump(step.seconds)
            case "api away":
                machine.faults.api = outage(step)
            case "api back":
                machine.faults.api = "ok"
            case "files away":
                machine.faults.files = outage(step)
            case "files back":
                machine.faults.files = "ok"
            case "import":
                self._import(step.number)
            case "web shop":
                self._web_shop(step.number)
            case "merge" | "erase":
                self._change_people(step)
            case "restart":
                machine.restart()
            case "retry held":
                # A person resolves a conflict, or retries what is held.
                if step.number % 2 or not self._resolve_conflict(step.number):
                    self._retry_held(step.number)
            case "resend":
                self._resend(step.number)

    def accept(self, number: int) -> None:
        """The source hands over a document, and it is acknowledged."""
        document = self.day.documents[number]
        self.unacknowledged.add(number)
        ids = self.day.ids[number]
        try:
            accept(self.machine.line, document)
        except DocumentError:
            # Set aside: what stands before the record that ends the process is accepted.
            self.invariants.set_aside.add(number)
            ids = ids[: self.machine.deadly[document.name]]
        else:
            self.invariants.acknowledged_documents.add(number)
        self.unacknowledged.discard(number)
        self.invariants.acknowledged.update(ids)
        self.machine.faults.cross("right after the acknowledgement")

    def _deliver(self, step: Step) -> None:
        """What the worker's threads do: perform one job. Its outcome may be settled later."""
        machine = self.machine
        if step.meanwhile:
            machine.client.meanwhile = lambda: self._meanwhile(step.meanwhile)
        job = machine.job()
        if job is None:
            machine.outbox.run_round()
            job = machine.job()
        if job is not None:
            machine.outbox.perform(job)
        if step.number % 3:
            machine.outbox.run_round()
        machine.client.meanwhile = None

    def _meanwhile(self, what: str) -> None:
        """The work of another thread, which meets a full disk by itself."""
        with suppress(JournalFull):
            if what == "maintain":
                maintain(self.machine.line)
                return
            for entry in claim(self.machine.line, 1):
                try:
                    deliver(self.machine.line, entry)
                finally:
                    self.machine.line.claims.release([entry.seq])

    def pass_time(self, seconds: float) -> None:
        """Time passes for the pipeline and the destination."""
        self.machine.clock.advance(seconds)
        now = self.machine.clock.monotonic()
        self.machine.engage.advance(now)
        self.machine.imports.advance(now)

    def _import(self, number: int) -> None:
        """The importer may read any file at any moment."""
        names = sorted(self.machine.imports.files)
        if names:
            self.machine.imports.read(names[number % len(names)])
        else:
            self.machine.engage.import_queue()

    def _change_people(self, step: Step) -> None:
        engage = self.machine.engage
        people = sorted(engage.people.values(), key=lambda person: person.id)
        if step.kind == "erase" and people:
            engage.erase(people[step.number % len(people)])
        elif len(people) > 1:
            at = step.number % (len(people) - 1)
            engage.merge(people[at + 1], people[at])

    def _web_shop(self, number: int) -> None:
        engage = self.machine.engage
        people = sorted(engage.people.values(), key=lambda person: person.id)
        if number % 3 == 0 and people:
            engage.rename(people[number // 3 % len(people)], f"Web {number}")
        elif number % 3 == 1:
            # A household: each key of a customer is somebody else's there.
            for kind, value in PEOPLE[number // 3 % len(PEOPLE)].items():
                engage.register({kind: value})
        else:
            engage.register(REGISTERED[number % len(REGISTERED)])

    def _resolve_conflict(self, number: int) -> bool:
        """A person says which of the contacts is meant."""
        journal = self.machine.line.journal
        rows = [row for row in journal.contacts.all() if row["conflict"]]
        if rows:
            row = rows[number % len(rows)]
            candidates = [contact_id for contact_id in row["conflict"]["found"].values() if contact_id]
            journal.contact_lookups.resolve_conflict(
                row["key"], candidates[number % len(candidates)], self.machine.clock.time()
            )
        return bool(rows)

    def _retry_held(self, number: int) -> None:
        held = [entry for entry in self.machine.line.journal.receipts.find({"state": State.HELD}) if entry.contact]
        if held:
            entry = held[number % len(held)]
            self.machine.line.journal.held.retry(entry, None, self.machine.clock.time())

    def _resend(self, number: int) -> None:
        files = [entry for entry in self.machine.line.journal.files.all() if entry.file.path.exists()]
        if files:
            self.machine.line.journal.files.resend(files[number % len(files)].file.name, self.machine.clock.time())

    def _replay(self, number: int) -> None:
        """A person replays the day, by API or by file, with or without unverified receipts."""
        journal, now = self.machine.line.journal, self.machine.clock.time()
        order = ReplayOrder(
            reason="simulated", who="a person", by=("api", "file")[number % 2], store="12", till="",
            first="2026-01-01", last="2027-12-31", unverified=number % 3 > 0, newest=journal.replay_candidates.newest(),
        )  # fmt: skip
        made = plan(journal, order, None, True, now)
        journal.replays.start(order, made.json(), made.chosen, now)

    def settle(self) -> None:
        """The faults are over: within `BOUND` seconds everything is delivered, or held for a stated reason."""
        machine = self.machine
        machine.faults.end()
        machine.random.seed(0)
        ended = 0
        while self.unacknowledged:
            try:
                self.accept(min(self.unacknowledged))
            except Killed:
                ended += 1
                if ended > MAX_CRASHES:
                    raise InvariantBroken(f"a document ended the process {ended} times") from None
                machine.restart()
        end = machine.clock.monotonic() + BOUND
        for _ in range(_ROUNDS):
            maintain(machine.line)
            replay(machine.line)
            verify(machine.line)
            machine.outbox.run_round()
            while (job := machine.job()) is not None:
                machine.outbox.perform(job)
                machine.outbox.run_round()
            self.invariants.check()
            if self._quiet() and not self._resolve_conflict(0):
                self.invariants.settled()
                if not self._last_replay:
                    return
                self._replay(self._last_replay)
                self._last_replay, end = 0, machine.clock.monotonic() + BOUND
            self.pass_time(self._next())
            if machine.clock.monotonic() > end:
                raise InvariantBroken(f"not settled within {BOUND:g} s: {self._left()}")
        raise InvariantBroken(
            f"not settled within {_ROUNDS} rounds, {machine.clock.monotonic() - end + BOUND:g} s: {self._left()}"
        )

    def _quiet(self) -> bool:
        journal = self.machine.line.journal
        return not (
            journal.receipts.count_unsettled()
            or journal.file_states.open_states()
            or journal.replays.running()
            or journal.verification.next_due() is not None
            or self.machine.engage.queue
            or self.machine.line.breaker.destination.state != "online"
        )

    def _next(self) -> float:
        """Seconds to the next moment at which something can happen."""
        machine = self.machine
        now, destination = machine.clock.time(), machine.line.breaker.destination
        offset = now - machine.clock.monotonic()
        moments = [machine.engage.next_receipts + offset, machine.imports.next_import + offset, now + 300.0]
        moments.append(machine.line.journal.verification.next_due() or now)
        moments += [standing.due for standing in machine.line.journal.file_states.in_states(*OPEN_FILES)]
        if machine.line.breaker.allows_requests():
            moments.append(machine.line.journal.receipts.next_due() or now)
        else:
            moments.append(destination.probe_due)
        return max(1.0, min((moment for moment in moments if moment > now), default=now) - now)

    def _left(self) -> str:
        journal = self.machine.line.journal
        receipts = {state: count for state, count in journal.receipts.counts().items() if count}
        files = [f"{entry.file.kind} {entry.state} ({entry.reason})" for entry in journal.files.open()]
        return f"{receipts}, destination {self.machine.line.breaker.destination.state}, files {files}"


def run(seed: int, mode: str, folder: Path, steps: Sequence[Step] | None = None) -> Failure | None:
    """One seed. mode: `safety` (any faults, nothing is lost) or `liveness` (then they end, and everything settles)."""
    home = folder / "state"
    step = -1
    with seeded(seed) as random:
        running = Run(seed, home, random)
        try:
            for step, each in enumerate(schedule(seed) if steps is None else steps):  # noqa: B007
                running.step(each)
            if mode == "liveness":
                step = -1
                running.settle()
        except InvariantBroken as broken:
            return Failure(seed=seed, mode=mode, step=step, message=str(broken))
        except (TillpostError, OSError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            return Failure(seed=seed, mode=mode, step=step, message=f"{type(error).__name__}: {error}")
        finally:
            running.machine.stop()
            shutil.rmtree(home)
    return None


def shrink(failure: Failure, folder: Path) -> tuple[Step, ...]:
    """The steps the failure needs: leave out one after the other, until none can be, then their faults."""
    steps = list(schedule(failure.seed))
    if failure.step >= 0:
        steps = steps[: failure.step + 1]

    def fails(tried: list[Step]) -> bool:
        return run(failure.seed, failure.mode, folder, tried) is not None

    shrunk = True
    while shrunk:
        shrunk = False
        for at in reversed(range(len(steps))):
            tried = steps[:at] + steps[at + 1 :]
            if fails(tried):
                steps, shrunk = tried, True
    for at in range(len(steps)):
        for plain in ({"requests": ()}, {"transfers": ()}, {"kill_at": 0}, {"full_at": 0}, {"meanwhile": ""}):
            tried = [*steps[:at], attrs.evolve(steps[at], **plain), *steps[at + 1 :]]
            if steps[at] != tried[at] and fails(tried):
                steps = tried
    return tuple(steps)
