"""The doctor: every kind of damage is named with what was lost, repaired or taken out, and its neighbours stay."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.support.damage import harm
from tests.support.engine import store_of
from tests.support.old_journals import of_schema
from tests.support.receipts import accept, found, receipt
from tillpost.errors import InvalidValue, JournalDamaged, JournalError, StateFolderBusy
from tillpost.journal import Batch, Journal, Move, State
from tillpost.journal.sqlite.doctor import Damage, export, repair, stats, verify
from tillpost.journal.sqlite.doctor.salvage import problems, rebuild
from tillpost.journal.sqlite.locks import ExclusiveLock
from tillpost.journal.sqlite.replace_file import finish_replacement, pending_replacement
from tillpost.journal.sqlite.schema import UPGRADES
from tillpost.model import Broken, FallbackFile, Identified, Payload, WrittenFiles

NOW = 1000.0
PAGE = 4096


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal with a receipt in each state the API route knows, and a fallback file with two more.

    Rows 1 to 8: accepted, waiting, uncertain, delivered, held, skipped, and two written.
    """
    journal = Journal(tmp_path)
    accept(journal, *[found(number=str(number), customer=f"c{number}") for number in range(1, 6)])
    accept(journal, found(number="6", customer=None))
    accept(journal, found(number="7", customer="c7"), found(number="8", customer="c7"))
    journal.receipts.settle(
        [(2, Move(state=State.WAITING, due=500.0, attempts=1, reason="no answer"))], 120.0, "deliver"
    )
    journal.receipts.settle([(3, Move(state=State.UNCERTAIN, due=500.0, attempts=1))], 120.0, "deliver")
    journal.receipts.mark_sending(4, 120.0)
    journal.receipts.settle([(4, Move(state=State.DELIVERED, route="api"))], 121.0, "deliver")
    journal.receipts.settle([(5, Move(state=State.HELD, reason="refused"))], 120.0, "deliver")
    _write(journal, tmp_path / "fallback")
    journal.close()
    return tmp_path


def _write(journal: Journal, fallback: Path) -> None:
    fallback.mkdir()
    for name in ("1_contacts.xml", "1_transactions.xml"):
        (fallback / name).write_bytes(b"<xml/>")
    digest = hashlib.sha256(b"<xml/>").hexdigest()
    entry = journal.receipts.get(receipt("7").id)
    assert entry is not None
    assert entry.contact is not None
    contact = journal.contacts.get(entry.contact)
    files = [
        FallbackFile(
            name="1_contacts.xml", kind="contacts", sha256=digest, size=6, keys=(contact.key,),
            path=fallback / "1_contacts.xml",
        ),
        FallbackFile(
            name="1_transactions.xml", kind="receipts", sha256=digest, size=6,
            keys=(receipt("7").id, receipt("8").id), path=fallback / "1_transactions.xml",
        ),
    ]  # fmt: skip
    rows = {receipt("7").id: 7, receipt("8").id: 8}
    match = contact.identifiers[0]
    batch = Batch(
        written=WrittenFiles(files=tuple(files)),
        sequence=journal.destination.next_sequence(),
        seqs=rows,
        payloads={key: Payload(receipt_id=key, match=match, fields={}) for key in rows},
        contacts=[contact],
    )
    journal.files.add(batch, 150.0)


def states(folder: Path) -> dict[str, str]:
    journal = Journal(folder)
    try:
        return {entry.number: str(entry.state) for entry in journal.receipts.find({})}
    finally:
        journal.close()


def fixed(folder: Path) -> list[Damage]:
    """Verify finds it, a dry run says what it would do and changes nothing, repair does it, verify finds nothing."""
    before = verify(folder)
    assert not before.fine
    bytes_before = (folder / "journal.db").read_bytes()
    dry = repair(folder, NOW, dry=True)
    assert dry.kept is None
    assert (folder / "journal.db").read_bytes() == bytes_before
    done = repair(folder, NOW)
    assert [each.as_dict() for each in done.damages] == [each.as_dict() for each in dry.damages]
    assert done.kept is not None
    assert done.kept.read_bytes() == bytes_before, "the damaged journal stays beside it"
    after = verify(folder)
    assert after.fine, after
    assert after.quarantined == len(done.damages)
    assert not list(folder.glob("repair-*"))
    assert all("Eva" not in f"{each.as_dict()} {each!r}" for each in done.damages), "no personal data is shown"
    return done.damages


