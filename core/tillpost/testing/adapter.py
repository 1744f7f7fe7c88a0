"""The promises of an adapter. Each has a file of its name in the vendor's samples, which says what `canonical` says."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NoReturn
from zoneinfo import ZoneInfo

import attrs

from tillpost.errors import ConfigurationError, DocumentError, TillpostError
from tillpost.flow.hooked import Hooked
from tillpost.journal import Accepted, Journal
from tillpost.model import DEFAULT_RECIPE, Broken, Document, Found, Identifier, NoReceipt, Parsed, Receipt, receipt_id
from tillpost.model.receipt_json import dumps
from tillpost.testing import compare
from tillpost.testing.canonical import DAY, EMAIL, NAME, ORIGINAL, TIME, Sale, SaleLine, canonical
from tillpost.testing.suite import Suite, broken, keep

MANY = 5_000


class AdapterSuite(Suite):
    """What a receipt must be, whoever's till it comes from. Every attribute may be set in the subclass."""

    settings: ClassVar[Mapping[str, Any]] = {}
    """The adapter's table, as a configuration would write it."""
    samples: ClassVar[Path | None] = None
    """Where the files lie; default: the folder `samples` beside the module of the subclass."""
    timezone: ClassVar[str] = "Europe/Stockholm"
    writes_offset: ClassVar[bool] = False
    """The format writes times with their offset, so that the hour that comes twice is no riddle."""
    currency: ClassVar[str] = "SEK"
    store: ClassVar[str] = "12"
    till: ClassVar[str] = "3"
    """"" where the format knows none."""
    numbers: ClassVar[tuple[str, ...]] = ("1001", "1002", "1003")
    """Of the receipts of `day`; the first is that of every other sample. One alone says that a document of this
    format holds one receipt: then there is no `day`, and `sale` takes its place."""
    customer: ClassVar[str] = "C-1001"
    customer_kind: ClassVar[str] = "externalId"
    tender_types: ClassVar[Mapping[str, str]] = {}
    """Where the adapter's payment types differ from card, cash, giftcard."""
    encoding: ClassVar[str] = "utf-8"
    """Of the samples."""
    never_waived = frozenset(
        {"sale", "ids", "local_time", "day", "same_twice", "crash", "empty_file", "wrong_encoding"}
    )

    # --- what a vendor may override --------------------------------------------------------------------------------

    def sample(self, promise: str) -> bytes | None:
        """The file of a promise, None when there is none yet. Override it where files are made, not kept."""
        found = self._files(promise)
        return found[0].read_bytes() if found else None

    def repeat_line(self, count: int) -> bytes:
        """A document with one sale of `count` lines: each one A-1 at 1.00; `count`.00 by card."""
        self._to_do("many_lines", "override `repeat_line(count)`: one sale of that many lines, each one A-1 at 1.00")

    def control_character(self) -> bytes:
        """A vertical tab as the format writes it in a text."""
        return b"\\u000b" if (self.sample("sale") or b"").lstrip()[:1] in (b"{", b"[") else b"\x0b"

    def settings_for(self, promise: str) -> Mapping[str, Any]:
        """The adapter's table for the sample of this promise, where one needs others than `settings`."""
        return self.settings

    def id_number(self, receipt: Receipt) -> str:
        """What the id is made of, where it is not the printed number."""
        return receipt.number

    # --- promises with a sale prescribed ---------------------------------------------------------------------------

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
        self._sold("foreign_currency", currency="USD" if self.currency == "EUR" else "EUR")

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

    # --- promises on damaged files ---------------------------------------------------------------------------------

    def test_control_characters(self) -> None:
        """A character no file to Engage can carry is taken out of a text, and the receipt goes on."""
        records = self._read(self._with_name(NAME[:3].encode(self.encoding) + self.control_character()), "sale")
        record = records[0] if records else None
        if len(records) != 1 or not isinstance(record, Found):
            broken("control_characters", f"it is not a receipt but {self._shown(records)}")
        keep(
            "control_characters",
            "it is still there" if b"\\u000b" in dumps(record.receipt) else "",
            *compare.money(record.receipt, canonical["sale"], self._capabilities(), self.tender_types, self.currency),
        )

    def test_many_lines(self) -> None:
        """A receipt of 5,000 lines is one receipt of 5,000 lines."""
        records = self._read(self.repeat_line(MANY), "no_customer")
        record = records[0] if records else None
        if len(records) != 1 or not isinstance(record, Found):
            broken("many_lines", f"it is not a receipt but {self._shown(records)}")
        sale = Sale(
            words="", lines=(SaleLine("A-1", Decimal(1), Decimal(1)),) * MANY, tenders=(("card", Decimal(MANY)),)
        )
        keep(
            "many_lines",
            *compare.money(record.receipt, sale, self._capabilities(), self.tender_types, self.currency)[:5],
        )

    def test_empty_file(self) -> None:
        """An empty file is an error of the document or has no records; it is no crash and no receipt."""
        if records := self._read(b"", "sale"):
            broken("empty_file", f"it has {self._shown(records)}")

    def test_cut_file(self) -> None:
        """What was whole before a cut is read as ever, what was not is never a receipt, and the cut is told."""
        content, whole = self._content(self._several), self._day()
        ids = {each.receipt.id: dumps(attrs.evolve(each.receipt, raw=whole[0].receipt.raw)) for each in whole}
        for part in range(1, 24):
            cut = content[: len(content.rstrip()) * part // 24]
            records = self._read(cut, self._several, tell=True)
            for record in records:
                if isinstance(record, Found):
                    now = dumps(attrs.evolve(record.receipt, raw=whole[0].receipt.raw))
                    if ids.get(record.receipt.id) != now:
                        broken("cut_file", f"cut after {len(cut)} bytes, a part of a receipt is taken for a receipt")
            if sum(isinstance(record, Found) for record in records) == len(whole):
                continue
            told = any(isinstance(record, Broken | DocumentError) for record in records)
            # A cut between two records of a line format cannot be seen; one inside a record must be.
            between = content[len(cut) : len(cut) + 1] in (b"\n", b"\r") or cut.endswith((b"\n", b"\r"))
            if not told and not between:
                broken("cut_file", f"cut after {len(cut)} bytes nothing is told, and receipts are missing")

    def test_wrong_encoding(self) -> None:
        """A file in another encoding than it says is read with the same figures, or refused with a message."""
        text = self._content(self._several).decode(self.encoding)
        others = [name for name in ("utf-8", "latin-1", "utf-16") if name != self.encoding.lower()]
        for name in others:
            for record in self._read(text.encode(name, "replace"), self._several, tell=True):
                if isinstance(record, Found) and record.receipt.total != canonical["day"].total:
                    broken("wrong_encoding", f"as {name} the total is {record.receipt.total}")

    def test_same_twice(self, tmp_path: Path) -> None:
        """The same file twice gives the same receipts, and the second time nothing new is accepted."""
        first, again = self._parse(self._several), self._parse(self._several)
        receipts = sum(isinstance(record, Found) for record in first)
        if first != again:
            broken("same_twice", "the second reading differs from the first")
        with _Opened(tmp_path) as journal:
            for _ in range(2):
                counts = _accept(journal, first, self._document(self._several))
            if counts.duplicates != receipts:
                broken("same_twice", f"of {receipts} receipts {counts.duplicates} are known the second time")

    def test_crash(self, tmp_path: Path) -> None:
        """A crash after any record loses none and doubles none once the file is read again."""
        document, hooks = self._document(self._several), self._hooks(self._several)
        whole = [each.receipt.id for each in self._day()]
        for after in range(len(whole) + 1):
            folder = tmp_path / str(after)
            with _Opened(folder) as journal:
                records = hooks.parse_receipts(document)
                for record in itertools.islice(records, after):
                    _accept(journal, [record], document)
                records.close()  # type: ignore[attr-defined] # a generator: the process ends here, in the middle of the document
            with _Opened(folder) as journal:
                _accept(journal, list(self._hooks(self._several).parse_receipts(document)), document)
                held = [entry.id for entry in journal.receipts.find({})]
            if held != whole:
                broken("crash", f"after a crash behind record {after} the journal has {len(held)} of {len(whole)}")

    # --- how it is done --------------------------------------------------------------------------------------------

    def waiver_trouble(self, promise: str) -> str:
        """As every suite; and what has a sample is not waived."""
        said = super().waiver_trouble(promise)
        if not said and promise in canonical and self.sample(promise) is not None:
            return "it is waived, and has a sample: take one of the two out"
        return said

    def _files(self, promise: str) -> list[Path]:
        folder = self.samples or Path(inspect.getfile(type(self))).parent / "samples"
        return sorted(folder.glob(f"{promise}.*"))

    def _content(self, promise: str) -> bytes:
        content = self.sample(promise)
        if content is None:
            self._to_do(promise, f"write samples/{promise}.*: {self._words(promise)}")
        return content

    def _words(self, promise: str) -> str:
        missing, double = self._changes()
        when = {"dst_double": f" It is {double}.", "dst_missing": f" It is {missing}."}.get(promise, f" It is {TIME}.")
        number = ", ".join(self.numbers) if promise in ("day", "bad_amount") else self.numbers[0]
        said = canonical[promise].words
        if promise == "bad_amount" and len(self.numbers) == 1:
            said = "As `sale`, but an amount is `abc`."
        known = f" The customer's number is {self.customer}." if canonical[promise].customer else ""
        till = f", till {self.till}" if self.till else ""
        return f"{said}{when} Store {self.store}{till}, number {number}, {self.currency}.{known}"

    def _to_do(self, promise: str, what: str) -> NoReturn:
        broken(promise, f"to do: {what}", f'or waive it: waivers = {{"{promise}": "why the till has no such thing"}}')

    @property
    def _several(self) -> str:
        """The sample with as many receipts as a document can have."""
        return "day" if len(self.numbers) > 1 else "sale"

    def _hooks(self, promise: str, recipe: str = DEFAULT_RECIPE) -> Hooked:
        return self.hooks({"adapter": self.settings_for(promise)}, recipe=recipe)

    def _document(self, promise: str) -> Document:
        files = self._files(promise)
        name = files[0].name if files else promise
        return Document.from_bytes(name, self._content(promise))

    def _parse(self, promise: str, recipe: str = DEFAULT_RECIPE) -> list[Parsed]:
        document = self._document(promise)
        try:
            return list(self._hooks(promise, recipe).parse_receipts(document))
        except ConfigurationError as error:
            broken(promise, f"the suite's settings do not do: {error}")
        except TillpostError as error:
            broken(promise, f"the file cannot be read: {error}")

    def _read(self, content: bytes, promise: str, tell: bool = False) -> list[Any]:
        """The records of a damaged document; with `tell`, what it was refused with is the last of them."""
        records: list[Any] = []
        try:
            for record in self._hooks(promise).parse_receipts(Document.from_bytes("damaged", content)):
                records.append(record)
                if isinstance(record, Broken):
                    keep("bad input", self._private(record.reason))
        except DocumentError as error:
            keep("bad input", self._private(str(error)))
            if tell:
                records.append(error)
        return records

    def _one(self, promise: str, recipe: str = DEFAULT_RECIPE) -> Receipt:
        records = self._parse(promise, recipe)
        found = [record for record in records if isinstance(record, Found)]
        if len(found) != 1 or any(isinstance(record, Broken) for record in records):
            broken(promise, f"the file has {self._shown(records)}, not one receipt")
        return found[0].receipt

    def _day(self) -> list[Found]:
        records = self._parse(self._several)
        found = [record for record in records if isinstance(record, Found)]
        if len(found) != len(self.numbers) or any(isinstance(record, Broken) for record in records):
            broken("day", f"the file has {self._shown(records)}, not {len(self.numbers)} receipts")
        return found

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

    def _with_name(self, name: bytes) -> bytes:
        content, there = self._content("sale"), NAME.encode(self.encoding)
        if there not in content:
            broken("control_characters", f"samples/sale has no {NAME!r} written as it is")
        return content.replace(there, name)

    def _named(self, receipt: Receipt) -> list[str]:
        """The name of A-1, where the format writes names."""
        if NAME.encode(self.encoding) not in self._content("sale"):
            return []
        return [] if any(line.article_name == NAME for line in receipt.lines) else [f"the name of A-1 is not {NAME!r}"]

    def _changes(self) -> tuple[datetime, datetime]:
        return clock_changes(self.timezone)

    def _number(self) -> Identifier:
        return Identifier(self.customer_kind, self.customer)

    def _capabilities(self) -> frozenset[str]:
        return self.the_plugin().capabilities

    def _gives(self, capability: str) -> bool:
        return capability in self._capabilities()

    def _private(self, reason: str) -> str:
        return "a reason shows who bought" if self.customer in reason or EMAIL in reason else ""

    def _shown(self, records: list[Any]) -> str:
        told = [
            f"{type(record).__name__} ({record.reason})" if isinstance(record, Broken | NoReceipt) else "a receipt"
            for record in records
        ]
        return "; ".join(told) or "no record"


@cache
def clock_changes(timezone: str) -> tuple[datetime, datetime]:
    """Half past into the hour that is missing, and into the one that comes twice, in the year of the samples.

    A zone that changes no clocks has neither, and gives the time of every other sample.
    """
    zone, hour = ZoneInfo(timezone), timedelta(hours=1)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = {}
    for number in range(365 * 24):
        before, after = ((start + hour * (number + step)).astimezone(zone) for step in (0, 1))
        change = (after.utcoffset() or hour) - (before.utcoffset() or hour)
        if change:
            first = min(before.replace(tzinfo=None) + hour, after.replace(tzinfo=None))
            found[change > timedelta(0)] = first + timedelta(minutes=30)
    return found.get(True, TIME), found.get(False, TIME)


class _Opened:
    """A journal for the time of a block."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(folder)

    def __enter__(self) -> Journal:
        return self._journal

    def __exit__(self, *_: object) -> None:
        self._journal.close()


def _accept(journal: Journal, records: list[Parsed], document: Document) -> Accepted:
    counts = Accepted()
    journal.receipts.accept(records, document, None, 0.0, counts)
    return counts
