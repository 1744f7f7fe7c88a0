"""How a suite reads an adapter's samples: what a vendor says of them, and what came of each."""

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
from tillpost.testing.canonical import EMAIL, TIME, canonical
from tillpost.testing.suite import Suite, broken, keep


class AdapterReading(Suite):
    """What an adapter's suite has beside its promises. Every attribute may be set in the subclass."""

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

    # --- what a vendor may override ---

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

    # --- how it is done ---

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
        currency = self._foreign if promise == "foreign_currency" else self.currency
        known = f" The customer's number is {self.customer}." if canonical[promise].customer else ""
        till = f", till {self.till}" if self.till else ""
        return f"{said}{when} Store {self.store}{till}, number {number}, {currency}.{known}"

    def _to_do(self, promise: str, what: str) -> NoReturn:
        waive = f'or waive it: waivers = {{"{promise}": "why the till has no such thing"}}'
        broken(promise, f"to do: {what}", *([] if promise in self.never_waived else [waive]))

    @property
    def _several(self) -> str:
        """The sample with as many receipts as a document can have."""
        return "day" if len(self.numbers) > 1 else "sale"

    @property
    def _foreign(self) -> str:
        """A currency that is not the till's own."""
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
        except PluginError as error:
            broken("bad input", f"a document made of samples/{promise}: {error}")
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
