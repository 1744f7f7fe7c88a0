"""The promises of an adapter that are kept on a prescribed sale."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from tillpost.model import DEFAULT_RECIPE, Broken, Found, NoReceipt, Receipt, receipt_id
from tillpost.testing import compare
from tillpost.testing.canonical import DAY, NAME, ORIGINAL, TIME, canonical
from tillpost.testing.reading import AdapterReading
from tillpost.testing.suite import broken, keep


class SalePromises(AdapterReading):
    """Each has a file of its name in the samples, which says what `canonical` says."""

    def test_sale(self) -> None:
        """Quantity times price is what was paid; store, till, number, day and customer are the till's."""
        receipt = self._sold("sale")
        told = [
            (name, getattr(receipt, name), want)
            for name, want in (("store", self.store), ("till", self.till), ("number", self.numbers[0]))
        ]
        who = compare.customer(receipt, canonical["sale"], self._number()) if self._gives("customer") else []
        keep(
            "sale",
            *(f"the {name} is {given!r}, not {want!r}" for name, given, want in told if given != want),
            "" if receipt.business_date == DAY else f"the business date is {receipt.business_date}, not {DAY}",
            *self._named(receipt),
            *who,
        )

    def test_ids(self) -> None:
        """The id is made by the pipeline's recipe of store, till, business date and number, and of nothing else."""
        for recipe in (DEFAULT_RECIPE, "{number}~{date}~{till}~{store}"):
            receipt = self._one("sale", recipe=recipe)
            parts = {"store": receipt.store, "till": receipt.till, "number": self.id_number(receipt)}
            want = receipt_id(**parts, business_date=receipt.business_date, recipe=recipe)
            if receipt.id != want:
                broken("ids", f"by the recipe {recipe!r} the id is {receipt.id!r}, not {want!r}")

    def test_local_time(self) -> None:
        """The time is the till's local time with its offset."""
        created = self._one("sale").created
        want = TIME.replace(tzinfo=ZoneInfo(self.timezone))
        if (created.replace(tzinfo=None), created.utcoffset()) != (TIME, want.utcoffset()):
            broken("local_time", f"the time is {created.isoformat()}, not {want.isoformat()}")

    def test_return(self) -> None:
        """A returned line has a negative quantity and a negative `paid`, which Engage gets as a positive price."""
        receipt = self._sold("return")
        if self._gives("linked returns") and ORIGINAL not in receipt.lines[0].extra.get("originalReceipt", ""):
            broken("return", f"the line's `originalReceipt` does not name receipt {ORIGINAL}")

    def test_exchange(self) -> None:
        """A return and a purchase on one receipt keep their signs."""
        self._sold("exchange")

    def test_mixed_tender(self) -> None:
        """Two means of payment are two tenders."""
        self._sold("mixed_tender")

    def test_change(self) -> None:
        """Change is negative cash."""
        self._sold("change")

    def test_gift_card(self) -> None:
        """A gift card is a tender of its own."""
        self._sold("gift_card")

    def test_discount(self) -> None:
        """A reduced line shows what was really paid, and tells what is off."""
        self._sold("discount")

    def test_receipt_discount(self) -> None:
        """A discount on the whole receipt is spread over the lines to the cent."""
        receipt = self._one("receipt_discount")
        keep("receipt_discount", *compare.spread_evenly(receipt, Decimal(50), Decimal(-10), self._gives("discounts")))

    def test_tax_inside(self) -> None:
        """Tax that is in the price stays in it."""
        self._taxed("tax_inside")

    def test_tax_on_top(self) -> None:
        """Tax on top of the price is in `paid`."""
        self._taxed("tax_on_top")

    def test_foreign_currency(self) -> None:
        """A receipt's currency is the one the customer paid in."""
        self._sold("foreign_currency", currency=self._foreign)

    def test_no_customer(self) -> None:
        """A receipt nobody is known to have bought has no customer, and is a receipt."""
        keep("no_customer", *compare.customer(self._sold("no_customer"), canonical["no_customer"], self._number()))

    def test_two_identifiers(self) -> None:
        """Every key the till knows the customer by is given."""
        receipt = self._sold("two_identifiers")
        keep("two_identifiers", *compare.customer(receipt, canonical["two_identifiers"], self._number()))

    def test_void_line(self) -> None:
        """A voided line is not sold."""
        self._sold("void_line")

    def test_void_receipt(self) -> None:
        """A voided receipt is not sent."""
        self._not_sold("void_receipt")

    def test_training(self) -> None:
        """What was keyed in training is not sent."""
        self._not_sold("training")

    def test_copy(self) -> None:
        """A copy of a receipt is not sent."""
        self._not_sold("copy")

    def test_suspended(self) -> None:
        """A sale put aside is not sent."""
        self._not_sold("suspended")

    def test_dst_double(self) -> None:
        """In the hour the clock shows twice the first is taken, and the receipt is flagged."""
        self._at("dst_double", self._changes()[1], "" if self.writes_offset else "dst-ambiguous")

    def test_dst_missing(self) -> None:
        """A time the clock never showed is taken with the offset before the change, and flagged."""
        self._at("dst_missing", self._changes()[0], "dst-gap")

    def test_day(self) -> None:
        """Several receipts of one file come in its order, each under an id of its own."""
        found = self._day()
        numbers = tuple(each.receipt.number for each in found)
        keep(
            "day",
            "" if numbers == self.numbers else f"the numbers are {', '.join(numbers)}, not {', '.join(self.numbers)}",
            "" if len({each.receipt.id for each in found}) == len(found) else "two of the receipts have one id",
            "" if all(each.raw for each in found) else "the till's own record is not kept",
        )

    def test_bad_amount(self) -> None:
        """A record that cannot be read is held with reason and place; its neighbours go on."""
        records = self._parse("bad_amount")
        kinds = [type(record).__name__ for record in records]
        wanted = ["Found", "Broken", "Found"] if len(self.numbers) > 1 else ["Broken"]
        if kinds != wanted:
            broken("bad_amount", f"the records are {self._shown(records)}, not {', '.join(wanted)}")
        held = records[len(wanted) // 2]
        assert isinstance(held, Broken)
        again = self._read(held.raw, "bad_amount")
        keep(
            "bad_amount",
            *(f"the {name} is empty" for name in ("reason", "place", "raw") if not getattr(held, name)),
            "" if not any(isinstance(record, Found) for record in again) else "read again alone it is a receipt",
            self._private(held.reason),
        )

    def _sold(self, promise: str, currency: str = "") -> Receipt:
        receipt = self._one(promise)
        differences = compare.money(
            receipt, canonical[promise], self._capabilities(), self.tender_types, currency or self.currency
        )
        keep(promise, *differences)
        return receipt

    def _taxed(self, promise: str) -> None:
        receipt = self._sold(promise)
        if self._gives("taxes"):
            keep(promise, *compare.taxes(receipt, Decimal(25)))

    def _not_sold(self, promise: str) -> None:
        records = self._parse(promise)
        told = [record for record in records if isinstance(record, NoReceipt) and record.reason and record.retail]
        if not told or any(isinstance(record, Found | Broken) for record in records):
            broken(promise, f"the file has {self._shown(records)}, not a NoReceipt with its reason (retail=True)")

    def _at(self, promise: str, when: datetime, flag: str) -> None:
        receipt = self._one(promise)
        # Compared as UTC: values of two zones do not compare well in a repeated hour (PEP 495).
        want = when.replace(tzinfo=ZoneInfo(self.timezone), fold=0).astimezone(UTC)
        given = receipt.created.astimezone(UTC)
        keep(
            promise,
            "" if given == want else f"the time is {given.isoformat()}, not {want.isoformat()}",
            "" if not flag or flag in receipt.flags else f"the flag {flag} is missing",
        )

    def _named(self, receipt: Receipt) -> list[str]:
        """The name of A-1, where the format writes names."""
        if NAME.encode(self.encoding) not in self._content("sale"):
            return []
        return [] if any(line.article_name == NAME for line in receipt.lines) else [f"the name of A-1 is not {NAME!r}"]
