"""A source at work as in a pipeline, on a journal of its own; the suite decides what happens while it hands over."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import attrs

from tillpost.clock import SystemClock
from tillpost.compose.standalone import standalone_hooks
from tillpost.errors import DocumentError, PluginError, TillpostError
from tillpost.flow.breaker import Breaker
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.intake.accept import accept
from tillpost.flow.intake.served_source import ServedSource
from tillpost.flow.intake.source_health import SourceFailure, reason_of
from tillpost.flow.limits import RetryPolicy, SourcePolicy
from tillpost.flow.line import Line
from tillpost.journal import Journal
from tillpost.model import Document, DocumentTrouble, Found, NotSent
from tillpost.plugin import Plugin
from tillpost.testing.suite import fail
from tillpost.testing.transport import receipt

BAD = "SUITEBAD"
"""How the numbers of documents begin that the suite's adapter refuses as a whole."""
_NUMBER = re.compile(rb"SUITE(?:BAD)?[0-9]+")
_ROUNDS = 40
_LONG = 15.0
"""Seconds in which a source that serves takes what there is, and ends once it is asked to."""
Step = Callable[[int, Document], object]
"""What happens to the document of this number, in the order in which they are handed over; it may raise."""


@attrs.frozen(kw_only=True)
class FakeOrigin:
    """What a source takes its documents from, running while a promise is tried.

    uses: the table of slot `source` for this origin, as a configuration writes it.
    add: puts one document there (a file, a page, a message) that has every text it is given (`add("SUITE1")`), as
    whatever tells receipts apart there, such as their number.
    left: the contents that are still there for the source; None where the origin keeps everything and the source's
    cursor says what is new. heal: ends the fault. send: for a source that is called: its senders send what was not
    acknowledged. hang_up: closes what a process that has ended leaves open.
    plugin: instead of the suite's, where a fault has to be built into the plugin.
    """

    uses: Mapping[str, Any]
    add: Callable[..., object]
    left: Callable[[], Iterable[bytes]] | None = None
    heal: Callable[[], object] = lambda: None
    send: Callable[[], object] | None = None
    hang_up: Callable[[], object] = lambda: None
    plugin: Plugin | None = None


class Killed(BaseException):
    """The process ends here: nothing of it accepts any more."""


