"""The promises of a transport: what a fault means, told by whether the destination may have the receipt."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

from tillpost.model import (
    Delivered,
    Identifier,
    Line,
    LineKind,
    MaybeSent,
    Misconfigured,
    NotSent,
    Outcome,
    Payload,
    RawRef,
    Receipt,
    Refused,
    Tender,
    Throttled,
)
from tillpost.testing.far import Far, FarSuite
from tillpost.testing.suite import broken, keep

RECEIPT_ID = "12_3_2026-03-14_1001"
KEY = Identifier("externalId", "C-1001")


def receipt(receipt_id: str = RECEIPT_ID, lines: int = 1, name: str = "Blå kopp") -> Receipt:
    """A receipt of so many lines at 10.00."""
    made = tuple(
        Line(
            kind=LineKind.PURCHASE,
            sku="A-1",
            quantity=Decimal(1),
            paid=Decimal("10.00"),
            article_number="A-1",
            article_name=name,
        )
        for _ in range(lines)
    )
    total = Decimal("10.00") * lines
    return Receipt(
        id=receipt_id,
        number="1001",
        created=datetime(2026, 3, 14, 14, 30, tzinfo=UTC),
        business_date=date(2026, 3, 14),
        store="12",
        till="3",
        currency="SEK",
        total=total,
        lines=made,
        tenders=(Tender(type="card", amount=total),),
        raw=RawRef(sha256="0" * 64, document="suite", place="1"),
    )


class TransportSuite(FarSuite):
    """Write `far_side(fault, folder)`; its `holds()` gives the ids of the receipts the destination has.

    Faults: ok, refuse (nobody listens), hang (reads, never answers), reset (takes it, then the connection breaks),
    half (takes it, half an answer), page (answers 200 with a page that is not its own), error (says it failed),
    throttle, key (does not take the key), address (there is no such place), redirect, slow (a byte a second).
    """

    deadline: ClassVar[float] = 5.0
    """Seconds after which the plugin, set up by `far_side`, gives up."""

    def payload(self, far: Far, folder: Path) -> Payload:
        """What is delivered; by the plugin's own `map`, where it has one."""
        return self.hooks({"map": {}}, folder).map_receipt(receipt(), KEY)

    def bad_payload(self, far: Far, folder: Path) -> Payload:
        """One the destination cannot take."""
        good = self.payload(far, folder)
        return Payload(receipt_id=good.receipt_id, match=good.match, fields={})

    def test_delivered(self, tmp_path: Path) -> None:
        """What the destination took is Delivered, and it has it once under the receipt's id."""
        self._told("delivered", "ok", (Delivered,), tmp_path, taken=True)

    def test_unreachable(self, tmp_path: Path) -> None:
        """No connection is NotSent."""
        self._told("unreachable", "refuse", (NotSent,), tmp_path)

    def test_silence(self, tmp_path: Path) -> None:
        """A request that left and got no answer is MaybeSent."""
        self._told("silence", "hang", (MaybeSent,), tmp_path)

    def test_reset(self, tmp_path: Path) -> None:
        """A connection that breaks after the request is MaybeSent."""
        self._told("reset", "reset", (MaybeSent,), tmp_path)

    def test_half_answer(self, tmp_path: Path) -> None:
        """Half an answer is MaybeSent."""
        self._told("half_answer", "half", (MaybeSent,), tmp_path)

    def test_foreign_page(self, tmp_path: Path) -> None:
        """A success that is not the destination's own answer is no success."""
        self._told("foreign_page", "page", (NotSent, MaybeSent), tmp_path)

    def test_far_side_failed(self, tmp_path: Path) -> None:
        """A destination that says it failed did not refuse the receipt."""
        self._told("far_side_failed", "error", (NotSent, MaybeSent), tmp_path)

    def test_throttled(self, tmp_path: Path) -> None:
        """Too many requests is Throttled."""
        self._told("throttled", "throttle", (Throttled,), tmp_path)

    def test_wrong_key(self, tmp_path: Path) -> None:
        """A key that is not taken is Misconfigured: it is not the receipt's fault. `probe` says so too."""
        self._told("wrong_key", "key", (Misconfigured,), tmp_path)
        with self.far_side("key", tmp_path) as far:
            outcome = self.at(far, tmp_path).probe()
        keep("wrong_key", "" if isinstance(outcome, Misconfigured) else f"probe says {_kind(outcome)}")

    def test_wrong_address(self, tmp_path: Path) -> None:
        """A place that does not exist is Misconfigured."""
        self._told("wrong_address", "address", (Misconfigured,), tmp_path)

    def test_redirect(self, tmp_path: Path) -> None:
        """A redirect is never followed: the key would go along."""
        self._told("redirect", "redirect", (Misconfigured,), tmp_path)

    def test_refused(self, tmp_path: Path) -> None:
        """What the destination cannot take is Refused, with a reason."""
        with self.far_side("ok", tmp_path) as far:
            outcome = self.at(far, tmp_path).deliver(self.bad_payload(far, tmp_path))
        if not isinstance(outcome, Refused) or not outcome.reason:
            broken("refused", f"the outcome is {_kind(outcome)}, not Refused with a reason")

    def test_deadline(self, tmp_path: Path) -> None:
        """An answer that drips ends at the plugin's own deadline, not at its last byte."""
        with self.far_side("slow", tmp_path) as far:
            hooks, payload = self.at(far, tmp_path), self.payload(far, tmp_path)
            begun = time.monotonic()
            outcome = hooks.deliver(payload)
            took = time.monotonic() - begun
        keep(
            "deadline",
            "" if took < self.deadline * 2 + 5 else f"it took {took:.0f} s, the deadline is {self.deadline} s",
            "" if isinstance(outcome, MaybeSent) else f"the outcome is {_kind(outcome)}, not MaybeSent",
        )

    def test_probe(self, tmp_path: Path) -> None:
        """`probe` asks and changes nothing."""
        with self.far_side("ok", tmp_path) as far:
            outcome = self.at(far, tmp_path).probe()
            held = list(far.holds())
        if not isinstance(outcome, Delivered) or held:
            broken("probe", f"it says {_kind(outcome)}, and the destination has {len(held)} receipts")

    def _told(
        self, promise: str, fault: str, allowed: tuple[type, ...], folder: Path, taken: bool | None = None
    ) -> None:
        with self.far_side(fault, folder) as far:
            outcome = self.at(far, folder).deliver(self.payload(far, folder))
            held = list(far.holds())
        words = " or ".join(kind.__name__ for kind in allowed)
        keep(
            promise,
            "" if isinstance(outcome, allowed) else f"the outcome is {_kind(outcome)}, not {words}",
            "it has arrived, and NotSent would send it again" if held and isinstance(outcome, NotSent) else "",
            f"the destination has {len(held)} receipts" if taken and held != [RECEIPT_ID] else "",
            self.shown(outcome, KEY.value),
        )


def _kind(outcome: Outcome) -> str:
    return type(outcome).__name__