def test_an_undamaged_journal_is_fine_and_not_changed_by_repair(folder: Path) -> None:
    found = verify(folder)
    assert (found.fine, found.receipts, found.damages, found.pages) == (True, 8, [], [])
    assert "WAL-reset bug is fixed" in found.protection, "the doctor says which protection is on"
    assert repair(folder, NOW).kept is None
    assert not list(folder.glob("*damaged*"))


UNHARMED = {
    "1": "accepted", "2": "waiting", "3": "uncertain", "4": "delivered", "5": "held", "6": "skipped", "7": "written",
    "8": "written",
}  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "table", "becomes"),
    [
        ("UPDATE bodies SET body = x'00' WHERE seq = 1", "bodies", {"1": "held"}),
        ("UPDATE bodies SET body = x'00' WHERE seq = 4", "bodies", {}),
        ("UPDATE bodies SET body = x'00' WHERE seq = 7", "bodies", {}),
        ("DELETE FROM bodies WHERE seq = 2", "bodies", {"2": "held"}),
        ("DELETE FROM receipts WHERE seq = 1", "receipts", {}),
        ("DELETE FROM receipts WHERE seq = 4", "receipts", {}),
        ("DELETE FROM receipts WHERE seq = 7", "receipts", {}),
        ("UPDATE receipts SET state = 'acceptee' WHERE seq = 1", "receipts", {}),
        ("UPDATE receipts SET state = 'deliveree' WHERE seq = 4", "receipts", {}),
        ("UPDATE receipts SET state = x'ff' WHERE seq = 2", "receipts", {}),
        ("UPDATE receipts SET state = 'accepted' WHERE seq = 4", "receipts", {}),
        ("UPDATE receipts SET due = 'soon' WHERE seq = 2", "receipts", {}),
        ("UPDATE receipts SET total = '99.00' WHERE seq = 2", "receipts", {}),
        ("UPDATE receipts SET id = 'x' WHERE seq = 2", "receipts", {}),
        ("UPDATE receipts SET contact = NULL WHERE seq = 2", "receipts", {}),
        ("UPDATE receipts SET contact = 'cnone' WHERE seq = 2", "contacts", {}),
        ("DELETE FROM contacts WHERE key = (SELECT contact FROM receipts WHERE seq = 1)", "contacts", {}),
        (
            "UPDATE identifiers SET contact = (SELECT contact FROM receipts WHERE seq = 2)"
            " WHERE contact = (SELECT contact FROM receipts WHERE seq = 1)",
            "identifiers",
            {},
        ),
        ("DELETE FROM identifiers", "identifiers", {}),
        ("UPDATE contacts SET attributes = '{\"fi'", "contacts", {}),
        ("UPDATE contacts SET sent = '[]', in_files = 'x', contact_id = x'00'", "contacts", {}),
        ("UPDATE files SET keys = '[\"a' WHERE kind = 'receipts'", "files", {}),
        ("UPDATE files SET state = 'writtem', sequence = 'x'", "files", {}),
        ("UPDATE files SET sha256 = 'aa' WHERE kind = 'receipts'", "files", {"7": "accepted", "8": "accepted"}),
        ("UPDATE files SET sha256 = 'aa' WHERE kind = 'contacts'", "files", {}),
        ("DELETE FROM files WHERE kind = 'receipts'", "files", {"7": "accepted", "8": "accepted"}),
        ("UPDATE events SET detail = '{' WHERE seq = 3", "events", {}),
        ("UPDATE events SET at = 'x' WHERE seq = 1", "events", {}),
        ("DELETE FROM destination", "destination", {}),
        ("UPDATE destination SET failures = 'many'", "destination", {}),
        ("UPDATE destination SET sequence = 0", "destination", {}),
    ],
)
def test_a_damaged_row_is_put_right_and_its_neighbours_stay(
    folder: Path, sql: str, table: str, becomes: dict[str, str]
) -> None:
    """A damaged journal row: its neighbours still go out, the damage is quarantined and reported."""
    harm(folder, sql)
    assert table in {damage.table for damage in fixed(folder)}
    assert states(folder) == UNHARMED | becomes
    journal = Journal(folder)
    for entry in journal.receipts.find({}):
        assert entry.contact is None or journal.contacts.get(entry.contact).identifiers
        if str(entry.state) in ("accepted", "waiting", "uncertain"):
            assert journal.bodies.get(entry.seq) == receipt(entry.number, customer=f"c{min(int(entry.number), 7)}"), (
                "what is on the line is whole"
            )
    assert len(journal.files.all()) in (1, 2)
    assert journal.destination.next_sequence() > 1
    journal.close()


