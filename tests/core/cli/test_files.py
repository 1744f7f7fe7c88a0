"""`tillpost files` on a journal with the fallback files."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import attrs
import pytest

from tests.support.command import CONFIG, call, objects
from tests.support.receipts import DOCUMENT, found
from tillpost.errors import JournalError, UsageError
from tillpost.journal import Accepted, Batch, FileState, Journal, Postponed, RunLock
from tillpost.model import FallbackFile, Identifier, Payload, WrittenFiles

NAME = "20261124101500_10000-3f9a11c2_transactions.xml"
CONTENT = b"<transactions/>"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """One file with two receipts: uploaded, unread, and a person was told."""
    config = tmp_path / "tillpost.toml"
    config.write_text(CONFIG)
    journal = Journal(tmp_path / "state" / "shop")
    journal.receipts.accept([found(number="1"), found(number="2")], DOCUMENT, None, 100.0, Accepted())
    rows = {entry.id: entry.seq for entry in journal.receipts.find({})}
    journal.fallback_folder.mkdir()
    path = journal.fallback_folder / NAME
    path.write_bytes(CONTENT)
    file = FallbackFile(
        name=NAME, kind="receipts", sha256=sha256(CONTENT).hexdigest(), size=len(CONTENT), keys=tuple(rows), path=path
    )
    match = Identifier("externalId", "4711")
    payloads = {key: Payload(receipt_id=key, match=match, fields={}) for key in rows}
    batch = Batch(written=WrittenFiles(files=(file,)), sequence=1, seqs=rows, payloads=payloads, contacts=[])
    journal.files.add(batch, 200.0)
    journal.files.move(journal.files.all()[0], FileState.UPLOADED, 300.0)
    (entry,) = journal.files.all()
    journal.files.postpone([Postponed(entry=entry, due=400.0, reason="not read by the importer yet")])
    journal.files.mark_stuck(NAME, "not read by the importer yet", 350.0)
    journal.close()
    return config


def test_a_file_is_listed_with_its_checksum_and_times(shop: Path) -> None:
    (row,) = objects(call(shop, "files", "list", "--open", "--json"))
    assert (row["name"], row["state"], row["rows"]) == (NAME, "uploaded", 2)
    assert row["sha256"] == sha256(CONTENT).hexdigest()
    assert row["first_at"] <= row["last_at"] != ""
    assert NAME in call(shop, "files", "list").stdout


def test_the_manifest_shows_each_receipt_with_its_state(shop: Path) -> None:
    (shown,) = objects(call(shop, "files", "show", NAME, "--json"))
    assert [each["state"] for each in shown["contents"]] == ["transferred", "transferred"]
    assert (shown["exists"], shown["size"]) == (True, len(CONTENT))
    printed = call(shop, "files", "show", NAME)
    assert all(each["id"] in printed.stdout for each in shown["contents"])


def test_status_shows_the_alert_and_needs_a_person(shop: Path) -> None:
    status = call(shop, "status", "--json")
    alert, not_running = objects(status)[0]["pipelines"]["shop"]["alerts"]
    assert not_running["alert"] == "not_running"
    assert (status.exit_code, alert["alert"]) == (1, f"not_consumed {NAME}")
    assert alert["what"] == f"shop: file {NAME} is still uploaded: not read by the importer yet"
    assert f"file {NAME} is still uploaded" in call(shop, "status").stdout


def test_resend_takes_the_file_back_and_ends_the_alert(shop: Path) -> None:
    assert objects(call(shop, "files", "resend", NAME, "--json")) == [{"name": NAME, "result": "will be sent again"}]
    (row,) = objects(call(shop, "files", "list", "--json"))
    assert (row["state"], row["reason"], row["alerted_at"]) == ("written", "sent again", None)
    at_work = RunLock(shop.parent / "state" / "shop")
    assert call(shop, "status").exit_code == 0
    at_work.release()


def test_what_is_not_there_cannot_be_sent_again(shop: Path) -> None:
    unknown = call(shop, "files", "resend", "nothing.xml")
    assert isinstance(unknown.exception, UsageError)
    (shop.parent / "state" / "shop" / "fallback" / NAME).unlink()
    gone = call(shop, "files", "resend", NAME)
    assert isinstance(gone.exception, UsageError)
    assert "is gone" in str(gone.exception)


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_file_that_run_settled_meanwhile_is_not_sent_again(shop: Path, confirmed: bool) -> None:
    """Its content is removed as soon as the journal has that: it would be uploaded again and again, and be missing."""
    journal = Journal(shop.parent / "state" / "shop")
    (entry,) = journal.files.all()
    if confirmed:
        journal.files.move(entry, FileState.CONFIRMED, 500.0)
    else:
        journal.files.withdraw(attrs.evolve(entry, state=FileState.WRITTEN), 500.0, "sent by API", 500.0)
    with pytest.raises(JournalError, match="confirmed by now" if confirmed else "no longer in the journal"):
        journal.files.resend(NAME, 600.0)
    assert [each.state for each in journal.files.all()] == ["confirmed"] * confirmed
    journal.close()
    assert call(shop, "files", "resend", NAME).exit_code != 0


def test_what_run_saw_of_a_file_does_not_undo_that_a_person_had_it_sent_again(shop: Path) -> None:
    journal = Journal(shop.parent / "state" / "shop")
    (seen,) = journal.files.all()
    journal.files.resend(NAME, 500.0)
    with pytest.raises(JournalError, match="written by now"):
        journal.files.move(seen, FileState.CONFIRMED, 600.0)
    assert [each.state for each in journal.files.all()] == ["written"]
    journal.close()


@pytest.mark.parametrize("uploaded", [True, False])
def test_what_run_saw_of_a_file_does_not_put_off_what_a_person_had_sent_again(shop: Path, uploaded: bool) -> None:
    """Its question to the file server takes a while; the answer is about the file as it was before."""
    journal = Journal(shop.parent / "state" / "shop")
    (seen,) = journal.files.all()
    if not uploaded:
        journal.files.resend(NAME, 400.0)
        journal.files.postpone([Postponed(entry=journal.files.get(NAME), due=450.0, reason="no room there")])
        seen = journal.files.get(NAME)
    journal.files.resend(NAME, 500.0)
    journal.files.postpone([Postponed(entry=seen, due=9000.0, reason="not read by the importer yet")])
    (entry,) = journal.files.all()
    assert (entry.due, entry.attempts, entry.reason) == (500.0, 0, "sent again")
    journal.close()
