"""The promises of an adapter that are tried on samples of the prescribed sales."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import attrs

from tillpost.model import DEFAULT_RECIPE, Broken, Found, LineKind, NoReceipt, Receipt, receipt_id
from tillpost.model.receipt_difference import difference
from tillpost.model.receipt_json import dumps
from tillpost.testing import compare
from tillpost.testing.prescribed import DAY, NAME, ORIGINAL, PRESCRIBED_SALES, TIME
from tillpost.testing.sample_suite import SampleSuite, clock_changes
from tillpost.testing.suite import check, fail


def _promise(try_it: Callable[[SalePromises, str], object], name: str, sentence: str) -> Callable[[SalePromises], None]:
    """The test of a promise that one check tries."""

    def test(self: SalePromises) -> None:
        try_it(self, name)

    test.__name__, test.__doc__ = f"test_{name}", sentence
    return test


class SalePromises(SampleSuite):
    """Each has a sample of its name, which shows its sale of PRESCRIBED_SALES."""

    def _check_sale(self, promise: str, currency: str = "") -> Receipt:
        receipt = self._single_receipt(promise)
        check(promise, *self._differences(receipt, PRESCRIBED_SALES[promise], currency))
        return receipt

    def _check_tax(self, promise: str) -> None:
        receipt = self._check_sale(promise)
        if self._declares("taxes"):
            check(promise, *compare.taxes(receipt, Decimal(25)))

    def _check_not_sold(self, promise: str) -> None:
        records = self._parse(promise)
        skipped = [record for record in records if isinstance(record, NoReceipt) and record.reason and record.retail]
        if not skipped or any(isinstance(record, Found | Broken) for record in records):
            fail(promise, f"the file has {self._describe(records)}, not a NoReceipt with its reason (retail=True)")

    def _check_customer(self, promise: str) -> None:
        check(promise, *compare.customer(self._check_sale(promise), PRESCRIBED_SALES[promise], self._number()))

    def test_sale(self) -> None:
        """Quantity times price is what was paid; store, till, number, day and customer are the till's."""
        receipt = self._check_sale("sale")
        fields = [
            (name, getattr(receipt, name), want)
            for name, want in (("store", self.store), ("till", self.till), ("number", self.numbers[0]))
        ]
        customer = (
            compare.customer(receipt, PRESCRIBED_SALES["sale"], self._number()) if self._declares("customer") else []
        )
        check(
            "sale",
            *(f"the {name} is {given!r}, not {want!r}" for name, given, want in fields if given != want),
            "" if receipt.business_date == DAY else f"the business date is {receipt.business_date}, not {DAY}",
            *self._check_name(receipt),
            *customer,
        )

    def test_ids(self) -> None:
        """The id is made by the pipeline's recipe of store, till, business date and number, and of nothing else."""
        for recipe in (DEFAULT_RECIPE, "{number}~{date}~{till}~{store}"):
            receipt = self._single_receipt("sale", recipe=recipe)
            store, till = self.id_place(receipt)
            parts = {"store": store, "till": till, "number": self.id_number(receipt)}
            want = receipt_id(**parts, business_date=receipt.business_date, recipe=recipe)
            if receipt.id != want:
                fail("ids", f"by the recipe {recipe!r} the id is {receipt.id!r}, not {want!r}")

    def test_local_time(self) -> None:
        """The time is the till's local time with its offset."""
        created = self._single_receipt("sale").created
        want = TIME.replace(tzinfo=ZoneInfo(self.timezone))
        if (created.replace(tzinfo=None), created.utcoffset()) != (TIME, want.utcoffset()):
            fail("local_time", f"the time is {created.isoformat()}, not {want.isoformat()}")

    def test_return(self) -> None:
        """A returned line has a negative quantity and a negative `paid`, which Engage gets as a positive price."""
        receipt = self._check_sale("return")
        if self._declares("linked returns") and ORIGINAL not in receipt.lines[0].extra.get("originalReceipt", ""):
            fail("return", f"the line's `originalReceipt` does not name receipt {ORIGINAL}")

    test_exchange = _promise(_check_sale, "exchange", "A return and a purchase on one receipt keep their signs.")
    test_mixed_tender = _promise(_check_sale, "mixed_tender", "Two means of payment are two tenders.")
    test_change = _promise(_check_sale, "change", "Change is negative cash.")
    test_change_tender = _promise(_check_sale, "change_tender", "Change that is a tender of its own is negative cash.")

    def test_rounding(self) -> None:
        """The rounding of cash is an adjustment, in the total, or a tender beside a format's own total without it."""
        receipt, sale = self._single_receipt("rounding"), PRESCRIBED_SALES["rounding"]
        as_tender = attrs.evolve(sale, others=(), tenders=(*sale.tenders, ("rounding", -sale.others[0])))
        differences = self._differences(receipt, sale)
        if not self._differences(receipt, as_tender):
            return
        others = [line for line in receipt.lines if line.sku != "A-1"]
        wrong = [f"it is a {line.kind}" for line in others if line.kind is not LineKind.ADJUSTMENT]
        check("rounding", *differences, *wrong)

    test_deposit = _promise(_check_sale, "deposit", "A deposit is a line of its own, once.")
    test_gift_card = _promise(_check_sale, "gift_card", "A gift card is a tender of its own.")
    test_discount = _promise(_check_sale, "discount", "A reduced line has the price that was paid, and its discount.")

    def test_receipt_discount(self) -> None:
        """A discount on the whole receipt is spread over the lines to the cent."""
        receipt = self._single_receipt("receipt_discount")
        check(
            "receipt_discount", *compare.spread_evenly(receipt, Decimal(50), Decimal(-10), self._declares("discounts"))
        )

    test_tax_inside = _promise(_check_tax, "tax_inside", "Tax that is in the price stays in it.")
    test_tax_on_top = _promise(_check_tax, "tax_on_top", "Tax on top of the price is in `paid`.")

    def test_two_taxes(self) -> None:
        """Two rates of tax are two taxes, each with the amounts of its lines."""
        check("two_taxes", *compare.two_taxes(self._check_sale("two_taxes")))

    def test_foreign_currency(self) -> None:
        """A receipt's currency is the one the customer paid in."""
        self._check_sale("foreign_currency", currency=self._foreign)

    test_no_customer = _promise(
        _check_customer, "no_customer", "A sale without a known customer is a receipt without a customer."
    )
    test_two_identifiers = _promise(
        _check_customer, "two_identifiers", "Every identifier the till has of the customer is given."
    )

    def test_phone(self) -> None:
        """A phone number is given as the till has it, or with its country's code."""
        check("phone", *compare.phone(self._check_sale("phone")))

    test_void_line = _promise(_check_sale, "void_line", "A voided line is not sold.")
    test_void_link = _promise(_check_sale, "void_link", "A void that points at a line takes that line out.")
    test_edited = _promise(_check_sale, "edited", "What was taken out before payment is not sold.")
    test_void_receipt = _promise(_check_not_sold, "void_receipt", "A voided receipt is not sent.")

    def test_void_after(self) -> None:
        """What takes back a sale that was sent names the id of its receipt."""
        sale, records = self._single_receipt("sale").id, self._parse("void_after")
        named = {record.voids for record in records if isinstance(record, NoReceipt)}
        if sale not in named:
            fail("void_after", f"the file has {self._describe(records)}, and no NoReceipt with voids={sale!r}")

    test_training = _promise(_check_not_sold, "training", "A training sale is not sent.")
    test_copy = _promise(_check_not_sold, "copy", "A copy of a receipt is not sent.")
    test_suspended = _promise(_check_not_sold, "suspended", "A suspended sale is not sent.")

    def test_later(self) -> None:
        """A sale that is exported again later is the same receipt, under the same id."""
        first, again = (self._single_receipt(promise) for promise in ("sale", "later"))
        check("later", *difference(dumps(first), dumps(attrs.evolve(again, raw=first.raw))))

    def test_dst_double(self) -> None:
        """A time in the repeated hour is read as the first of the two, and the receipt is flagged."""
        self._check_time("dst_double", clock_changes(self.timezone)[1], "" if self.writes_offset else "dst-ambiguous")

    def test_dst_missing(self) -> None:
        """A time in the skipped hour is read with the offset before the change, and the receipt is flagged."""
        self._check_time("dst_missing", clock_changes(self.timezone)[0], "dst-gap")

    def test_day(self) -> None:
        """Several receipts of one file are read in its order, each with an id of its own."""
        found = self._day_receipts()
        numbers = tuple(record.receipt.number for record in found)
        check(
            "day",
            "" if numbers == self.numbers else f"the numbers are {', '.join(numbers)}, not {', '.join(self.numbers)}",
            "" if len({record.receipt.id for record in found}) == len(found) else "two of the receipts have one id",
            "" if all(record.raw for record in found) else "the till's own record is not kept",
        )

    def _check_held(self, promise: str) -> None:
        records = self._parse(promise)
        kinds = [type(record).__name__ for record in records]
        wanted = ["Found", "Broken", "Found"] if len(self.numbers) > 1 else ["Broken"]
        if kinds != wanted:
            fail(promise, f"the records are {self._describe(records)}, not {', '.join(wanted)}")
        held = records[len(wanted) // 2]
        assert isinstance(held, Broken)
        again = self._read_damaged(held.raw, promise)
        check(
            promise,
            *(f"the {name} is empty" for name in ("reason", "place", "raw") if not getattr(held, name)),
            "" if not any(isinstance(record, Found) for record in again) else "read again alone it is a receipt",
            self._personal_data(held.reason),
        )

    test_bad_amount = _promise(
        _check_held, "bad_amount", "A record that cannot be read is held with reason and place; the others are read."
    )
    test_broken_id = _promise(
        _check_held, "broken_id", "A number that a spreadsheet shortened is held: it names no receipt."
    )

    def _check_time(self, promise: str, when: datetime, flag: str) -> None:
        receipt = self._single_receipt(promise)
        # Compared as UTC: values of two zones do not compare well in a repeated hour (PEP 495).
        want = when.replace(tzinfo=ZoneInfo(self.timezone), fold=0).astimezone(UTC)
        given = receipt.created.astimezone(UTC)
        check(
            promise,
            "" if given == want else f"the time is {given.isoformat()}, not {want.isoformat()}",
            "" if not flag or flag in receipt.flags else f"the flag {flag} is missing",
        )

    def _check_name(self, receipt: Receipt) -> list[str]:
        """A wrong name of A-1, where the format writes names."""
        if NAME.encode(self.encoding) not in self._content("sale"):
            return []
        return [] if any(line.article_name == NAME for line in receipt.lines) else [f"the name of A-1 is not {NAME!r}"]