def test_receipts_of_a_missing_fallback_file_are_accepted_again_by_a_repair(folder: Path) -> None:
    (folder / "fallback" / "1_transactions.xml").unlink()
    (damage,) = fixed(folder)
    assert (damage.table, damage.row) == ("files", "1_transactions.xml")
    assert states(folder) == UNHARMED | {"7": "accepted", "8": "accepted"}


def test_receipts_whose_uploaded_file_is_forgotten_are_looked_for_in_the_history(folder: Path) -> None:
    journal = Journal(folder)
    (contacts, file) = journal.files.all()
    journal.files.move(contacts, contacts.state.CONFIRMED, 160.0)
    journal.files.move(file, file.state.UPLOADED, 160.0)
    journal.close()
    harm(folder, "DELETE FROM files WHERE kind = 'receipts'")
    fixed(folder)
    journal = Journal(folder)
    (again,) = journal.files.open()
    assert (again.file.name, str(again.state)) == ("1_transactions.xml", "consumed")
    assert again.file.keys == (receipt("7").id, receipt("8").id)
    journal.close()


def test_a_receipt_with_a_damaged_body_comes_back_with_its_document(folder: Path) -> None:
    """Held with what to do; the same document accepted again queues it again, and nothing else happens."""
    harm(folder, "UPDATE bodies SET body = x'00' WHERE seq = 1")
    fixed(folder)
    journal = Journal(folder)
    (held,) = [entry for entry in journal.receipts.find({"state": State.HELD}) if entry.number == "1"]
    assert "`tillpost held retry" in held.reason
    with pytest.raises(InvalidValue, match="damaged"):
        journal.bodies.get(1)
    counts = accept(journal, found(number="1", customer="c1"), found(number="2", customer="c2"), now=2000.0)
    assert (counts.accepted, counts.duplicates) == (1, 1)
    assert journal.bodies.get(1) == receipt("1", customer="c1")
    journal.close()
    assert states(folder) == UNHARMED


def test_a_damaged_body_is_healed_by_a_duplicate_without_any_repair(folder: Path) -> None:
    harm(folder, "UPDATE bodies SET body = x'00' WHERE seq = 1")
    journal = Journal(folder)
    assert accept(journal, found(number="1", customer="c1"), now=2000.0).duplicates == 1
    assert journal.bodies.get(1) == receipt("1", customer="c1")
    journal.close()
    assert verify(folder).fine


def test_a_held_receipt_is_restored_from_its_record(folder: Path) -> None:
    harm(folder, "UPDATE bodies SET body = x'00' WHERE seq = 1")
    fixed(folder)
    journal = Journal(folder)
    assert not journal.bodies.is_readable(1)
    (entry,) = journal.receipts.find({"number": "1"})
    journal.held.retry(entry, found(number="1", customer="c1"), 2000.0)
    (entry,) = journal.receipts.find({"number": "1"})
    assert (entry.state, journal.bodies.get(1)) == (State.ACCEPTED, receipt("1", customer="c1"))
    journal.close()


