"""The journal: what is acknowledged is on the disk, once, and unharmed by its neighbours."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import attrs
import pytest

from tests.support.receipts import accept, found, receipt
from tillpost.errors import InvalidValue, JournalError, StateFolderBusy
from tillpost.journal import Batch, Journal, Move, RunLock, State
from tillpost.journal.sqlite.schema import UPGRADES
from tillpost.model import (
    Broken,
    FallbackFile,
    Found,
    Identified,
    Identifier,
    NoReceipt,
    Payload,
    WrittenFiles,
)


def test_an_accepted_receipt_comes_back_as_it_was(journal: Journal) -> None:
    assert accept(journal, found()).accepted == 1
    entry = journal.receipts.get(receipt().id)
    assert entry is not None
    assert entry.state is State.ACCEPTED
    assert journal.bodies.get(entry.seq) == receipt()


def test_the_same_receipt_again_changes_nothing(journal: Journal) -> None:
    accept(journal, found())
    again = accept(journal, found(), now=200.0)
    assert (again.accepted, again.duplicates) == (0, 1)
    assert journal.receipts.counts()[State.ACCEPTED] == 1


def test_the_same_id_with_other_content_is_held_with_the_difference(journal: Journal) -> None:
    accept(journal, found())
    counts = accept(journal, found(price="11.00"))
    assert counts.held == 1
    (held,) = journal.receipts.find({"state": State.HELD})
    assert "total" in held.reason
    assert "10.00" in held.reason
    assert "11.00" in held.reason
    assert accept(journal, found(price="11.00")).duplicates == 1, "held once, however often it comes"


def test_a_receipt_without_a_customer_is_skipped_and_counted(journal: Journal) -> None:
    counts = accept(journal, found(customer=None))
    assert counts.skipped == 1
    assert counts.reasons == {"no customer": 1}
    assert journal.receipts.skipped() == {"no customer": 1}


def test_a_broken_record_is_held_and_its_neighbours_go_on(journal: Journal) -> None:
    broken = Broken(reason="the lines do not sum", place="line 7", raw=b"<x/>", number="9", store="12")
    counts = accept(journal, found(number="1"), broken, found(number="2"))
    assert (counts.accepted, counts.held) == (2, 1)
    (held,) = journal.receipts.find({"state": State.HELD})
    assert (held.place, journal.bodies.raw(held.seq)) == ("line 7", b"<x/>")


def test_control_records_are_no_receipts(journal: Journal) -> None:
    counts = accept(
        journal,
        NoReceipt(reason="sign-on", place="line 1", retail=False),
        NoReceipt(reason="training", place="line 2", retail=True),
    )
    assert (counts.ignored, counts.skipped) == (1, 1)


def test_a_group_that_fails_leaves_nothing_behind(journal: Journal) -> None:
    accept(journal, found())
    taken = attrs.evolve(receipt(number="2"), id=receipt().id)
    ok = found(number="3")
    bad = Found(receipt=taken, raw=b"")
    object.__setattr__(bad, "raw", "not bytes")  # past the check of types
    with pytest.raises(Exception):  # noqa: B017 - whatever it is, the group must be gone
        accept(journal, ok, bad, Found(receipt=receipt(number="4"), raw=object()))  # type: ignore[arg-type]
    assert journal.receipts.get(ok.receipt.id) is None


def test_a_damaged_body_is_noticed_and_only_that_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    accept(journal, found(number="1"), found(number="2"))
    journal.close()
    raw = sqlite3.connect(tmp_path / "journal.db")
    raw.execute("UPDATE bodies SET body = replace(CAST(body AS TEXT), '10.00', '90.00') WHERE seq = 1")
    raw.commit()
    raw.close()
    journal = Journal(tmp_path)
    with pytest.raises(InvalidValue, match="damaged"):
        journal.bodies.get(1)
    assert journal.bodies.get(2) == receipt(number="2")
    journal.close()


def test_moves_outside_the_table_are_refused(journal: Journal) -> None:
    accept(journal, found())
    journal.receipts.settle([(1, Move(state=State.DELIVERED, route="api"))], 101.0, "deliver")
    with pytest.raises(JournalError, match="from delivered to waiting"):
        journal.receipts.settle([(1, Move(state=State.WAITING))], 102.0, "deliver")
    entry = journal.receipts.get(receipt().id)
    assert entry is not None
    assert (entry.state, entry.route, entry.delivered_at) == (State.DELIVERED, "api", 101.0)


def test_what_was_being_sent_at_a_crash_is_uncertain_and_has_burnt_an_attempt(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    accept(journal, found())
    journal.receipts.mark_sending(1, 150.0)
    journal.close()
    journal = Journal(tmp_path)
    assert journal.receipts.recover(200.0, confirm_after=1000.0) == 1
    entry = journal.receipts.get(receipt().id)
    assert entry is not None
    assert (entry.state, entry.attempts, entry.due) == (State.UNCERTAIN, 1, 1150.0)
    assert journal.receipts.recover(201.0, confirm_after=1000.0) == 0
    journal.close()


def test_due_receipts_come_in_order_of_their_time(journal: Journal) -> None:
    accept(journal, found(number="1"), found(number="2"), found(number="3"))
    journal.receipts.settle([(1, Move(state=State.WAITING, due=500.0, attempts=1))], 101.0, "deliver")
    assert [entry.number for entry in journal.receipts.due(200.0, 10)] == ["2", "3"]
    assert [entry.number for entry in journal.receipts.due(500.0, 10)] == ["2", "3", "1"]
    assert journal.receipts.next_due() == 100.0


def test_threads_share_commits_and_lose_nothing(journal: Journal) -> None:
    def put(start: int) -> None:
        for number in range(start, start + 25):
            accept(journal, found(number=str(number)))

    threads = [threading.Thread(target=put, args=(start,)) for start in range(0, 200, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.receipts.counts()[State.ACCEPTED] == 200


def test_one_customer_at_three_tills_is_one_contact(journal: Journal) -> None:
    accept(journal, found(number="1"), found(number="2"), found(number="3"))
    assert len(journal.contacts.all()) == 1


def test_an_id_is_learnt_once_and_can_be_forgotten(journal: Journal) -> None:
    accept(journal, found())
    (contact,) = journal.contacts.all()
    key = str(contact["key"])
    for _ in range(2):
        journal.contacts.save_contact_id(key, Identified(contact_id="guid-1", by="externalId"), "lookup", 120.0)
    assert [event["what"] for event in journal.events.of_contact(key)] == ["first seen", "id learnt"]
    journal.contacts.forget_id(key, "the stored contactId answers 404", 130.0)
    assert journal.contacts.get(key).contact_id == ""


def test_no_personal_data_in_events_and_lists(journal: Journal, tmp_path: Path) -> None:
    """No key, e-mail or phone number in what logs, observers and lists get."""
    accept(journal, found())
    (contact,) = journal.contacts.all()
    shown = f"{contact} {journal.events.of_contact(str(contact['key']))} {journal.contacts.get(str(contact['key']))!r}"
    assert "4711" not in shown
    assert "Eva" not in shown


def test_a_file_takes_its_receipts_along(journal: Journal, tmp_path: Path) -> None:
    accept(journal, found())
    (contact,) = journal.contacts.all()
    created, updated = journal.contacts.to_write({str(contact["key"])})
    assert (len(created), updated) == (1, [])
    path = tmp_path / "1_contacts.xml"
    files = WrittenFiles(
        files=(
            FallbackFile(name="1_contacts.xml", kind="contacts", sha256="", size=1, keys=(created[0].key,), path=path),
            FallbackFile(
                name="1_transactions.xml", kind="receipts", sha256="", size=1, keys=(receipt().id,), path=path
            ),
        )
    )
    payload = Payload(receipt_id=receipt().id, match=Identifier("externalId", "4711"), fields={})
    batch = Batch(written=files, sequence=1, seqs={receipt().id: 1}, payloads={receipt().id: payload}, contacts=created)
    journal.files.add(batch, 150.0)
    assert journal.contacts.to_write({created[0].key}) == ([], []), "a contact goes into one file only"
    entry = journal.receipts.get(receipt().id)
    assert entry is not None
    assert (entry.state, entry.file) == (State.WRITTEN, "1_transactions.xml")
    assert [each.file.kind for each in journal.files.open()] == ["contacts", "receipts"]


def test_sequences_never_repeat(tmp_path: Path) -> None:
    numbers = []
    for _ in range(3):
        journal = Journal(tmp_path)
        numbers.append(journal.destination.next_sequence())
        journal.close()
    assert numbers == [1, 2, 3]


def test_a_second_runner_is_refused_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    with pytest.raises(StateFolderBusy, match="another `tillpost run`"):
        RunLock(tmp_path)
    lock.release()
    code = "\n".join(
        [
            "import time",
            "from pathlib import Path",
            "from tillpost.journal import RunLock",
            f"lock = RunLock(Path({str(tmp_path)!r}))",
            "print('locked', flush=True)",
            "time.sleep(60)",
        ]
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"locked\n"
    with pytest.raises(StateFolderBusy):
        RunLock(tmp_path)
    child.kill()
    child.wait()
    child.stdout.close()
    RunLock(tmp_path).release()


def test_a_journal_of_the_first_version_keeps_the_content_of_its_files(tmp_path: Path) -> None:
    raw = sqlite3.connect(tmp_path / "journal.db")
    raw.executescript(UPGRADES[0])
    raw.execute("INSERT INTO contacts VALUES ('c1', '', '{}', '{}', '12', '', '1_contacts.xml', 1.0, NULL, '{}')")
    raw.execute("PRAGMA user_version = 1")
    raw.commit()
    raw.close()
    journal = Journal(tmp_path)
    assert journal.contacts.to_write({"c1"}) == ([], [])
    assert journal.contacts.created_by_file("c1") == "1_contacts.xml"
    assert journal.contacts.counts()["pending"] == 1
    journal.close()


def test_a_journal_of_a_newer_tillpost_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    raw = sqlite3.connect(tmp_path / "journal.db")
    raw.execute("PRAGMA user_version = 999")
    raw.close()
    with pytest.raises(JournalError, match="newer"):
        Journal(tmp_path)


def test_the_journal_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    Journal(tmp_path / "state").close()
    assert (tmp_path / "state" / "journal.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
