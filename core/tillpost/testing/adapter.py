"""The promises of an adapter; here those about damaged, long and repeated documents, made from its samples."""

from __future__ import annotations

import itertools
import re
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import attrs

from tillpost.errors import DocumentError
from tillpost.journal import Accepted, Journal
from tillpost.model import Broken, Document, Found, Parsed, Receipt
from tillpost.model.receipt_json import dumps
from tillpost.testing.prescribed import NAME, PRESCRIBED_SALES, Sale, SaleLine
from tillpost.testing.sale_promises import SalePromises
from tillpost.testing.suite import check, fail

MANY = 5_000


class AdapterSuite(SalePromises):
    """What every receipt must be, whichever till it comes from.

    Subclass it with `plugin`, `settings` and what differs in the vendor's format; SampleSuite lists the attributes.
    """

    never_waived = frozenset(
        {"sale", "ids", "local_time", "day", "same_twice", "crash", "empty_file", "wrong_encoding"}
    )

    # The promises of this class have no samples of their own.

    def test_control_characters(self) -> None:
        """A character that no file to Engage can carry is removed from a text, and the receipt is kept."""
        content = self._with_name(NAME[:3].encode(self.encoding) + self.control_character())
        receipt = self._only_receipt("control_characters", content, "sale")
        check(
            "control_characters",
            "it is still there" if b"\\u000b" in dumps(receipt) else "",
            *self._differences(receipt, PRESCRIBED_SALES["sale"]),
        )

    def test_comment_in_value(self) -> None:
        """A comment or an instruction inside an XML value changes nothing, or the record is not a receipt."""
        text = self._content("sale").decode(self.encoding)
        whole = self._single_receipt("sale")
        for value in re.finditer(r">([^<>]{2,})<", text):
            middle = (value.start(1) + value.end(1)) // 2
            for mark in ("<!-- -->", "<?x y?>"):
                changed = (text[:middle] + mark + text[middle:]).encode(self.encoding)
                for record in self._read_damaged(changed, "sale"):
                    if isinstance(record, Found) and dumps(attrs.evolve(record.receipt, raw=whole.raw)) != dumps(whole):
                        fail("comment_in_value", f"{mark} inside {value[1].strip()!r} makes another receipt of it")

    def test_many_lines(self) -> None:
        """A receipt of 5,000 lines is one receipt of 5,000 lines."""
        receipt = self._only_receipt("many_lines", self.repeat_line(MANY), "no_customer")
        sale = Sale(
            description="", lines=(SaleLine("A-1", Decimal(1), Decimal(1)),) * MANY, tenders=(("card", Decimal(MANY)),)
        )
        check("many_lines", *self._differences(receipt, sale)[:5])

    def test_empty_file(self) -> None:
        """An empty file is a DocumentError or has no records; it is neither a crash nor a receipt."""
        if records := self._read_damaged(b"", "sale"):
            fail("empty_file", f"it has {self._describe(records)}")

    def test_cut_file(self) -> None:
        """Of a truncated file only complete receipts are read, unchanged, and the cut is reported."""
        content, whole = self._content(self._several), self._day_receipts()
        ids = {found.receipt.id: dumps(attrs.evolve(found.receipt, raw=whole[0].receipt.raw)) for found in whole}
        for part in range(1, 24):
            cut = content[: len(content.rstrip()) * part // 24]
            records = self._read_damaged(cut, self._several, tell=True)
            for record in records:
                if isinstance(record, Found):
                    now = dumps(attrs.evolve(record.receipt, raw=whole[0].receipt.raw))
                    if ids.get(record.receipt.id) != now:
                        fail("cut_file", f"cut after {len(cut)} bytes, a part of a receipt is taken for a receipt")
            if sum(isinstance(record, Found) for record in records) == len(whole):
                continue
            reported = any(isinstance(record, Broken | DocumentError) for record in records)
            # A cut between two records of a line format cannot be noticed; one inside a record must be.
            between = content[len(cut) : len(cut) + 1] in (b"\n", b"\r") or cut.endswith((b"\n", b"\r"))
            if not reported and not between:
                fail("cut_file", f"cut after {len(cut)} bytes no error is reported, and receipts are missing")

    def test_wrong_encoding(self) -> None:
        """A file in another encoding than it says is read with the same figures, or refused with a message."""
        text = self._content(self._several).decode(self.encoding)
        others = [name for name in ("utf-8", "latin-1", "utf-16") if name != self.encoding.lower()]
        for name in others:
            for record in self._read_damaged(text.encode(name, "replace"), self._several, tell=True):
                if isinstance(record, Found) and record.receipt.total != PRESCRIBED_SALES["day"].total:
                    fail("wrong_encoding", f"as {name} the total is {record.receipt.total}")

    def test_same_twice(self, tmp_path: Path) -> None:
        """The same file twice gives the same receipts, and the second time nothing new is accepted."""
        first, again = self._parse(self._several), self._parse(self._several)
        receipts = sum(isinstance(record, Found) for record in first)
        if first != again:
            fail("same_twice", "the second reading differs from the first")
        with _open_journal(tmp_path) as journal:
            for _ in range(2):
                counts = _accept(journal, first, self._document(self._several))
            if counts.duplicates != receipts:
                fail("same_twice", f"of {receipts} receipts {counts.duplicates} are known the second time")

    def test_crash(self, tmp_path: Path) -> None:
        """After a crash behind any record, reading the file again loses no receipt and doubles none."""
        document, hooks = self._document(self._several), self._hooks(self._several)
        whole = [found.receipt.id for found in self._day_receipts()]
        for after in range(len(whole) + 1):
            folder = tmp_path / str(after)
            with _open_journal(folder) as journal:
                records = hooks.parse_receipts(document)
                for record in itertools.islice(records, after):
                    _accept(journal, [record], document)
                records.close()  # type: ignore[attr-defined] # a generator; here the process ends
            with _open_journal(folder) as journal:
                _accept(journal, list(self._hooks(self._several).parse_receipts(document)), document)
                held = [entry.id for entry in journal.receipts.find({})]
            if held != whole:
                fail("crash", f"after a crash behind record {after} the journal has {len(held)} of {len(whole)}")

    def _only_receipt(self, promise: str, content: bytes, sample: str) -> Receipt:
        records = self._read_damaged(content, sample)
        if len(records) != 1 or not isinstance(records[0], Found):
            fail(promise, f"it is not a receipt but {self._describe(records)}")
        return records[0].receipt

    def _with_name(self, name: bytes) -> bytes:
        content, written = self._content("sale"), NAME.encode(self.encoding)
        if written not in content:
            fail("control_characters", f"samples/sale has no {NAME!r} written as it is")
        return content.replace(written, name)


def _open_journal(folder: Path) -> closing[Journal]:
    folder.mkdir(parents=True, exist_ok=True)
    return closing(Journal(folder))


def _accept(journal: Journal, records: list[Parsed], document: Document) -> Accepted:
    counts = Accepted()
    journal.receipts.accept(records, document, None, 0.0, counts)
    return counts