def test_a_recreated_contact_has_the_identifiers_of_its_receipts(folder: Path) -> None:
    journal = Journal(folder)
    (entry,) = journal.receipts.find({"number": "1"})
    assert entry.contact is not None
    before = journal.contacts.get(entry.contact)
    journal.contacts.save_contact_id(before.key, Identified(contact_id="guid", by="externalId"), "lookup", 130.0)
    journal.close()
    harm(folder, "DELETE FROM contacts WHERE key = ?", before.key)
    harm(folder, "DELETE FROM identifiers WHERE contact = ?", before.key)
    fixed(folder)
    journal = Journal(folder)
    assert journal.contacts.get(before.key) == before, "its contactId is looked up again"
    journal.close()


def test_readers_name_a_damaged_row_and_the_doctor(folder: Path) -> None:
    """No reader dies of a row it cannot make sense of: each says which, and what to do."""
    harm(folder, "UPDATE receipts SET state = 'acceptee' WHERE seq = 1")
    harm(folder, "UPDATE contacts SET attributes = '{' WHERE key = (SELECT contact FROM receipts WHERE seq = 2)")
    harm(folder, "UPDATE files SET keys = '{' WHERE kind = 'receipts'")
    harm(folder, "UPDATE destination SET failures = 'many'")
    harm(folder, "UPDATE events SET detail = '{' WHERE seq = 3")
    harm(folder, "UPDATE receipts SET reason = CAST(x'ff' AS TEXT) WHERE seq = 5")
    journal = Journal(folder)
    key = store_of(journal).read("SELECT contact FROM receipts WHERE seq = 2")[0][0]
    readers: list[tuple[str, Callable[[], object]]] = [
        ("receipts, row 1", lambda: journal.receipts.get(receipt("1").id)),
        (f"contacts, row {key}", lambda: journal.contacts.get(key)),
        ("contacts: cnone is missing", lambda: journal.contacts.get("cnone")),
        ("files, row 1_transactions.xml", journal.files.all),
        ("table destination", journal.destination.get),
        ("not UTF-8", lambda: journal.receipts.find({"number": "5"})),
    ]
    for named, read in readers:
        with pytest.raises(JournalDamaged, match=named) as raised:
            read()
        assert "tillpost journal repair" in str(raised.value)
    assert {"damaged": True} in [event["detail"] for event in journal.events.unobserved(100)]
    journal.close()


def test_a_broken_record_whose_bytes_are_damaged_stays_held(folder: Path) -> None:
    journal = Journal(folder)
    accept(journal, Broken(reason="the lines do not sum", place="line 7", raw=b"<x/>", number="9", store="12"))
    journal.close()
    harm(folder, "UPDATE bodies SET raw = x'00' WHERE seq = 9")
    (damage,) = fixed(folder)
    assert damage.receipt.startswith("broken_")
    assert states(folder) == UNHARMED | {"9": "held"}


def test_a_journal_of_the_first_schema_is_verified_and_repaired(folder: Path) -> None:
    newest = (folder / "journal.db").rename(folder / "newest.db")
    of_schema(1, newest, folder / "journal.db")
    newest.unlink()
    assert (verify(folder).fine, verify(folder).schema) == (True, 1)
    harm(folder, "DELETE FROM receipts WHERE seq = 1")
    fixed(folder)
    assert states(folder) == UNHARMED


def test_a_repair_is_refused_while_the_journal_is_open(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another process acknowledges during a repair would be lost with the damaged file."""
    monkeypatch.setattr(ExclusiveLock.__init__, "__defaults__", (0.0,))
    harm(folder, "DELETE FROM receipts WHERE seq = 1")
    journal = Journal(folder)
    with pytest.raises(StateFolderBusy, match="has the journal of this state folder open"):
        repair(folder, NOW)
    assert not verify(folder).fine, "which needs no lock"
    journal.close()
    assert repair(folder, NOW).kept is not None


def test_a_missing_journal_is_reported(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal yet"):
        verify(tmp_path)


# --- pages ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some hundred pages: 300 receipts of 37 contacts, a third of them delivered."""
    folder = tmp_path_factory.mktemp("large")
    journal = Journal(folder)
    for start in range(0, 300, 50):
        accept(journal, *[found(number=str(each), customer=str(each % 37)) for each in range(start, start + 50)])
    for seq in range(1, 100):
        journal.receipts.mark_sending(seq, 150.0)
    journal.receipts.settle(
        [(seq, Move(state=State.DELIVERED, route="api")) for seq in range(1, 100)], 151.0, "deliver"
    )
    journal.close()
    return folder / "journal.db"


def _pages(path: Path, name: str) -> list[int]:
    raw = sqlite3.connect(path)
    root = int(raw.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0])
    raw.close()
    return [root]