class _Clock(SystemClock):
    """A clock that can be set ahead, on which waits take no time."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self.ahead += max(0.0, seconds)
        return stop.is_set()


@attrs.frozen
class HandedOver:
    """A document that was handed to `accept`. there: whether its origin still had it then; True where nobody knows."""

    document: Document
    numbers: frozenset[str]
    there: bool


class SourceTrial:
    """One journal, and processes that have the source, one after the other."""

    def __init__(self, name: str, plugin: Plugin, origin: FakeOrigin, folder: Path, promise: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.origin, self.folder, self.clock = origin, folder, _Clock()
        self.handed: list[HandedOver] = []
        self.reports: list[DocumentTrouble] = []
        self.stopping = threading.Event()
        self._name, self._plugin, self._promise = name, origin.plugin or plugin, promise
        self._dead, self._added = False, set[str]()
        self.journal = Journal(folder / "journal")
        self.start()

    def start(self) -> None:
        """A new process: the plugin is built again, and knows nothing."""
        self.origin.hang_up()
        self._dead = False
        self.hooks = standalone_hooks(
            self._name, self._plugin, {"source": self.origin.uses}, folder=self.folder, clock=self.clock,
            cursor=lambda: self.journal.sources.cursor(self._name),
        )  # fmt: skip
        hooks = HookCalls({**self.hooks.callers, "parse_receipts": [("suite", _read)]})
        retry, chance = RetryPolicy(), Random(1)  # noqa: S311 - jitter
        self._line = Line(
            name="suite", journal=self.journal, hooks=hooks, clock=self.clock, random=chance,
            breaker=Breaker(self.journal, retry, self.clock, chance), source=SourcePolicy(poll=timedelta(seconds=1)),
            retry=retry, fallback=None, transfer=None, anonymous=None, workers=1,
        )  # fmt: skip

    def back_up(self) -> None:
        """Keep a copy of the journal as it is."""
        self.journal.close()
        shutil.copytree(self.folder / "journal", self.folder / "backup")
        self.journal = Journal(self.folder / "journal")
        self.start()

    def restore(self) -> None:
        """Take the copy instead of the journal."""
        self.journal.close()
        self.journal = Journal(self.folder / "backup")
        self.start()

    def add(self, *numbers: str) -> None:
        """Put a document with these numbers at the origin."""
        self._added.update(numbers)
        self.origin.add(*numbers)

    def accepted(self) -> set[str]:
        """The numbers of the receipts that are in the journal."""
        return {entry.id for entry in self.journal.receipts.find({})}

    def missing(self) -> list[str]:
        """Good numbers that were put at the origin and are not in the journal."""
        return sorted(number for number in self._added - self.accepted() if not number.startswith(BAD))

    def left(self) -> frozenset[str]:
        """The numbers that the origin still has for the source."""
        return frozenset() if self.origin.left is None else frozenset().union(*map(_numbers, self.origin.left()))

    def round(self, before: Step = lambda n, d: None, after: Step = lambda n, d: None) -> int | SourceFailure:
        """One round of the source, or a while of serving; what it answers. Raises what `accept` raised, let out.

        before, after: called before and after each commit.
        """
        first = len(self.handed)

        def take(document: Document) -> Mapping[str, int]:
            if self._dead:
                raise Killed
            number = len(self.handed) - first
            numbers = _numbers(_content(document))
            there = self.origin.left is None or numbers <= self.left()
            self.handed.append(HandedOver(document, numbers, there))
            try:
                before(number, document)
                counts = served(document) if served else accept(self._line, document, source=self._name).as_dict()
                after(number, document)
            except BaseException as error:
                raised.append(error)
                self._dead = self._dead or isinstance(error, Killed)
                raise
            return counts

        raised: list[BaseException] = []
        served: ServedSource | None = None
        try:
            if self.serves():
                assert self._line.source is not None
                served = ServedSource(self._line, self._line.source, self.stopping)
                return self._serve(take, raised) or len(self.handed) - first
            self.reports.clear()
            self.clock.ahead += 61.0
            return self.hooks.collect_documents(take, self._report, self.stopping)
        except (TillpostError, OSError) as error:
            if error in raised or isinstance(error, PluginError):
                raise
            return NotSent(reason=reason_of(error))  # as in a pipeline

    def _report(self, trouble: DocumentTrouble) -> None:
        self.reports.append(trouble)
        self.journal.documents.report(trouble, self._name, self.clock.time())

    def serves(self) -> bool:
        """Whether the source is called by its senders."""
        return self.hooks.implements("serve_documents")

    def run(self) -> None:
        """Rounds until nothing new comes. Fails the promise when the source does not answer with a number."""
        quiet = 0
        for _ in range(_ROUNDS):
            known = {number for each in self.handed for number in each.numbers}
            first = len(self.handed)
            try:
                answer = self.round()
            except TillpostError as error:
                fail(self._promise, f"the source raises: {error}")
            if not isinstance(answer, int):
                fail(self._promise, f"the source answers {type(answer).__name__} ({answer.reason})")
            quiet = quiet + 1 if all(each.numbers <= known for each in self.handed[first:]) else 0
            if quiet == (1 if self.serves() else 2):
                return
        fail(self._promise, f"after {_ROUNDS} rounds it still hands over something new")

    def close(self) -> None:
        """Close the journal."""
        self.stopping.set()
        self.origin.hang_up()
        self.journal.close()

    def _serve(
        self, take: Callable[[Document], Mapping[str, int]], raised: list[BaseException]
    ) -> SourceFailure | None:
        ready, stopping = threading.Event(), self.stopping
        answers: list[SourceFailure | BaseException | None] = []

        def serve() -> None:
            try:
                answers.append(self.hooks.serve_documents(take, stopping, ready.set))
            except BaseException as error:  # noqa: BLE001 - raised to the promise below
                answers.append(error)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        _until(lambda: ready.is_set() or bool(answers))
        if self.origin.send is not None and not answers:
            self.origin.send()
        elif not answers:
            _until(lambda: bool(answers or raised) or stopping.is_set() or not (self.missing() or self.left()), 3.0)
        stopping.set()
        thread.join(_LONG)
        self.stopping = threading.Event()
        if thread.is_alive():
            fail(self._promise, f"it still serves {_LONG:g} s after it was asked to end")
        answer = answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


@contextmanager
def source_trial(name: str, plugin: Plugin, origin: FakeOrigin, folder: Path, promise: str) -> Iterator[SourceTrial]:
    """The trial; its journal is closed at the end."""
    trial = SourceTrial(name, plugin, origin, folder, promise)
    try:
        yield trial
    finally:
        trial.close()


def _until(is_so: Callable[[], bool], seconds: float = _LONG) -> None:
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if is_so():
            return
        pause.wait(0.02)


def _content(document: Document) -> bytes:
    with document.open() as file:
        return file.read()


def _numbers(content: bytes) -> frozenset[str]:
    return frozenset(number.decode() for number in _NUMBER.findall(content))


def _read(document: Document) -> Iterator[Found]:
    """The suite's adapter: a receipt for each number, whatever the document looks like."""
    numbers: Sequence[str] = sorted(_numbers(_content(document)))
    if any(number.startswith(BAD) for number in numbers):
        raise DocumentError("is one that no adapter can read", document.name)
    for number in numbers:
        yield Found(receipt=receipt(number), raw=number.encode())
