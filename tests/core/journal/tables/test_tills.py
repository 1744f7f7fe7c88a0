"""The tills a journal has seen: kept with each group of receipts, and made from what is there by the upgrade."""

from __future__ import annotations

from pathlib import Path

from tests.support.old_journals import of_schema
from tests.support.receipts import receipt
from tillpost.journal import Accepted, Journal, Till
from tillpost.model import Document, Found

DOCUMENT = Document.from_bytes("a.jsonl", b"a")


def take(journal: Journal, numbers: list[str], now: float) -> None:
    records = [Found(receipt=receipt(number=number), raw=b"{}") for number in numbers]
    journal.receipts.accept(records, DOCUMENT, None, now, Accepted())


def test_a_till_is_known_by_its_first_and_its_last_receipt(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    take(journal, ["7", "9", "8"], 100.0)
    take(journal, ["7", "9", "8"], 150.0)  # again: nothing new
    take(journal, ["10"], 200.0)
    (till,) = journal.tills.all()
    made = receipt(number="10")
    assert till == Till(made.store, made.till, 100.0, 200.0, 4, "10", made.created.isoformat())
    journal.close()


def test_the_upgrade_knows_them_as_if_it_had_seen_them(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    take(journal, ["7", "9"], 100.0)
    take(journal, ["8"], 200.0)
    before = journal.tills.all()
    journal.close()
    folder = tmp_path / "older"
    folder.mkdir()
    of_schema(7, tmp_path / "journal.db", folder / "journal.db")
    journal = Journal(folder)
    assert journal.tills.all() == before != []
    journal.close()