def test_every_row_is_read_as_sqlite_reads_it(large: Path, tmp_path: Path) -> None:
    """The doctor's own reading of the file format, against SQLite's."""
    copied = Path(shutil.copy(large, tmp_path / "copy.db"))
    assert rebuild(copied, tmp_path / "new.db") == []
    one, other = sqlite3.connect(copied), sqlite3.connect(tmp_path / "new.db")
    for (table,) in one.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        if table == "counters":  # counted again, so without those of which there are none
            assert other.execute("SELECT * FROM counters").fetchall()
            continue
        assert one.execute(f"SELECT * FROM {table}").fetchall() == other.execute(f"SELECT * FROM {table}").fetchall()
    one.close()
    other.close()


@pytest.mark.parametrize(
    "name", ["receipts", "bodies", "events", "contacts", "identifiers", "receipts_due", "destination"]
)
def test_a_table_whose_root_page_is_gone_is_read_from_its_leaves(large: Path, tmp_path: Path, name: str) -> None:
    """A damaged page: SQLite gives up the whole table; here all 300 receipts stay, and nothing is deleted by hand."""
    content = bytearray(large.read_bytes())
    for page in _pages(large, name):
        content[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)
    (tmp_path / "journal.db").write_bytes(content)
    found = verify(tmp_path)
    assert found.pages
    assert any(damage.row.startswith("page ") for damage in found.damages)
    repair(tmp_path, NOW)
    assert verify(tmp_path).fine
    journal = Journal(tmp_path)
    entries = journal.receipts.find({})
    assert len(entries) == 300
    assert sum(entry.state is State.DELIVERED for entry in entries) == 99
    for entry in entries:
        assert journal.bodies.get(entry.seq).number == entry.number
        assert entry.contact is not None
        assert journal.contacts.get(entry.contact).identifiers
    journal.close()


def test_the_tables_of_a_file_without_its_first_page_are_found_by_the_shape_of_their_rows(
    large: Path, tmp_path: Path
) -> None:
    """No header, no schema: every table is still found."""
    content = bytearray(large.read_bytes())
    content[:PAGE] = bytes(PAGE)
    (tmp_path / "journal.db").write_bytes(content)
    with pytest.raises(JournalDamaged):
        Journal(tmp_path)
    repair(tmp_path, NOW)
    journal = Journal(tmp_path)
    assert len(journal.receipts.find({})) == 300
    journal.close()


def test_what_is_only_in_the_wal_is_saved_as_well(folder: Path, tmp_path: Path) -> None:
    """A kill left a WAL; the file below it is damaged."""
    journal = Journal(folder)
    accept(journal, found(number="9", customer="c1"))
    copied = tmp_path / "killed"
    shutil.copytree(folder, copied)
    journal.close()
    content = bytearray((copied / "journal.db").read_bytes())
    (root,) = _pages(folder / "journal.db", "events")
    content[(root - 1) * PAGE : root * PAGE] = bytes(PAGE)
    (copied / "journal.db").write_bytes(content)
    assert (copied / "journal.db-wal").stat().st_size
    repair(copied, NOW)
    assert states(copied) == UNHARMED | {"9": "accepted"}


