"""The base of the adapter suite: what a vendor sets for the samples, and how they are read."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NoReturn
from zoneinfo import ZoneInfo

from tillpost.errors import ConfigurationError, DocumentError, PluginError, TillpostError
from tillpost.flow.hook_calls import HookCalls
from tillpost.model import DEFAULT_RECIPE, Broken, Document, Found, Identifier, NoReceipt, Parsed, Receipt
from tillpost.testing import compare
from tillpost.testing.prescribed import BROKEN_ID, EMAIL, PRESCRIBED_SALES, TIME, Sale
from tillpost.testing.suite import WAIVE, Suite, check, fail

_ABOUT = {"two_taxes": "taxes", "phone": "customer"}
"""Promise → the capability without which it is not asked."""


class SampleSuite(Suite):
    """Settings of an adapter's suite, and the reading of its samples. Every attribute may be set in the subclass."""

    settings: ClassVar[Mapping[str, Any]] = {}
    """The adapter's table, as a configuration would write it."""
    samples: ClassVar[Path | None] = None
    """The folder of the samples; default: `samples` beside the module of the subclass."""
    timezone: ClassVar[str] = "Europe/Stockholm"
    writes_offset: ClassVar[bool] = False
    """Whether the format writes times with their offset, so that the repeated hour is not ambiguous."""
    currency: ClassVar[str] = "SEK"
    store: ClassVar[str] = "12"
    till: ClassVar[str] = "3"
    """The till of the samples; "" where the format has none."""
    numbers: ClassVar[tuple[str, ...]] = ("1001", "1002", "1003")
    """The numbers of the receipts of `day`; every other sample has the first. A single number means that a document of
    this format has one receipt: then `sale` is used for `day`."""
    customer: ClassVar[str] = "C-1001"
    customer_kind: ClassVar[str] = "externalId"
    tender_types: ClassVar[Mapping[str, str]] = {}
    """Where the adapter's payment types differ from card, cash, giftcard."""
    encoding: ClassVar[str] = "utf-8"
    """The encoding of the samples."""

    # --- what a vendor may override ---

    def sample(self, promise: str) -> bytes | None:
        """The sample of a promise, None when there is none yet. Override it where samples are generated."""
        found = self._files(promise)
        return found[0].read_bytes() if found else None

    def repeat_line(self, count: int) -> bytes:
        """A document with one sale of `count` lines: each one A-1 at 1.00; `count`.00 by card."""
        self._fail_to_do(
            "many_lines", "override `repeat_line(count)`: one sale of that many lines, each one A-1 at 1.00"
        )

    def control_character(self) -> bytes:
        """A vertical tab as the format writes it inside a text."""
        return b"\\u000b" if (self.sample("sale") or b"").lstrip()[:1] in (b"{", b"[") else b"\x0b"

    def settings_for(self, promise: str) -> Mapping[str, Any]:
        """The adapter's table for the sample of this promise; override it where one differs from `settings`."""
        return self.settings

    def id_number(self, receipt: Receipt) -> str:
        """The number the id is made of; override it where that is not the printed number."""
        return receipt.number

    def id_place(self, receipt: Receipt) -> tuple[str, str]:
        """Store and till the id is made of; override it where the number is unique without them."""
        return receipt.store, receipt.till

    # --- how it is done ---

    def not_asked(self, promise: str) -> str:
        """A promise about what the format, or the adapter by its capabilities, does not have."""
        capability = _ABOUT.get(promise, "")
        if capability and not self._declares(capability):
            return f"the adapter passes on no {capability}"
        begins = (self.sample("sale") or b"").decode(self.encoding, "replace").lstrip("\ufeff \t\r\n")[:1]
        if promise == "comment_in_value" and begins != "<":
            return "the format is not XML"
        if promise == "broken_id" and begins in ("<", "{", "[") and self.sample(promise) is None:
            return "no spreadsheet writes the format"
        return ""

    def waiver_fault(self, promise: str) -> str:
        """As in every suite; a promise with a sample cannot be waived either."""
        fault = super().waiver_fault(promise)
        if not fault and promise in PRESCRIBED_SALES and self.sample(promise) is not None:
            return "it is waived and has a sample: remove one of the two"
        return fault

    def _files(self, promise: str) -> list[Path]:
        folder = self.samples or Path(inspect.getfile(type(self))).parent / "samples"
        return sorted(folder.glob(f"{promise}.*"))

    def _content(self, promise: str) -> bytes:
        content = self.sample(promise)
        if content is None:
            self._fail_to_do(promise, f"write samples/{promise}.*: {self._describe_sample(promise)}")
        return content

    def _describe_sample(self, promise: str) -> str:
        missing, double = clock_changes(self.timezone)
        when = {"dst_double": f" It is {double}.", "dst_missing": f" It is {missing}."}.get(promise, f" It is {TIME}.")
        number = ", ".join(self.numbers) if promise in ("day", "bad_amount", "broken_id") else self.numbers[0]
        description = PRESCRIBED_SALES[promise].description
        if promise in ("bad_amount", "broken_id") and len(self.numbers) == 1:
            what = "an amount is `abc`" if promise == "bad_amount" else f"the number is {BROKEN_ID}"
            description = f"As `sale`, but {what}."
        currency = self._foreign if promise == "foreign_currency" else self.currency
        known = f" The customer's number is {self.customer}." if PRESCRIBED_SALES[promise].customer else ""
        till = f", till {self.till}" if self.till else ""
        return f"{description}{when} Store {self.store}{till}, number {number}, {currency}.{known}"

    def _fail_to_do(self, promise: str, what: str) -> NoReturn:
        waive = f'{WAIVE} waivers = {{"{promise}": "why the till has no such thing"}}'
        fail(promise, f"to do: {what}", *([] if promise in self.never_waived else [waive]))

    @property
    def _several(self) -> str:
        """The sample with the most receipts a document can have."""
        return "day" if len(self.numbers) > 1 else "sale"

    @property
    def _foreign(self) -> str:
        """A currency that is not that of the till."""
        return "USD" if self.currency == "EUR" else "EUR"

    def _hooks(self, promise: str, recipe: str = DEFAULT_RECIPE) -> HookCalls:
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
            fail(promise, f"the suite's settings are not valid: {error}")
        except TillpostError as error:
            fail(promise, f"the file cannot be read: {error}")

    def _read_damaged(self, content: bytes, promise: str, tell: bool = False) -> list[Any]:
        """The records of a damaged document; with `tell`, the DocumentError it raised as the last of them."""
        records: list[Any] = []
        try:
            for record in self._hooks(promise).parse_receipts(Document.from_bytes("damaged", content)):
                records.append(record)
                if isinstance(record, Broken):
                    check("bad input", self._personal_data(record.reason))
        except DocumentError as error:
            check("bad input", self._personal_data(str(error)))
            if tell:
                records.append(error)
        except PluginError as error:
            fail("bad input", f"a document made of samples/{promise}: {error}")
        return records

    def _single_receipt(self, promise: str, recipe: str = DEFAULT_RECIPE) -> Receipt:
        records = self._parse(promise, recipe)
        found = [record for record in records if isinstance(record, Found)]
        if len(found) != 1 or any(isinstance(record, Broken) for record in records):
            fail(promise, f"the file has {self._describe(records)}, not one receipt")
        return found[0].receipt

    def _day_receipts(self) -> list[Found]:
        records = self._parse(self._several)
        found = [record for record in records if isinstance(record, Found)]
        if len(found) != len(self.numbers) or any(isinstance(record, Broken) for record in records):
            fail("day", f"the file has {self._describe(records)}, not {len(self.numbers)} receipts")
        return found

    def _number(self) -> Identifier:
        return Identifier(self.customer_kind, self.customer)

    def _declares(self, capability: str) -> bool:
        return capability in self.loaded_plugin().capabilities

    def _differences(self, receipt: Receipt, sale: Sale, currency: str = "") -> list[str]:
        capabilities = self.loaded_plugin().capabilities
        return compare.money(receipt, sale, capabilities, self.tender_types, currency or self.currency)

    def _personal_data(self, reason: str) -> str:
        return "a reason shows who bought" if self.customer in reason or EMAIL in reason else ""

    def _describe(self, records: list[Any]) -> str:
        descriptions = [
            f"{type(record).__name__} ({record.reason})" if isinstance(record, Broken | NoReceipt) else "a receipt"
            for record in records
        ]
        return "; ".join(descriptions) or "no record"


@cache
def clock_changes(timezone: str) -> tuple[datetime, datetime]:
    """Half an hour into the skipped hour, and into the repeated hour, of the samples' year.

    For a zone without daylight saving time both are the time of every other sample.
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
