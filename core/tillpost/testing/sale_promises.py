"""The promises of an adapter that are tried on samples of the prescribed sales."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from tillpost.model import DEFAULT_RECIPE, Broken, Found, NoReceipt, Receipt, receipt_id
from tillpost.testing import compare
from tillpost.testing.prescribed import DAY, NAME, ORIGINAL, PRESCRIBED_SALES, TIME
from tillpost.testing.sample_suite import SampleSuite
from tillpost.testing.suite import check, fail


class SalePromises(SampleSuite):
    """Each has a sample of its name, which shows its sale of PRESCRIBED_SALES."""

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
            parts = {"store": receipt.store, "till": receipt.till, "number": self.id_number(receipt)}
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

    def test_exchange(self) -> None:
        """A return and a purchase on one receipt keep their signs."""
        self._check_sale("exchange")

    def test_mixed_tender(self) -> None:
        """Two means of payment are two tenders."""
        self._check_sale("mixed_tender")

    def test_change(self) -> None:
        """Change is negative cash."""
        self._check_sale("change")

    def test_gift_card(self) -> None:
        """A gift card is a tender of its own."""
        self._check_sale("gift_card")

    def test_discount(self) -> None:
        """A reduced line has the price that was paid, and its discount."""
        self._check_sale("discount")

    def test_receipt_discount(self) -> None:
        """A discount on the whole receipt is spread over the lines to the cent."""
        receipt = self._single_receipt("receipt_discount")
        check(
            "receipt_discount", *compare.spread_evenly(receipt, Decimal(50), Decimal(-10), self._declares("discounts"))
        )

    def test_tax_inside(self) -> None:
        """Tax that is in the price stays in it."""
        self._check_tax("tax_inside")

    def test_tax_on_top(self) -> None:
        """Tax on top of the price is in `paid`."""
        self._check_tax("tax_on_top")

    def test_foreign_currency(self) -> None:
        """A receipt's currency is the one the customer paid in."""
        self._check_sale("foreign_currency", currency=self._foreign)

    def test_no_customer(self) -> None:
        """A sale without a known customer is a receipt without a customer."""
        check(
            "no_customer",
            *compare.customer(self._check_sale("no_customer"), PRESCRIBED_SALES["no_customer"], self._number()),
        )

    def test_two_identifiers(self) -> None:
        """Every identifier the till has of the customer is given."""
        receipt = self._check_sale("two_identifiers")
        check("two_identifiers", *compare.customer(receipt, PRESCRIBED_SALES["two_identifiers"], self._number()))

    def test_void_line(self) -> None:
        """A voided line is not sold."""
        self._check_sale("void_line")

    def test_void_receipt(self) -> None:
        """A voided receipt is not sent."""
        self._check_not_sold("void_receipt")

    def test_training(self) -> None:
        """A training sale is not sent."""
        self._check_not_sold("training")

    def test_copy(self) -> None:
        """A copy of a receipt is not sent."""
        self._check_not_sold("copy")

    def test_suspended(self) -> None:
        """A suspended sale is not sent."""
        self._check_not_sold("suspended")

    def test_dst_double(self) -> None:
        """A time in the repeated hour is read as the first of the two, and the receipt is flagged."""
        self._check_time("dst_double", self._clock_changes()[1], "" if self.writes_offset else "dst-ambiguous")

    def test_dst_missing(self) -> None:
        """A time in the skipped hour is read with the offset before the change, and the receipt is flagged."""
        self._check_time("dst_missing", self._clock_changes()[0], "dst-gap")

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

    def test_bad_amount(self) -> None:
        """A record that cannot be read is held with reason and place; the others are read."""
        records = self._parse("bad_amount")
        kinds = [type(record).__name__ for record in records]
        wanted = ["Found", "Broken", "Found"] if len(self.numbers) > 1 else ["Broken"]
        if kinds != wanted:
            fail("bad_amount", f"the records are {self._describe(records)}, not {', '.join(wanted)}")
        held = records[len(wanted) // 2]
        assert isinstance(held, Broken)
        again = self._read_damaged(held.raw, "bad_amount")
        check(
            "bad_amount",
            *(f"the {name} is empty" for name in ("reason", "place", "raw") if not getattr(held, name)),
            "" if not any(isinstance(record, Found) for record in again) else "read again alone it is a receipt",
            self._personal_data(held.reason),
        )

    def _check_sale(self, promise: str, currency: str = "") -> Receipt:
        receipt = self._single_receipt(promise)
        differences = compare.money(
            receipt, PRESCRIBED_SALES[promise], self._capabilities(), self.tender_types, currency or self.currency
        )
        check(promise, *differences)
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
