"""Retention: old rows are removed in small commits; held and open ones stay; lost rows are distinguished."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import apsw
import attrs
import pytest

from tests.support.backlog import DAY, NOW, build
from tests.support.damage import harm
from tests.support.engine import store_of
from tests.support.receipts import accept, found, receipt
from tillpost.journal import Batch, FileState, Journal, Move, RetentionCursor, State
from tillpost.journal.sqlite.doctor import compact, repair, stats, verify
from tillpost.journal.sqlite.doctor.salvage import rebuild
from tillpost.journal.tables.retention import STEP, Kind
from tillpost.model import FallbackFile, NoReceipt, WrittenFiles


def sweep(journal: Journal, before: float, now: float = NOW) -> int:
    """A whole pass; how many steps it took."""
    place: RetentionCursor | None = RetentionCursor()
    steps = 0
    while place is not None:
        place = journal.retention.step(place, before, now)
        steps += 1
    return steps


def seqs(journal: Journal) -> list[int]:
    return [entry.seq for entry in journal.receipts.find({})]


def rows(folder: Path, sql: str) -> list[tuple[object, ...]]:
    # By the library that the journal uses: two in one process take each other's locks away.
    raw = apsw.Connection(str(folder / "journal.db"))
    try:
        return list(raw.execute(sql))
    finally:
        raw.close()


def deliver(journal: Journal, *numbers: int, at: float) -> None:
    for number in numbers:
        journal.receipts.mark_sending(number, at)
        journal.receipts.settle([(number, Move(state=State.DELIVERED, route="api"))], at, "deliver")


def test_a_sale_that_may_be_removed_under_a_former_id_is_held_and_sent_by_a_person_alone(journal: Journal) -> None:
    """The destination knows a duplicate by the id, so the sale would be there twice."""
    accept(journal, *[found(number=str(number)) for number in range(1, 5)])
    deliver(journal, 1, 2, at=110.0)
    former = found(number="1").receipt
    renamed = attrs.evolve(found(number="1"), receipt=attrs.evolve(former, id="new-1"), former_ids=(former.id,))
    accept(journal, found(number="5"), now=former.created.timestamp() + 2 * DAY)
    assert accept(journal, renamed).duplicates == 1
    sweep(journal, 200.0)
    assert accept(journal, renamed).accepted == 1, "what was accepted last before it is older than the sale"
    other = attrs.evolve(found(number="2"), receipt=attrs.evolve(found(number="2").receipt, id="new-2"))
    deliver(journal, 3, 4, at=120.0)
    sweep(journal, 200.0)
    assert accept(journal, attrs.evolve(other, former_ids=())).accepted == 1, "its ids were never others"
    third = found(number="3").receipt
    again = attrs.evolve(found(number="3"), receipt=attrs.evolve(third, id="new-3"), former_ids=(third.id,))
    counts = accept(journal, again)
    assert (counts.held, counts.reasons) == (1, {"older than what the journal keeps": 1})
    entry = journal.receipts.get("new-3")
    assert entry is not None
    assert entry.state is State.HELD
    assert f"may have been sent under its former id {third.id}" in entry.reason
    changed = attrs.evolve(again, receipt=attrs.evolve(again.receipt, flags=("dst-gap",)))
    accept(journal, changed)
    assert journal.receipts.get("new-3") == entry, "other content of it does not make it go"
    journal.held.retry(entry, None, 300.0)
    sent = journal.receipts.get("new-3")
    assert sent is not None
    assert sent.state is State.ACCEPTED


def test_a_settled_receipt_is_removed_with_all_its_rows(journal: Journal, tmp_path: Path) -> None:
    accept(journal, *[found(number=str(number), customer=f"c{number}") for number in range(1, 8)])
    accept(journal, found(number="8", customer=None))  # skipped
    deliver(journal, 1, 2, 3, at=110.0)
    deliver(journal, 4, at=500.0)
    journal.receipts.settle([(5, Move(state=State.HELD, reason="refused"))], 110.0, "deliver")
    journal.receipts.settle([(6, Move(state=State.WAITING, due=900.0, attempts=1))], 110.0, "deliver")
    accept(journal, found(number="9", customer="c9"), now=600.0)
    sweep(journal, before=400.0)
    assert seqs(journal) == [4, 5, 6, 7, 9]
    assert rows(tmp_path, "SELECT seq FROM bodies") == [(4,), (5,), (6,), (7,), (9,)]
    gone = "SELECT count(*) FROM events WHERE receipt NOT IN (SELECT seq FROM receipts)"
    assert rows(tmp_path, gone) == [(0,)]
    assert journal.retention.count_removed() == 4
    assert journal.receipts.counts() | {"delivered": 1, "held": 1, "waiting": 1, "accepted": 2, "skipped": 0} == (
        journal.receipts.counts()
    )
    assert (journal.receipts.routes(), journal.receipts.skipped()) == ({"api": 1, "file": 0}, {})
    assert verify(tmp_path).fine, verify(tmp_path).damages
    assert journal.events.of_receipt(4), "its events are there"


def test_the_seqs_of_removed_rows_are_not_used_again(journal: Journal, tmp_path: Path) -> None:
    """Also when everything is old: the newest receipt stays, and an event takes the place of the newest."""
    accept(journal, *[found(number=str(number)) for number in range(1, 4)])
    deliver(journal, 1, 3, 2, at=110.0)
    newest = rows(tmp_path, "SELECT max(seq) FROM events")
    sweep(journal, before=1e6)
    assert seqs(journal) == [3]
    assert rows(tmp_path, "SELECT max(seq) FROM events") > newest
    accept(journal, found(number="4"), now=NOW)
    assert seqs(journal) == [3, 4]
    assert verify(tmp_path).fine, verify(tmp_path).damages


def test_a_removed_receipt_that_comes_again_is_new(journal: Journal) -> None:
    """Documented in docs/decisions/0014: `keep` bounds how long a repeated export is recognised here."""
    accept(journal, found(number="1"), found(number="2"))
    deliver(journal, 1, at=110.0)
    assert accept(journal, found(number="1")).duplicates == 1
    sweep(journal, before=400.0)
    assert accept(journal, found(number="1"), now=500.0).accepted == 1


def test_records_that_are_no_receipts_go_by_their_age(journal: Journal) -> None:
    accept(journal, NoReceipt(reason="sign-on", place="line 1", retail=False), now=100.0)
    accept(journal, NoReceipt(reason="sign-on", place="line 2", retail=False), now=500.0)
    sweep(journal, before=400.0)
    assert journal.receipts.ignored() == {"sign-on": 1}


def add_file(journal: Journal, name: str, kind: str, keys: tuple[str, ...], sequence: int) -> None:
    file = FallbackFile(name=name, kind=kind, sha256="", size=1, keys=keys, path=Path(name))
    contacts = [journal.contacts.get(key) for key in keys] if kind == "contacts" else []
    batch = Batch(written=WrittenFiles(files=(file,)), sequence=sequence, seqs={}, payloads={}, contacts=contacts)
    journal.files.add(batch, 100.0)


def confirm(journal: Journal, name: str, at: float) -> None:
    for state in (FileState.UPLOADED, FileState.CONSUMED, FileState.CONFIRMED):
        journal.files.move(journal.files.get(name), state, at)


def test_files_go_once_confirmed_and_named_by_no_receipt(journal: Journal, tmp_path: Path) -> None:
    accept(journal, found(number="1"), found(number="2"))
    for sequence, name in enumerate(("old.xml", "named.xml", "young.xml", "open.xml"), start=1):
        add_file(journal, name, "receipts", (), sequence)
    store_of(journal).write(
        lambda connection: connection.execute("UPDATE receipts SET file = 'named.xml' WHERE seq = 1") and None
    )
    for name, at in (("old.xml", 110.0), ("named.xml", 110.0), ("young.xml", 500.0)):
        confirm(journal, name, at)
    sweep(journal, before=400.0)
    assert [entry.file.name for entry in journal.files.all()] == ["named.xml", "young.xml", "open.xml"]


def test_contacts_without_receipts_are_removed_and_looked_up_again(journal: Journal, tmp_path: Path) -> None:
    accept(journal, *[found(number=str(number), customer=f"c{number}") for number in range(1, 4)])
    deliver(journal, 1, 2, at=110.0)
    journal.receipts.settle([(3, Move(state=State.HELD, reason="refused"))], 110.0, "deliver")
    accept(journal, found(number="4", customer="c2"), now=500.0)
    held, young = (journal.receipts.find({"number": number})[0].contact for number in ("3", "4"))
    sweep(journal, before=400.0)
    assert {row["key"] for row in journal.contacts.all()} == {held, young}
    assert rows(tmp_path, "SELECT count(*) FROM identifiers") == [(2,)]
    accept(journal, found(number="5", customer="c1"), now=600.0)
    assert len(journal.contacts.all()) == 3
    assert verify(tmp_path).fine, verify(tmp_path).damages


def test_contacts_stay_while_files_are_on_their_way(journal: Journal) -> None:
    accept(journal, found(number="1", customer="c1"), found(number="2", customer="c2"))
    deliver(journal, 1, at=110.0)
    key = journal.receipts.find({"number": "1"})[0].contact
    assert key is not None
    add_file(journal, "contacts.xml", "contacts", (key,), 1)
    sweep(journal, before=400.0)
    assert key in {row["key"] for row in journal.contacts.all()}
    confirm(journal, "contacts.xml", 120.0)
    sweep(journal, before=400.0)
    assert key not in {row["key"] for row in journal.contacts.all()}


@pytest.mark.parametrize("killed_after", [0, 1, 3, 7])
def test_a_kill_between_two_steps_leaves_a_whole_journal(tmp_path: Path, killed_after: int) -> None:
    """What is committed is copied as it is, and the pass starts again on the copy."""
    build(tmp_path / "a", 50, 950, contacts=20)
    journal = Journal(tmp_path / "a")
    place: RetentionCursor | None = RetentionCursor()
    for _ in range(killed_after):
        assert place is not None
        place = journal.retention.step(place, NOW - 40 * DAY, NOW)
    (tmp_path / "b").mkdir()
    for name in ("journal.db", "journal.db-wal"):
        if (tmp_path / "a" / name).exists():
            shutil.copy(tmp_path / "a" / name, tmp_path / "b" / name)
    journal.close()
    assert verify(tmp_path / "b").fine, verify(tmp_path / "b").damages
    again = Journal(tmp_path / "b")
    sweep(again, NOW - 40 * DAY)
    assert (again.retention.count_removed(), len(seqs(again))) == (950, 50)
    again.close()
    assert verify(tmp_path / "b").fine, verify(tmp_path / "b").damages


def test_a_step_removes_no_more_than_it_may(tmp_path: Path) -> None:
    build(tmp_path, 10, 5 * STEP, contacts=20)
    journal = Journal(tmp_path)
    place: RetentionCursor | None = RetentionCursor()
    before = 5 * STEP + 10
    while place is not None and place.kind is Kind.RECEIPTS:
        place = journal.retention.step(place, NOW, NOW)
        left = len(seqs(journal))
        assert before - left <= STEP
        before = left
    assert left == 10
    journal.close()


def test_a_lost_row_is_distinguished_from_removed_ones(tmp_path: Path) -> None:
    build(tmp_path, 50, 950, contacts=20)
    journal = Journal(tmp_path)
    sweep(journal, NOW - 60 * DAY)
    gone = journal.retention.count_removed()
    assert 0 < gone < 950
    journal.close()
    harm(tmp_path, "DELETE FROM receipts WHERE seq = 990")
    harm(tmp_path, "DELETE FROM bodies WHERE seq = 990")
    (lost,) = verify(tmp_path).damages
    assert (lost.table, lost.row, lost.lost) == ("receipts", "990", "the receipt")
    assert "accept day.jsonl again" in lost.remedy
    assert "990" in {damage.row for damage in repair(tmp_path, NOW).damages}
    assert verify(tmp_path).fine, "reported once"
    journal = Journal(tmp_path)
    assert journal.retention.count_removed() == gone
    journal.close()


def test_rows_read_from_damaged_pages_miss_none_that_were_removed(tmp_path: Path) -> None:
    """The doctor's own reading of the file: a journal with auto_vacuum has pages that belong to no table."""
    build(tmp_path, 3000, 3000, contacts=50)
    journal = Journal(tmp_path)
    sweep(journal, NOW - 60 * DAY)
    journal.close()
    (root,) = rows(tmp_path, "SELECT rootpage FROM sqlite_schema WHERE name = 'receipts'")[0]
    assert isinstance(root, int)
    assert rows(tmp_path, "PRAGMA auto_vacuum") == [(2,)]
    assert rows(tmp_path, "PRAGMA page_count")[0] > (1100,), "more than one pointer map"
    content = bytearray((tmp_path / "journal.db").read_bytes())
    content[(root - 1) * 4096 : root * 4096] = bytes(4096)
    (tmp_path / "damaged.db").write_bytes(content)
    damages = rebuild(tmp_path / "damaged.db", tmp_path / "new.db")
    assert [damage.table for damage in damages] == ["receipts"], damages
    one, other = sqlite3.connect(tmp_path / "journal.db"), sqlite3.connect(tmp_path / "new.db")
    for table in ("receipts", "events", "removed"):
        assert one.execute(f"SELECT * FROM {table}").fetchall() == other.execute(f"SELECT * FROM {table}").fetchall()
    one.close()
    other.close()


