"""The promises of an observer: what it cannot take now it gets again, and no event is too strange for it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tillpost.errors import PluginError
from tillpost.model import Misconfigured, NotSent, Throttled
from tillpost.testing.destination import DestinationSuite, FakeDestination, outcome_fault
from tillpost.testing.suite import check, fail

RECEIPT, CONTACT = "12_3_2026-03-14_1001", "c0f3a1"
_AT = 1_773_498_600.0


def _event(
    seq: int, step: str, what: str, receipt: str | None = None, contact: str | None = None, **detail: Any
) -> Any:
    names = ("seq", "at", "step", "what", "detail", "receipt", "contact")
    return dict(zip(names, (seq, _AT + seq, step, what, detail, receipt, contact), strict=True))


EVENTS: tuple[Mapping[str, Any], ...] = (
    _event(1, "accept", "accepted", RECEIPT, CONTACT, document="day.xml", place="1"),
    _event(2, "resolve", "identified", contact=CONTACT, route="api", by="email"),
    _event(3, "deliver", "delivered", RECEIPT, reason="", attempts=1),
    _event(4, "deliver", "held", RECEIPT, reason="the price is not valid"),
    _event(5, "destination", "fallback", reason="no connection"),
    _event(6, "transfer", "file uploaded", contact=CONTACT, file="20260314143000_1_transactions.xml"),
    _event(7, "source", "failing", source="folder", reason="/in is not mounted"),
    _event(8, "clock", "set", seconds=-3600.0),
)
"""Events as they come; seq grows."""
_STRANGE = (
    _event(9, "a step of a later version", "something", RECEIPT, CONTACT, of={"any": ["depth", None, 1]}),
    _event(10, "accept", "accepted", damaged=True),
    _event(11, "", ""),
)


class ObserveSuite(DestinationSuite):
    """Write `destination(fault, folder)`; its `holds()` gives a list that grows with each event that was taken.

    Faults: ok, refuse (it cannot be reached), key (it refuses the credentials), throttle (too many requests), error (it
    answers that it failed). One that passes on a few kinds of events names them in `events`.
    """

    never_waived = frozenset({"taken", "strange", "given_unchanged"})

    def events(self) -> tuple[Mapping[str, Any], ...]:
        """Events that the observer does something with, in order; their seq is given here."""
        return EVENTS

    def test_taken(self, tmp_path: Path) -> None:
        """Events are taken: None is answered, and the destination has them."""
        with self.destination("ok", tmp_path) as fake:
            for event in self.events():
                self._check_taken("taken", fake, tmp_path, event)
            held = len(list(fake.holds()))
        check("taken", "" if held else "the destination has nothing of them")

    def test_strange(self, tmp_path: Path) -> None:
        """Events of a kind it does not know, or whose detail is lost, are no fault of anybody."""
        with self.destination("ok", tmp_path) as fake:
            for event in (*EVENTS, *_STRANGE):
                self._check_taken("strange", fake, tmp_path, event)

    def test_given_unchanged(self, tmp_path: Path) -> None:
        """The event stays as it is: the other observers get the same one."""
        with self.destination("ok", tmp_path) as fake:
            for event in self.events():
                given = self._observe("given_unchanged", fake, tmp_path, event)[1]
                check("given_unchanged", "" if given == event else f"it has changed event {event['seq']}")

    def test_repeated(self, tmp_path: Path) -> None:
        """An event that comes again after a crash is no error."""
        with self.destination("ok", tmp_path) as fake:
            for event in (*self.events(), *self.events()[-2:]):
                self._check_taken("repeated", fake, tmp_path, event)

    def test_away(self, tmp_path: Path) -> None:
        """A destination that cannot be reached is NotSent: the event is kept, not lost."""
        self._check_later("away", "refuse", tmp_path, NotSent)

    def test_wrong_key(self, tmp_path: Path) -> None:
        """Refused credentials are Misconfigured: a person must change a setting."""
        self._check_later("wrong_key", "key", tmp_path, Misconfigured)

    def test_throttled(self, tmp_path: Path) -> None:
        """Too many requests are Throttled."""
        self._check_later("throttled", "throttle", tmp_path, Throttled)

    def test_destination_failed(self, tmp_path: Path) -> None:
        """A destination that answers that it failed gets the event again."""
        self._check_later("destination_failed", "error", tmp_path, NotSent, Throttled)

    def _check_later(self, promise: str, fault: str, folder: Path, *allowed: type[Any]) -> None:
        event = self.events()[0]
        with self.destination(fault, folder / fault) as fake:
            answer, _ = self._observe(promise, fake, folder, event)
            check(
                promise,
                "it answers None, so the event is lost" if answer is None else outcome_fault(answer, *allowed),
                "" if answer is None or answer.reason.strip() else "the failure has no reason",
                self.leak(answer),
            )

    def _check_taken(self, promise: str, fake: FakeDestination, folder: Path, event: Mapping[str, Any]) -> None:
        answer, _ = self._observe(promise, fake, folder, event)
        check(promise, "" if answer is None else f"event {event['seq']}: it answers {type(answer).__name__}")

    def _observe(
        self, promise: str, fake: FakeDestination, folder: Path, event: Mapping[str, Any]
    ) -> tuple[Any, Mapping[str, Any]]:
        """The answer, and the copy of the event that was passed on."""
        given = copy.deepcopy(dict(event))
        try:
            return self.hooks_at(fake, folder).observe(0, given), given
        except PluginError as error:
            fail(promise, f"event {event['seq']} ({event['step']}, {event['what']}): {error}")
