"""The promises of a source about an origin that fails; and how their trials are made."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

from tillpost.errors import TillpostError
from tillpost.model import Misconfigured, NotSent, Throttled
from tillpost.testing.destination import outcome_fault
from tillpost.testing.source_trial import FakeOrigin, SourceTrial, source_trial
from tillpost.testing.suite import Suite, check, fail

DOCUMENTS = 4
_TIMES = 60
"""Rounds that fail in an hour, at a minute each."""

_ANSWERS = ("wrong_key", "throttled", "origin_failed", "cut", "foreign_page")


class FailingOrigins(Suite):
    """Write `origin(fault, folder)`: a fresh origin with this fault.

    Faults: ok, refuse (it cannot be reached: nothing listens, the folder is away), key (it refuses the credentials),
    throttle (too many requests), error (it answers that it failed), cut (the connection breaks in the middle of a
    document), page (it answers with what is not its own, such as a page of a proxy). `FakeOrigin.heal()` ends them.
    """

    secrets: ClassVar[tuple[str, ...]] = ()
    """Keys and passwords of the origin: no reason may contain one."""
    called: ClassVar[bool] = False
    """Whether its senders call the source, so that it asks nobody; of the faults there is `refuse` then: the address on
    which it listens is taken."""

    def not_asked(self, promise: str) -> str:
        """A promise about answers, of a source that asks nobody."""
        return "its senders call it" if self.called and promise in _ANSWERS else ""

    def origin(self, fault: str, folder: Path) -> AbstractContextManager[FakeOrigin]:
        """A fresh origin with this fault ("ok" for none), which has no document yet."""
        raise NotImplementedError(f"write `origin` for {type(self).__name__}; the fault asked for is {fault!r}")

    def test_away(self, tmp_path: Path) -> None:
        """An origin that cannot be reached is NotSent, and afterwards everything is taken."""
        self._check_failure("away", "refuse", tmp_path, NotSent)

    def test_wrong_key(self, tmp_path: Path) -> None:
        """Refused credentials are Misconfigured: a person must change a setting."""
        self._check_failure("wrong_key", "key", tmp_path, Misconfigured)

    def test_throttled(self, tmp_path: Path) -> None:
        """Too many requests are Throttled."""
        self._check_failure("throttled", "throttle", tmp_path, Throttled)

    def test_origin_failed(self, tmp_path: Path) -> None:
        """An origin that answers that it failed is NotSent, and does not count as one without documents."""
        self._check_failure("origin_failed", "error", tmp_path, NotSent, Throttled)

    def test_cut(self, tmp_path: Path) -> None:
        """A part of a document is never handed over; afterwards the whole one is."""
        self._check_failure("cut", "cut", tmp_path, NotSent)

    def test_foreign_page(self, tmp_path: Path) -> None:
        """What is not the origin's own is neither a document nor the end of them."""
        self._check_failure("foreign_page", "page", tmp_path, NotSent, Misconfigured)

    def test_hour(self, tmp_path: Path) -> None:
        """After an hour of failures it has used up nothing (files, threads), and takes everything."""
        with self.origin("refuse", tmp_path / "origin") as origin, self._trial(origin, tmp_path, "hour") as trial:
            trial.round()
            before = _open_files(), threading.active_count()
            for _ in range(_TIMES):
                trial.round()
            after = _open_files(), threading.active_count()
            origin.heal()
            fill(trial)
            trial.run()
            grown = [
                f"{_TIMES} failing rounds leave {now - then} {what} open"
                for what, then, now in zip(("files", "threads"), before, after, strict=True)
                if now - then > _TIMES // 4
            ]
            check("hour", *grown, lost(trial), left_over(trial))

    def _trial(self, origin: FakeOrigin, folder: Path, promise: str) -> AbstractContextManager[SourceTrial]:
        return source_trial(self.plugin_name(), self.loaded_plugin(), origin, folder / "state", promise)

    def _check_failure(self, promise: str, fault: str, folder: Path, *allowed: type[Any]) -> None:
        with self.origin(fault, folder / "origin") as origin, self._trial(origin, folder, promise) as trial:
            fill(trial)
            try:
                answer = trial.round()
            except TillpostError as error:
                fail(promise, f"the source raises: {error}")
            torn = [each for each in trial.handed if not each.numbers]
            reason = "" if isinstance(answer, int) else answer.reason
            check(
                promise,
                outcome_fault(answer, *allowed) if not isinstance(answer, int) else f"it answers {answer} documents",
                f"it hands over {torn[0].document.name!r}, which is no document of its origin" if torn else "",
                "" if isinstance(answer, int) or reason.strip() else "the failure has no reason",
                self._leak(reason),
            )
            origin.heal()
            trial.run()
            check(promise, lost(trial), left_over(trial))

    def _leak(self, reason: str) -> str:
        return "the reason shows a key or a password" if any(each in reason for each in self.secrets if each) else ""


def fill(trial: SourceTrial) -> None:
    """Put documents at the origin: one with several receipts, the others with one."""
    trial.add("SUITE1", "SUITE11")
    for number in range(2, DOCUMENTS):
        trial.add(f"SUITE{number}")


def lost(trial: SourceTrial) -> str:
    missing = trial.missing()
    return f"{', '.join(missing)} are at the origin and not in the journal" if missing else ""


def left_over(trial: SourceTrial) -> str:
    left = sorted(trial.left())
    return f"{', '.join(left)} are committed and still at the origin" if left and not trial.missing() else ""


def _open_files() -> int:
    """Open files of this process; 0 where the system does not say."""
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return 0