def test_pages_are_given_back_a_few_at_a_time_and_some_are_left_to_be_used_again(tmp_path: Path) -> None:
    build(tmp_path, 100, 4000, contacts=20)
    before = (tmp_path / "journal.db").stat().st_size
    journal = Journal(tmp_path)
    assert not journal.retention.release_space(), "nothing is free"
    sweep(journal, NOW - 40 * DAY)
    steps = 0
    while journal.retention.release_space():
        steps += 1
    journal.close()
    after = (tmp_path / "journal.db").stat().st_size
    assert steps > 5
    assert after < before / 5
    assert verify(tmp_path).fine


def test_opening_a_journal_that_is_there_writes_nothing(tmp_path: Path) -> None:
    """A disk that fails would fail each time it is opened again; and `status` is not to wait for writers."""
    Journal(tmp_path).close()
    before = (tmp_path / "journal.db").read_bytes()
    assert before
    journal = Journal(tmp_path)
    assert not (tmp_path / "journal.db-wal").stat().st_size
    journal.close()
    assert (tmp_path / "journal.db").read_bytes() == before


def test_a_journal_from_before_gives_pages_back_once_it_was_compacted(tmp_path: Path) -> None:
    build(tmp_path, 100, 4000, contacts=20)
    raw = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    raw.execute("PRAGMA auto_vacuum = 0")
    raw.execute("VACUUM")
    raw.close()
    journal = Journal(tmp_path)
    sweep(journal, NOW - 40 * DAY)
    assert not journal.retention.release_space()
    journal.close()
    held = stats(tmp_path, NOW)["bytes"]["free_pages"]
    done = compact(tmp_path)
    assert done.after == (tmp_path / "journal.db").stat().st_size <= done.before - held
    assert rows(tmp_path, "PRAGMA auto_vacuum") == [(2,)]
    assert stats(tmp_path, NOW)["bytes"]["free_pages"] == 0
    found_now = verify(tmp_path)
    assert (found_now.fine, found_now.receipts) == (True, 100)
    assert not list(tmp_path.glob("repair-*"))
    journal = Journal(tmp_path)
    assert journal.receipts.get(receipt().id) is None
    assert json.loads(journal.bodies.raw(4001) or b"0") == {}
    journal.close()


def test_a_clock_that_was_ahead_for_a_while_does_not_keep_what_came_later(journal: Journal) -> None:
    accept(journal, found(number="1"), now=1e12)
    accept(journal, found(number="2"), found(number="3"), now=100.0)
    deliver(journal, 2, at=110.0)
    sweep(journal, before=400.0)
    assert seqs(journal) == [1, 3]