def test_lost_rows_are_named_with_their_document(large: Path, tmp_path: Path) -> None:
    """Row and content both missing: the report names the document that must be accepted again."""
    (tmp_path / "journal.db").write_bytes(large.read_bytes())
    harm(tmp_path, "DELETE FROM bodies WHERE seq = 200")
    harm(tmp_path, "DELETE FROM receipts WHERE seq = 200")
    content = bytearray((tmp_path / "journal.db").read_bytes())
    (root,) = _pages(tmp_path / "journal.db", "receipts_due")
    content[(root - 1) * PAGE : root * PAGE] = bytes(PAGE)
    (tmp_path / "journal.db").write_bytes(content)
    damages = repair(tmp_path, NOW).damages
    (lost,) = [damage for damage in damages if damage.row == "200"]
    assert (lost.lost, lost.remedy) == ("the receipt", "accept day.jsonl again")
    journal = Journal(tmp_path)
    kept = store_of(journal).read("SELECT source, place, lost FROM quarantine WHERE place = '200'")
    assert kept == [("receipts", "200", "the receipt")]
    assert len(journal.receipts.find({})) == 299
    journal.close()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_damaged_repair_ends_with_a_whole_journal(large: Path, tmp_path: Path, seed: int) -> None:
    """Pages zeroed, overwritten, bits flipped, the end cut off: never an exception, and no receipt goes unnamed."""
    chance = Random(seed)
    content = bytearray(large.read_bytes())
    for _ in range(chance.choice([1, 2, 5])):
        page = chance.randrange(len(content) // PAGE) * PAGE
        kind = chance.choice(["zero", "noise", "flip", "flip", "cut"])
        if kind == "zero":
            content[page : page + PAGE] = bytes(PAGE)
        elif kind == "noise":
            content[page : page + PAGE] = chance.randbytes(PAGE)
        elif kind == "flip":
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        elif seed % 4 == 0:
            del content[chance.randrange(len(content) // 2, len(content)) :]
    (tmp_path / "journal.db").write_bytes(content)
    before = verify(tmp_path)
    done = repair(tmp_path, NOW)
    assert bool(done.kept) == (not before.fine)
    assert verify(tmp_path).fine
    journal = Journal(tmp_path)
    here = {entry.seq for entry in journal.receipts.find({})}
    named = {damage.row for damage in done.damages if damage.table == "receipts"}
    cut = len(content) < large.stat().st_size
    assert cut or all(seq in here or str(seq) in named for seq in range(1, 301))
    accept(journal, found(number="new"))
    journal.close()
    lines = list(export(tmp_path))
    assert sum(line["table"] == "receipts" for line in lines) == len(here) + 1
    assert stats(tmp_path, NOW)["rows"]["receipts"] == len(here) + 1


def test_export_reads_a_damaged_journal(large: Path, tmp_path: Path) -> None:
    content = bytearray(large.read_bytes())
    (root,) = _pages(large, "receipts")
    content[(root - 1) * PAGE : root * PAGE] = bytes(PAGE)
    (tmp_path / "journal.db").write_bytes(content)
    lines = list(export(tmp_path))
    assert lines[0] == {"table": "journal", "schema": len(UPGRADES), "whole": False}
    assert sum(line["table"] == "receipts" for line in lines) == 300
    assert lines[-1]["table"] == "damage"
    assert (tmp_path / "journal.db").read_bytes() == content


# --- the swap ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["kept", "decided", "wal removed"])
def test_a_kill_during_the_swap_leaves_the_one_or_the_other(folder: Path, moment: str) -> None:
    """The damaged journal until the repaired one is decided on, then the repaired one; a stale WAL never meets it."""
    harm(folder, "DELETE FROM receipts WHERE seq = 1")
    repaired = folder / "repaired"
    repaired.mkdir()
    shutil.copy(folder / "journal.db", repaired)
    shutil.copytree(folder / "fallback", repaired / "fallback")
    repair(repaired, NOW)
    (folder / "journal.db-wal").write_bytes(b"a stale WAL")
    if moment != "kept":
        shutil.copy(repaired / "journal.db", pending_replacement(folder / "journal.db"))
    if moment == "wal removed":
        (folder / "journal.db-wal").unlink()
    assert ("1" in states(folder)) is (moment != "kept")
    assert not pending_replacement(folder / "journal.db").exists()
    finish_replacement(folder / "journal.db")
    assert problems_of(folder) == []


def problems_of(folder: Path) -> list[str]:
    journal = Journal(folder)
    try:
        return problems(store_of(journal)._file.reader)
    finally:
        journal.close()
