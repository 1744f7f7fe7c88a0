"""The account of records: whatever was read and whatever became of it, the sums agree, and a lost record is missed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.receipts import found
from tillpost.journal import Accepted, Group, Journal, Move, Reading, State
from tillpost.journal.queries.account import Account
from tillpost.journal.sqlite.doctor import verify
from tillpost.model import Broken, Document, NoReceipt, Parsed

NOW = 1_764_500_000.0
CONTENT = ["sale", "sale", "sale", "without customer", "no sale", "void", "broken"]
ENDS = {
    "delivered": Move(state=State.DELIVERED, route="api"),
    "waiting": Move(state=State.WAITING, due=NOW, reason="answered 500"),
    "held": Move(state=State.HELD, reason="answered 400"),
    "none": None,
}


def record(kind: str, number: int) -> Parsed:
    place = f"line {number}"
    if kind in ("sale", "without customer"):
        return found(number=str(number), customer=None if kind == "without customer" else "4711")
    if kind == "broken":
        return Broken(raw=f"{{{number}".encode(), reason="not JSON", place=place)
    return NoReceipt(reason="voided" if kind == "void" else "training", place=place, retail=kind == "void")


def read(journal: Journal, name: str, records: Sequence[Parsed], group: int = 3, until: int | None = None) -> None:
    """Read a document in groups; until: only so many groups, as if the process had ended."""
    content = f"{name} {[repr(each) for each in records]}".encode()
    document = Document(name=name, sha256=hashlib.sha256(content).hexdigest(), content=content)
    reading, counts = Reading(document, "accept"), Accepted()
    groups = [records[at : at + group] for at in range(0, len(records), group)] or [[]]
    for number, parsed in enumerate(groups[:until]):
        last = number == len(groups) - 1
        journal.receipts.accept_groups(
            [Group(parsed=parsed, document=document, counts=counts, last=last, reading=reading)], None, NOW
        )


def sums(account: Account) -> dict[str, int]:
    told = account.as_json()
    for name in ("receipts", "broken"):
        parts = told[name]
        assert parts["sum"] == sum(count for end, count in parts.items() if end != "sum")
    assert told["records"] == told["in_the_journal_before"] + sum(
        told[name]["sum"] for name in ("receipts", "skipped", "ignored", "broken")
    )
    assert sum(each["count"] for each in told["waiting"]) == sum(
        told[name][end] for name in ("receipts", "broken") for end in ("held", "on_the_way")
    )
    return {"records": told["records"], **{name: told[name]["sum"] for name in ("receipts", "skipped", "broken")}}


@given(
    documents=st.lists(
        st.tuples(st.lists(st.tuples(st.sampled_from(CONTENT), st.integers(1, 30)), max_size=12), st.booleans()),
        max_size=5,
    ),
    ends=st.lists(st.sampled_from(sorted(ENDS)), min_size=30, max_size=30),
    discarded=st.sets(st.integers(0, 29)),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_sums_agree_whatever_was_read_and_whatever_became_of_it(
    documents: list[tuple[list[tuple[str, int]], bool]], ends: list[str], discarded: set[int]
) -> None:
    with TemporaryDirectory() as folder, closing(Journal(Path(folder))) as journal:
        total = 0
        for number, (content, interrupted) in enumerate(documents):
            unlike = {n: kind for kind, n in content}  # one sale has one content
            records = [record(kind, n) for n, kind in unlike.items()]
            if interrupted and len(records) > 3:
                read(journal, f"d{number}", records, until=1)
            read(journal, f"d{number}", records)
            total += len(records)
        for entry, end in zip(journal.receipts.find({}), ends, strict=False):
            move = ENDS[end]
            if entry.state is State.ACCEPTED and move is not None:
                journal.receipts.settle([(entry.seq, move)], NOW, "deliver")
        for number, entry in enumerate(journal.receipts.find({"state": "held"})):
            if number in discarded:
                journal.receipts.settle(
                    [(entry.seq, Move(state=State.SKIPPED, reason="discarded: twice"))], NOW, "held"
                )
        whole = sums(journal.accounts.of_journal())
        rows = journal.receipts.find({})
        assert whole["receipts"] + whole["broken"] + sum(
            entry.state is State.SKIPPED and not entry.reason.startswith("discarded") for entry in rows
        ) == len(rows)
        of_documents = [sums(journal.accounts.of_document(entry)) for entry in journal.documents.newest(100)]
        assert sum(each["records"] for each in of_documents) == total
        sums(journal.accounts.of_day("2026-11-24", NOW, NOW + 1))
        assert verify(Path(folder)).fine


@pytest.fixture
def told(tmp_path: Path) -> Path:
    with closing(Journal(tmp_path)) as journal:
        read(
            journal, "a", [record("sale", 1), record("no sale", 2), record("broken", 3), record("without customer", 4)]
        )
        read(journal, "b", [record("sale", 1), record("void", 5), record("sale", 6)])
    return tmp_path


def test_a_document_says_what_became_of_its_records_and_what_was_there_before(told: Path) -> None:
    with closing(Journal(told)) as journal:
        (of_a,) = journal.documents.find("a")
        (of_b,) = journal.documents.find("b")
        first, second = journal.accounts.of_document(of_a), journal.accounts.of_document(of_b)
        day = journal.accounts.of_day("2026-11-24", NOW - 1, NOW + 1)
    assert dict(first.receipts) == {"on_the_way": 1}
    assert dict(first.broken) == {"held": 1}
    assert dict(first.skipped) == {"no customer": 1}
    assert dict(first.ignored) == {"training": 1}
    assert (first.records, first.before) == (4, 0)
    assert dict(second.receipts) == {"on_the_way": 1}
    assert dict(second.skipped) == {"voided": 1}
    assert (second.records, second.before) == (3, 1)
    assert dict(first.waiting) == {("accepted", ""): 1, ("held", "not JSON"): 1}
    assert day.records == 6


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("UPDATE documents SET skipped = skipped + 1 WHERE name = 'b'", "is another sum"),
        ("UPDATE documents SET broken = 0, records = records - 1 WHERE name = 'a'", "and 3 are there"),
        ("UPDATE document_rows SET last = last + 1 WHERE document = 1", "belong to no or two documents"),
        ("UPDATE document_rows SET document = 77 WHERE document = 1", "belong to no or two documents"),
        ("DELETE FROM receipts WHERE seq = 2", "the row"),
    ],
)
def test_verify_finds_an_account_whose_sums_differ(told: Path, sql: str, message: str) -> None:
    assert verify(told).fine
    with closing(apsw.Connection(str(told / "journal.db"))) as raw:
        raw.execute(sql)
    verified = verify(told)
    assert not verified.fine
    assert any(message in damage.reason for damage in verified.damages), [each.reason for each in verified.damages]
