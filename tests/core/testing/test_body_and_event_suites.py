"""The suites of mappings, amendments and observers see what they are for: small plugins with one bug each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from tillpost import Plugin, hookimpl, simple
from tillpost.errors import InvalidValue
from tillpost.model import Delivered, Identifier, Misconfigured, NotSent, Payload, Receipt, Throttled
from tillpost.testing import AmendSuite, FakeDestination, MapSuite, ObserveSuite
from tillpost.testing.suite import Suite


@attrs.frozen(kw_only=True)
class Settings:
    """Nothing to set."""


def plugin(slot: str, hooks: object) -> Plugin:
    return simple("small", slot, Settings, lambda _settings, _context: hooks)


def broken(suite: type[Suite], folder: Path) -> dict[str, str]:
    found = {}
    for promise in suite.promises():
        test = getattr(suite(), f"test_{promise}")
        try:
            test(*([folder / promise] if "tmp_path" in test.__code__.co_varnames else []))
        except pytest.fail.Exception as failed:
            found[promise] = str(failed)
    return found


@attrs.define(eq=False)
class Body:
    bug: str = ""
    count: int = 0

    @hookimpl
    def map_receipt(self, receipt: Receipt, match: Identifier) -> Payload:
        self.count += 1
        if not receipt.lines:
            who = receipt.customer.identifiers[0].value if receipt.customer and self.bug == "shows who bought" else ""
            raise (KeyError if self.bug == "raises for no lines" else InvalidValue)(f"has no lines {who}")
        lines: list[Any] = [
            {
                "sku": line.sku,
                "quantity": abs(line.quantity) if self.bug == "sign lost" else line.quantity,
                "paid": abs(line.paid) if self.bug == "sign lost" else line.paid,
            }
            for line in receipt.lines
        ]
        total: Any = abs(receipt.total) if self.bug == "sign lost" else receipt.total
        fields: dict[str, Any] = {"contact": match.value, "total": total, "lines": lines}
        if self.bug == "total as float":
            fields["total"] = float(total)
        if self.bug == "total rounded":
            fields["total"] = total.quantize(Decimal(1)) + 1
        if self.bug == "date in the body":
            fields["day"] = receipt.business_date
        if self.bug == "None in the body":
            fields["till"] = None
        if self.bug == "counts":
            fields["number"] = self.count
        if self.bug == "first line alone":
            del lines[1:]
        if self.bug == "without who":
            del fields["contact"]
        if self.bug == "every identifier" and receipt.customer:
            fields["known"] = [each.value for each in receipt.customer.identifiers]
        return Payload(receipt_id="r" if self.bug == "another id" else receipt.id, match=match, fields=fields)


MAPS = {
    "shows who bought": "refused",
    "raises for no lines": "refused",
    "total as float": "values",
    "total rounded": "total",
    "date in the body": "values",
    "None in the body": "values",
    "counts": "same_twice",
    "first line alone": "lines",
    "without who": "matched",
    "every identifier": "matched",
    "another id": "refused",
    "sign lost": "return_told_apart",
}


def map_suite(bug: str = "") -> type[MapSuite]:
    return type("Small", (MapSuite,), {"plugin": plugin("map", Body(bug))})


def test_b4_a_sound_mapping_keeps_every_promise(tmp_path: Path) -> None:
    assert broken(map_suite(), tmp_path) == {}


@pytest.mark.parametrize("bug", MAPS)
def test_a_bug_of_a_mapping_breaks_its_promise(bug: str, tmp_path: Path) -> None:
    assert MAPS[bug] in broken(map_suite(bug), tmp_path)


@attrs.define(eq=False)
class Amendment:
    bug: str = ""

    @hookimpl
    def amend_payload(self, payload: Payload, receipt: Receipt) -> Payload | None:
        if self.bug == "nothing" or receipt.total < 0:
            return None
        if self.bug == "in place":
            payload.fields["contact"]["note"] = "x"
            return payload
        if self.bug == "no customer":
            raise KeyError("attribute")
        if self.bug == "another id":
            return attrs.evolve(payload, receipt_id="r")
        note: Any = date(2026, 3, 14) if self.bug == "a date" else Decimal("NaN") if self.bug == "NaN" else "x"
        return attrs.evolve(payload, fields={**payload.fields, "note": note})


AMENDMENTS = {
    "nothing": "changes",
    "in place": "given_unchanged",
    "no customer": "refused",
    "another id": "refused",
    "a date": "values",
    "NaN": "values",
}


def amend_suite(bug: str = "") -> type[AmendSuite]:
    return type("Small", (AmendSuite,), {"plugin": plugin("amend", Amendment(bug))})


def test_b4_a_sound_amendment_keeps_every_promise(tmp_path: Path) -> None:
    assert broken(amend_suite(), tmp_path) == {}


@pytest.mark.parametrize("bug", AMENDMENTS)
def test_a_bug_of_an_amendment_breaks_its_promise(bug: str, tmp_path: Path) -> None:
    assert AMENDMENTS[bug] in broken(amend_suite(bug), tmp_path)


@attrs.define(eq=False)
class Observer:
    fault: str
    bug: str
    taken: list[Any] = attrs.field(factory=list)

    @hookimpl
    def observe(self, event: Mapping[str, Any]) -> Any:
        if self.bug == "knows its events" and event["step"] not in ("accept", "resolve"):
            raise KeyError(event["step"])
        if self.bug == "needs a detail" and not event["detail"]["of"]:
            return None
        if self.bug == "marks it":
            event["seen"] = True  # type: ignore[index]
        if self.bug == "refuses repeats" and event["seq"] in self.taken:
            raise ValueError("again")
        if self.bug == "answers":
            return Delivered()
        if self.bug == "swallows":
            return None
        failures = {
            "key": Misconfigured(reason="the token s3cr3t-token is refused" if self.bug == "shows key" else "refused"),
            "throttle": Throttled(reason="too many", retry_after=3.0),
            "error": NotSent(reason="" if self.bug == "no reason" else "it answers 500"),
        }
        if self.fault == "refuse":
            if self.bug == "raises when away":
                raise RuntimeError("no connection")
            raise ConnectionRefusedError(111, "connection refused")
        if self.fault in failures:
            return NotSent(reason="failed") if self.bug == "all is an outage" else failures[self.fault]
        if self.bug != "does nothing":
            self.taken.append(event["seq"])
        return None


OBSERVERS = {
    "knows its events": "strange",
    "needs a detail": "strange",
    "marks it": "given_unchanged",
    "refuses repeats": "repeated",
    "answers": "taken",
    "swallows": "away",
    "shows key": "wrong_key",
    "no reason": "destination_failed",
    "raises when away": "away",
    "all is an outage": "throttled",
    "does nothing": "taken",
}


def observe_suite(bug: str = "") -> type[ObserveSuite]:
    class Small(ObserveSuite):
        plugin = plugin("observe", None)
        secrets = ("s3cr3t-token",)

        @contextmanager
        def destination(self, fault: str, folder: Path) -> Iterator[FakeDestination]:
            observer = Observer(fault, bug)
            uses: Mapping[str, Mapping[str, Any]] = {"observe": {}}
            yield FakeDestination(uses=uses, holds=lambda: observer.taken, plugin=_of(observer))

    return Small


def _of(observer: Observer) -> Plugin:
    return plugin("observe", observer)


def test_b4_a_sound_observer_keeps_every_promise(tmp_path: Path) -> None:
    assert broken(observe_suite(), tmp_path) == {}


@pytest.mark.parametrize("bug", OBSERVERS)
def test_a_bug_of_an_observer_breaks_its_promise(bug: str, tmp_path: Path) -> None:
    found = broken(observe_suite(bug), tmp_path)
    assert OBSERVERS[bug] in found
    assert "s3cr3t" not in "".join(found.values())


@pytest.mark.parametrize("suite", [MapSuite, AmendSuite, ObserveSuite])
def test_every_promise_says_what_it_promises(suite: type[Suite]) -> None:
    assert all(suite.promises().values())
    assert not (suite.never_waived - suite.promises().keys())
