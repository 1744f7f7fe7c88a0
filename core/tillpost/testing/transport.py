"""The promises of a transport: the outcome of a fault says whether the destination may have the receipt."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

from tillpost.model import (
    Contact,
    Delivered,
    History,
    Identifier,
    Line,
    LineKind,
    MaybeSent,
    Misconfigured,
    NotSent,
    Payload,
    RawRef,
    Receipt,
    ReceiptRef,
    Refused,
    Tender,
    Throttled,
)
from tillpost.testing.destination import DestinationSuite, FakeDestination, outcome_fault
from tillpost.testing.suite import check

RECEIPT_ID = "12_3_2026-03-14_1001"
KEY = Identifier("externalId", "C-1001")


def receipt(receipt_id: str = RECEIPT_ID, lines: int = 1, name: str = "Blå kopp") -> Receipt:
    """A receipt of so many lines at 10.00."""
    price, total = Decimal("10.00"), Decimal("10.00") * lines
    line = Line(
        kind=LineKind.PURCHASE, sku="A-1", quantity=Decimal(1), paid=price, article_number="A-1", article_name=name
    )
    return Receipt(
        id=receipt_id,
        number="1001",
        created=datetime(2026, 3, 14, 14, 30, tzinfo=UTC),
        business_date=date(2026, 3, 14),
        store="12",
        till="3",
        currency="SEK",
        total=total,
        lines=(line,) * lines,
        tenders=(Tender(type="card", amount=total),),
        raw=RawRef(sha256="0" * 64, document="suite", place="1"),
    )


class TransportSuite(DestinationSuite):
    """Write `destination(fault, folder)`; its `holds()` gives the ids of the receipts the destination has.

    Faults: ok, refuse (nothing listens), hang (reads, never answers), reset (takes it, then the connection breaks),
    half (takes it, sends half an answer), page (answers 200 with a page that is not its own), error (answers that it
    failed), throttle, key (refuses the key), address (there is no such path), redirect, slow (a byte a second).
    """

    deadline: ClassVar[float] = 5.0
    """Seconds after which the plugin, as set up by `destination`, gives up."""

    def payload(self, fake: FakeDestination, folder: Path) -> Payload:
        """The payload that is delivered, made by the plugin's own `map`."""
        return self.hooks({"map": {}}, folder).map_receipt(receipt(), KEY)

    def bad_payload(self, fake: FakeDestination, folder: Path) -> Payload:
        """A payload the destination refuses."""
        good = self.payload(fake, folder)
        return Payload(receipt_id=good.receipt_id, match=good.match, fields={})

    def test_delivered(self, tmp_path: Path) -> None:
        """A receipt the destination took is Delivered, and it has the receipt once, by its id."""
        self._check_outcome("delivered", "ok", (Delivered,), tmp_path, taken=True)

    def test_unreachable(self, tmp_path: Path) -> None:
        """No connection is NotSent."""
        self._check_outcome("unreachable", "refuse", (NotSent,), tmp_path)

    def test_silence(self, tmp_path: Path) -> None:
        """A request without an answer is MaybeSent."""
        self._check_outcome("silence", "hang", (MaybeSent,), tmp_path)

    def test_reset(self, tmp_path: Path) -> None:
        """A connection that breaks after the request is MaybeSent."""
        self._check_outcome("reset", "reset", (MaybeSent,), tmp_path)

    def test_half_answer(self, tmp_path: Path) -> None:
        """Half an answer is MaybeSent."""
        self._check_outcome("half_answer", "half", (MaybeSent,), tmp_path)

    def test_foreign_page(self, tmp_path: Path) -> None:
        """A success that is not the destination's own answer is not Delivered."""
        self._check_outcome("foreign_page", "page", (NotSent, MaybeSent), tmp_path)

    def test_destination_failed(self, tmp_path: Path) -> None:
        """A destination that answers that it failed has not refused the receipt."""
        self._check_outcome("destination_failed", "error", (NotSent, MaybeSent), tmp_path)

    def test_throttled(self, tmp_path: Path) -> None:
        """Too many requests is Throttled."""
        self._check_outcome("throttled", "throttle", (Throttled,), tmp_path)

    def test_wrong_key(self, tmp_path: Path) -> None:
        """A refused key is Misconfigured, not the receipt's fault; so it is for `probe`."""
        self._check_outcome("wrong_key", "key", (Misconfigured,), tmp_path)
        with self.destination("key", tmp_path) as fake:
            outcome = self.hooks_at(fake, tmp_path).probe()
        check("wrong_key", "" if isinstance(outcome, Misconfigured) else f"probe says {type(outcome).__name__}")

    def test_wrong_address(self, tmp_path: Path) -> None:
        """An address that does not exist is Misconfigured."""
        self._check_outcome("wrong_address", "address", (Misconfigured,), tmp_path)

    def test_redirect(self, tmp_path: Path) -> None:
        """A redirect is never followed: the key would be sent along."""
        self._check_outcome("redirect", "redirect", (Misconfigured,), tmp_path)

    def test_refused(self, tmp_path: Path) -> None:
        """A receipt the destination cannot take is Refused, with a reason."""
        with self.destination("ok", tmp_path) as fake:
            outcome = self.hooks_at(fake, tmp_path).deliver(self.bad_payload(fake, tmp_path))
        check("refused", outcome_fault(outcome, Refused), "" if getattr(outcome, "reason", "") else "it has no reason")

    def test_deadline(self, tmp_path: Path) -> None:
        """A slow answer ends at the plugin's own deadline, not at its last byte."""
        with self.destination("slow", tmp_path) as fake:
            hooks, payload = self.hooks_at(fake, tmp_path), self.payload(fake, tmp_path)
            begun = time.monotonic()
            outcome = hooks.deliver(payload)
            took = time.monotonic() - begun
        check(
            "deadline",
            "" if took < self.deadline * 2 + 5 else f"it took {took:.0f} s, the deadline is {self.deadline} s",
            outcome_fault(outcome, MaybeSent),
        )

    def test_probe(self, tmp_path: Path) -> None:
        """`probe` changes nothing at the destination."""
        with self.destination("ok", tmp_path) as fake:
            outcome = self.hooks_at(fake, tmp_path).probe()
            held = list(fake.holds())
        check("probe", outcome_fault(outcome, Delivered), f"the destination has {len(held)} receipts" if held else "")

    def test_history(self, tmp_path: Path) -> None:
        """`confirm_receipts` shows nothing that is not there, and takes no failure for an empty history."""
        contact = Contact(key="suite", contact_id="5f1d7c3e-0000-4000-8000-5f1d7c3e0001")
        asked = [ReceiptRef(id=RECEIPT_ID, created=receipt().created)]
        with self.destination("ok", tmp_path) as fake:
            answer = self.hooks_at(fake, tmp_path).confirm_receipts(contact, asked)
        shown = isinstance(answer, History) and RECEIPT_ID in answer.shown
        with self.destination("error", tmp_path / "error") as fake:
            failed = self.hooks_at(fake, tmp_path).confirm_receipts(contact, asked)
        is_absent = isinstance(failed, History) and RECEIPT_ID not in failed.unread
        check(
            "history",
            "it shows a receipt that was never sent" if shown else "",
            "a destination that failed has an empty history" if is_absent else "",
        )

    def test_gone_contacts(self, tmp_path: Path) -> None:
        """`contacts_gone` names texts, or says why not; a destination that failed has not said that none is gone."""
        since = datetime(2026, 3, 14, 14, 30, tzinfo=UTC)
        with self.destination("error", tmp_path) as fake:
            hooks = self.hooks_at(fake, tmp_path)
            failed = hooks.contacts_gone(since)
            held = list(fake.holds())
        with self.destination("hang", tmp_path / "hang") as fake:
            silent = self.hooks_at(fake, tmp_path).contacts_gone(since)
        check(
            "gone_contacts",
            "a destination that failed names no contacts" if isinstance(failed, frozenset) else "",
            "a destination that is silent names no contacts" if isinstance(silent, frozenset) else "",
            f"the destination has {len(held)} receipts" if held else "",
        )

    def _check_outcome(
        self, promise: str, fault: str, allowed: tuple[type, ...], folder: Path, taken: bool | None = None
    ) -> None:
        with self.destination(fault, folder) as fake:
            outcome = self.hooks_at(fake, folder).deliver(self.payload(fake, folder))
            held = list(fake.holds())
        check(
            promise,
            outcome_fault(outcome, *allowed),
            "it has arrived, and NotSent would send it again" if held and isinstance(outcome, NotSent) else "",
            f"the destination has {len(held)} receipts" if taken and held != [RECEIPT_ID] else "",
            self.leak(outcome, KEY.value),
        )
