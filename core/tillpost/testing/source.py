"""The promises of a source: nothing is lost or left lying, whatever happens while a document is handed over."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from tillpost.errors import JournalFull, PluginError, Stopped, TillpostError
from tillpost.journal import DocumentState
from tillpost.model import Delivered, Document, Misconfigured, NotSent
from tillpost.testing.destination import outcome_fault
from tillpost.testing.source_failures import DOCUMENTS, FailingOrigins, fill, left_over, lost
from tillpost.testing.source_trial import BAD, Killed, SourceTrial
from tillpost.testing.suite import check, fail

_KEPT = ("taken", "nothing", "later", "killed_before", "killed_after", "journal_full", "stopped")


class SourceSuite(FailingOrigins):
    """Nothing is lost or doubled, and nothing stays at the origin, whenever a process ends or a commit fails.

    Write `origin(fault, folder)`, with the faults that FailingOrigins names.
    """

    never_waived = frozenset(_KEPT)

    def test_taken(self, tmp_path: Path) -> None:
        """Every document is handed over under a name, and given up once its receipts are committed."""
        with self.origin("ok", tmp_path / "origin") as origin, self._trial(origin, tmp_path, "taken") as trial:
            fill(trial)
            trial.run()
            nameless = [each for each in trial.handed if not each.document.name.strip()]
            names: dict[str, set[str]] = {}
            for each in trial.handed:
                names.setdefault(each.document.name, set()).add(each.document.sha256)
            two = [name for name, contents in names.items() if len(contents) > 1]
            check(
                "taken",
                lost(trial),
                left_over(trial),
                "a document has no name" if nameless else "",
                f"two documents are both called {two[0]!r}: nobody can tell them apart" if two else "",
            )

    def test_nothing(self, tmp_path: Path) -> None:
        """Where there is no document, none is handed over: an adapter that finds no record in one sets it aside."""
        with self.origin("ok", tmp_path / "origin") as origin, self._trial(origin, tmp_path, "nothing") as trial:
            trial.run()
            check("nothing", f"{len(trial.handed)} documents are handed over" if trial.handed else "")

    def test_later(self, tmp_path: Path) -> None:
        """What comes later is taken, and what was taken before is not read again: at most the last document is."""
        with self.origin("ok", tmp_path / "origin") as origin, self._trial(origin, tmp_path, "later") as trial:
            fill(trial)
            trial.run()
            first = len(trial.handed)
            trial.round()
            again = len(trial.handed) - first
            trial.add("SUITE71")
            trial.run()
            check(
                "later",
                lost(trial),
                f"in a round with nothing new {again} documents are handed over again" if again > 1 else "",
            )

    def test_gives_up_late(self, tmp_path: Path) -> None:
        """The origin has a document until its receipts are committed: not moved, not acknowledged before."""
        with self.origin("ok", tmp_path / "origin") as origin, self._trial(origin, tmp_path, "gives_up_late") as trial:
            fill(trial)
            trial.run()
            early = sum(not each.there for each in trial.handed)
            check("gives_up_late", f"{early} documents are given up before they are committed" if early else "")

    def test_killed_before(self, tmp_path: Path) -> None:
        """When the process ends before a commit, the next one takes that document, and nothing is lost."""
        self._check_ends("killed_before", tmp_path, "before")

    def test_killed_after(self, tmp_path: Path) -> None:
        """When the process ends between a commit and the source, nothing is lost, and nothing stays at its origin."""
        self._check_ends("killed_after", tmp_path, "after")

    def test_journal_full(self, tmp_path: Path) -> None:
        """When nothing can be committed, the error is let out, and the same source hands the document over again."""
        for at in range(DOCUMENTS):
            folder = tmp_path / str(at)
            with self.origin("ok", folder / "origin") as origin, self._trial(origin, folder, "journal_full") as trial:
                fill(trial)
                if not self._interrupt(trial, "journal_full", "before", at, JournalFull("no room")):
                    break
                trial.run()
                check("journal_full", lost(trial), left_over(trial))

    def test_stopped(self, tmp_path: Path) -> None:
        """After `stopping` is set no further document is handed over, and Stopped is let out."""
        with self.origin("ok", tmp_path / "origin") as origin, self._trial(origin, tmp_path, "stopped") as trial:
            fill(trial)
            trial.round(after=lambda number, document: trial.stopping.set())
            further = 0 if trial.serves() else len(trial.handed) - 1
            trial.stopping = threading.Event()
            check("stopped", f"after it {further} documents are handed over" if further > 0 else "")
            self._interrupt(trial, "stopped", "after", 0, Stopped("a person wants it"))
            trial.run()
            check("stopped", lost(trial), left_over(trial))

    def test_rebuilt(self, tmp_path: Path) -> None:
        """A source that is built again takes everything, and reads again at most the last document."""
        with self.origin("ok", tmp_path / "origin") as origin, self._trial(origin, tmp_path, "rebuilt") as trial:
            for number in range(DOCUMENTS):
                trial.add(f"SUITE{number}")
                trial.run()
                trial.start()
            first = len(trial.handed)
            trial.round()
            again = len(trial.handed) - first
            check(
                "rebuilt",
                lost(trial),
                left_over(trial),
                f"after a start {again} documents are handed over again" if again > 1 else "",
            )

    def test_restored(self, tmp_path: Path) -> None:
        """A source with a cursor reads again what a journal that is restored does not have."""
        import pytest

        with self.origin("ok", tmp_path / "origin") as origin, self._trial(origin, tmp_path, "restored") as trial:
            trial.add("SUITE1")
            trial.run()
            if all(each.document.cursor is None for each in trial.handed):
                pytest.skip("waived: not asked: it gives no cursor; what was put away is found by `find_taken`")
            trial.back_up()
            trial.add("SUITE2")
            trial.run()
            trial.restore()
            trial.run()
            check("restored", lost(trial))

    def test_bad_document(self, tmp_path: Path) -> None:
        """A document that no adapter can read is kept for a person, and does not keep back the others."""
        with self.origin("ok", tmp_path / "origin") as origin, self._trial(origin, tmp_path, "bad_document") as trial:
            trial.add("SUITE1")
            trial.add(f"{BAD}2")
            trial.add("SUITE3")
            trial.run()
            bad = [each for each in trial.handed if f"{BAD}2" in each.numbers]
            beside = {number for each in bad for number in each.numbers}
            lost = [number for number in trial.missing() if number not in beside]
            kept = not trial.serves() and any(_is_kept(trial, each.document) for each in bad)
            check(
                "bad_document",
                "it is not handed over, so nobody knows of it" if not bad else "",
                f"behind it {', '.join(lost)} are not accepted" if lost else "",
                f"it is handed over {len(bad)} times" if len(bad) > 2 and not trial.serves() else "",
                "it lies nowhere any more" if bad and not kept and not trial.serves() else "",
            )

    def test_not_now(self, tmp_path: Path) -> None:
        """A document whose reading fails for now is tried again; until then somebody is told, and nothing is lost."""
        with self.origin("ok", tmp_path / "origin") as origin, self._trial(origin, tmp_path, "not_now") as trial:
            fill(trial)
            failed = 0

            def fails(number: int, document: Document) -> None:
                nonlocal failed
                if number == 1:
                    failed += 1
                    raise PluginError("suite", "cannot read it now")

            silent = False
            for _ in range(2):
                before = failed
                try:
                    answer: Any = trial.round(before=fails)
                except TillpostError as error:
                    answer = error
                told = any(each.retry_at is not None for each in trial.reports) or not isinstance(answer, int)
                silent = silent or (failed > before and not told and not trial.serves())
            trial.run()
            check(
                "not_now",
                lost(trial),
                left_over(trial),
                "it neither reports the document nor lets the error out" if silent else "",
            )

    def test_repeated(self, tmp_path: Path) -> None:
        """What its origin has twice is taken twice, without an error, and nothing of it stays."""
        with self.origin("ok", tmp_path / "origin") as origin, self._trial(origin, tmp_path, "repeated") as trial:
            for _ in range(2):
                trial.add("SUITE1")
                trial.add("SUITE2")
            trial.run()
            check("repeated", lost(trial), left_over(trial))

    def test_probe(self, tmp_path: Path) -> None:
        """`probe_source`, where there is one, takes nothing, and says when documents could not be taken."""
        with self.origin("ok", tmp_path / "origin") as origin, self._trial(origin, tmp_path, "probe") as trial:
            if not trial.hooks.implements("probe_source"):
                return
            fill(trial)
            here = trial.left()
            outcome = trial.hooks.probe_source()
            check(
                "probe",
                outcome_fault(outcome, Delivered),
                "documents are gone from the origin after it" if trial.left() != here else "",
            )
            trial.run()
            check("probe", lost(trial))
        away = tmp_path / "away"
        with self.origin("refuse", away / "origin") as origin, self._trial(origin, away, "probe") as trial:
            outcome = trial.hooks.probe_source()
            check("probe", outcome_fault(outcome, NotSent, Misconfigured), self._leak(getattr(outcome, "reason", "")))

    def _check_ends(self, promise: str, folder: Path, when: str) -> None:
        """The process ends before or after each commit, one after the other; then another one goes on."""
        for at in range(DOCUMENTS):
            place = folder / str(at)
            with self.origin("ok", place / "origin") as origin, self._trial(origin, place, promise) as trial:
                fill(trial)
                error = JournalFull("the process ends here") if trial.serves() else Killed()
                if not self._interrupt(trial, promise, when, at, error):
                    return
                trial.start()
                trial.run()
                check(promise, lost(trial), left_over(trial))

    def _interrupt(self, trial: SourceTrial, promise: str, when: str, at: int, error: BaseException) -> bool:
        """A round in which `accept` raises at this document; whether it came that far. The source must let it out."""
        hit: list[Document] = []

        def step(number: int, document: Document) -> None:
            if number == at:
                hit.append(document)
                raise error

        let_out = False
        try:
            trial.round(**{when: step})
        except BaseException as raised:
            if raised is not error:
                raise
            let_out = True
        if hit and not let_out and not trial.serves():
            fail(
                promise,
                f"{type(error).__name__} of `accept` is not let out: the source goes on as if it were committed",
            )
        return bool(hit)


def _is_kept(trial: SourceTrial, document: Document) -> bool:
    """Whether a document that was set aside lies somewhere: in the journal, at its origin, or where its source says."""
    for entry in trial.journal.documents.open():
        if entry.state is DocumentState.SET_ASIDE and entry.sha256 == document.sha256:
            is_there = bool(entry.place) and (document.path is None or Path(entry.place).exists())
            return is_there or trial.journal.documents.content(entry.seq) is not None
    return False
