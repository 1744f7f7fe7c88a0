"""`tillpost journal`: what the doctor says to a person and to a script."""

from __future__ import annotations

import json
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.command import CONFIG, call, objects
from tests.support.damage import harm
from tests.support.receipts import DOCUMENT, receipt
from tillpost.errors import JournalError, JournalFull, StateFolderBusy, UsageError
from tillpost.journal import Accepted, Journal, Move, RetentionCursor, RunLock, State
from tillpost.journal.sqlite import platform
from tillpost.model import Found
from tillpost.model.receipt_json import dumps


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Three receipts on the line; the configuration names a plugin that is gone, which the doctor does not need."""
    file = tmp_path / "tillpost.toml"
    file.write_text(CONFIG)
    (tmp_path / "day.jsonl").write_bytes(b"\n".join(dumps(receipt(number=str(number))) for number in range(1, 4)))
    assert call(file, "accept", str(tmp_path / "day.jsonl")).exit_code == 0
    file.write_text(CONFIG.replace('use = "receipts"', 'use = "gone"'))
    return file


def state(shop: Path) -> Path:
    return next(shop.parent.rglob("journal.db")).parent


def test_verify_says_fine_and_which_protection_is_on(shop: Path) -> None:
    """The doctor says which protection from the WAL-reset bug is on."""
    result = call(shop, "journal", "verify")
    assert result.exit_code == 0, result.output
    assert "the WAL-reset bug is fixed" in result.output
    assert "fine (3 receipts)" in result.output
    (answer,) = objects(call(shop, "journal", "verify", "--json"))
    assert (answer["fine"], answer["receipts"], answer["schema"]) == (True, 3, answer["newest_schema"])


def test_a_damaged_receipt_is_named_repaired_and_told_how_to_bring_back(shop: Path) -> None:
    harm(state(shop), "UPDATE bodies SET body = x'00' WHERE seq = 2")
    result = call(shop, "journal", "verify", "--pipeline", "shop")
    assert result.exit_code == 1
    assert receipt(number="2").id in result.output
    assert "number 2, total 10.00 SEK" in result.output
    dry = call(shop, "journal", "repair", "--dry-run")
    assert dry.exit_code == 1
    assert "nothing was changed" in dry.output
    assert call(shop, "journal", "verify").exit_code == 1
    done = objects(call(shop, "journal", "repair", "--json"))
    assert done[0]["receipt"] == receipt(number="2").id
    assert Path(done[-1]["kept"]).exists()
    again = call(shop, "journal", "verify")
    assert again.exit_code == 0
    assert "1 row in the quarantine" in again.output
    assert call(shop, "journal", "repair").output.endswith("nothing to repair (3 receipts)\n")
    (held,) = objects(call(shop, "held", "list", "--json"))
    assert "tillpost held retry" in held["reason"]
    shop.write_text(CONFIG)
    result = call(shop, "held", "retry", held["id"])
    assert result.exit_code == 0, result.output
    (back,) = objects(call(shop, "receipt", held["id"], "--json"))
    assert back["state"] == "accepted"


def test_a_receipt_whose_row_is_gone_as_well_is_read_again_from_its_record(shop: Path) -> None:
    harm(state(shop), "UPDATE bodies SET body = x'00' WHERE seq = 2")
    harm(state(shop), "DELETE FROM receipts WHERE seq = 2")
    assert call(shop, "journal", "repair").exit_code == 1
    (held,) = objects(call(shop, "held", "list", "--json"))
    assert held["id"] == "damaged_2"
    shop.write_text(CONFIG)
    assert call(shop, "held", "retry", "damaged_2").exit_code == 0
    (back,) = objects(call(shop, "receipt", receipt(number="2").id, "--json"))
    assert back["state"] == "accepted"


def test_repair_is_refused_while_a_run_works_on_it(shop: Path) -> None:
    lock = RunLock(state(shop))
    assert isinstance(call(shop, "journal", "repair").exception, StateFolderBusy)
    assert call(shop, "journal", "repair", "--dry-run").exit_code == 0
    lock.release()


def test_export_has_every_row_in_a_file_of_its_owner(shop: Path, tmp_path: Path) -> None:
    target = tmp_path / "rescue.jsonl"
    result = call(shop, "journal", "export", "--to", str(target))
    assert result.exit_code == 0, result.output
    assert target.stat().st_mode & 0o077 == 0
    assert "personal data" in result.output
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert sum(line["table"] == "receipts" for line in lines) == 3
    (content,) = {line["body"] for line in lines if line["table"] == "bodies" and line["seq"] == 1}
    assert json.loads(content)["number"] == "1"
    assert isinstance(call(shop, "journal", "export", "--to", str(target)).exception, UsageError), "never overwritten"
    assert call(shop, "journal", "export").stdout.encode() == target.read_bytes()


def test_stats_counts_measures_and_shows_the_settings(shop: Path) -> None:
    (found,) = objects(call(shop, "journal", "stats", "--json"))
    assert (found["receipts"]["accepted"], found["rows"]["receipts"], found["rows"]["quarantine"]) == (3, 3, 0)
    assert found["bytes"]["journal"] > 0
    assert found["settings"]["mmap_size"] == 0
    assert found["settings"]["journal_mode"] == "wal"
    assert found["growth_a_day"]["receipts"] == 3
    assert found["oldest_open"]
    assert "receipts: accepted 3" in call(shop, "journal", "stats").output


def test_without_a_journal_the_doctor_says_so(tmp_path: Path) -> None:
    file = tmp_path / "tillpost.toml"
    file.write_text(CONFIG)
    for words in (["verify"], ["stats"], ["repair"], ["repair", "--dry-run"], ["export"]):
        result = call(file, "journal", *words)
        assert isinstance(result.exception, JournalError), words
        assert "there is no journal yet" in str(result.exception)


def test_a_state_folder_on_the_network_is_a_finding_of_check(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State on a network file system: `check` names the key, every other command refuses; the doctor still reads."""
    shop.write_text(CONFIG)
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"30 22 0:26 / {tmp_path} rw - nfs4 nas:/export rw\n")
    monkeypatch.setattr(platform, "MOUNTS", mounts)
    result = call(shop, "check", "--offline", "--json")
    assert result.exit_code == 78
    (finding,) = objects(result)
    assert finding["key"].endswith("state")
    assert "network file system (nfs4 at" in finding["message"]
    refused = call(shop, "accept", str(tmp_path / "day.jsonl"))
    assert isinstance(refused.exception, JournalError)
    verified = call(shop, "journal", "verify")
    assert verified.exit_code == 1
    assert "network file system" in verified.output


def test_compact_writes_the_journal_anew_and_says_what_was_gained(shop: Path) -> None:
    with closing(Journal(state(shop))) as journal:
        bulk = [Found(receipt=receipt(number=str(number)), raw=b"{}") for number in range(10, 400)]
        journal.receipts.accept(bulk, DOCUMENT, None, 1.0, Accepted())
        moves = [(seq, Move(state=State.SKIPPED, reason="test")) for seq in range(4, 394)]
        journal.receipts.settle(moves, 1.0, "held")
        place: RetentionCursor | None = RetentionCursor()
        while place is not None:
            place = journal.retention.step(place, 2.0, 3.0)
    (answer,) = objects(call(shop, "journal", "compact", "--json"))
    assert answer["after"] < answer["before"] / 2
    said = call(shop, "journal", "compact")
    assert said.exit_code == 0
    assert f"{answer['after']} bytes before" in said.output
    assert call(shop, "journal", "verify").exit_code == 0


def test_compact_is_refused_while_a_run_works_or_the_disk_has_no_room(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = RunLock(state(shop))
    assert isinstance(call(shop, "journal", "compact").exception, StateFolderBusy)
    lock.release()
    monkeypatch.setattr(import_module("tillpost.journal.sqlite.doctor.compact"), "room", lambda folder: (1000, 10**9))
    refused = call(shop, "journal", "compact").exception
    assert isinstance(refused, JournalFull)
    assert "nothing was changed" in str(refused)
    assert call(shop, "journal", "verify").exit_code == 0


def restored(shop: Path, source: str, *, sold_since: bool) -> tuple[str, str, int]:
    """What a restore says, what `losses` says after it, and its exit code."""
    assert call(shop, "journal", "backup", str(shop.parent / "night.db")).exit_code == 0
    shop.write_text(CONFIG)
    if sold_since:
        (shop.parent / "late.jsonl").write_bytes(dumps(receipt(number="4")))
        assert call(shop, "accept", str(shop.parent / "late.jsonl")).exit_code == 0
    shop.write_text(CONFIG.replace("[pipelines.shop]\n", f"[pipelines.shop]\nsource = {source}\n"))
    done = call(shop, "journal", "restore", str(shop.parent / "night.db"), "--replace")
    assert done.exit_code == 0, done.output
    losses = call(shop, "journal", "losses")
    return done.output, losses.output, losses.exit_code


PUSHED = [
    '{ use = "amqp", host = "localhost", user = "u", password = "p", queue = "q" }',
    '{ use = "ingest", keys = { till = { env = "ENGAGE_API_KEY" } } }',
    '{ use = "folder", path = "inbox" }',
]


@pytest.mark.parametrize("source", PUSHED, ids=["amqp", "ingest", "folder"])
def test_a_restore_leaves_what_is_missing_in_sight_until_it_is_settled(shop: Path, source: str) -> None:
    said, losses, code = restored(shop, source, sold_since=True)
    for told in (said, losses):
        assert "is missing (1 receipt, which " in told
        assert "journal.db.replaced-" in told
        assert "put messages into the queue again" in told
    assert code == 1
    twice = call(shop, "journal", "restore", str(shop.parent / "night.db"), "--replace")
    assert "is missing" in twice.output, "a second restore does not take the first one's loss away"
    assert call(shop, "journal", "losses").exit_code == 1
    assert call(shop, "journal", "losses", "--settle").exit_code == 0
    assert call(shop, "journal", "losses").exit_code == 0


def test_what_the_replaced_journal_has_beyond_the_backup_is_brought_back(shop: Path) -> None:
    """What may have left is asked for; what a person discarded, a till voided or nobody could read stays so."""
    assert call(shop, "journal", "backup", str(shop.parent / "night.db")).exit_code == 0
    shop.write_text(CONFIG)
    rows = [dumps(receipt(number=str(number))) for number in range(4, 8)]
    (shop.parent / "late.jsonl").write_bytes(b"\n".join([*rows, b"no receipt"]))
    assert call(shop, "accept", str(shop.parent / "late.jsonl")).exit_code == 1  # one is held
    now = 1_790_000_000.0
    with closing(Journal(state(shop))) as journal:
        seqs = {entry.number: entry.seq for entry in journal.receipts.find({})}
        for number, move in {
            "1": Move(state=State.SKIPPED, reason="voided at the till"),
            "4": Move(state=State.DELIVERED, route="api"),
            "5": Move(state=State.SKIPPED, reason="discarded: a test sale"),
            "6": Move(state=State.HELD, reason="Engage refuses it"),
        }.items():
            journal.receipts.settle([(seqs[number], move)], now, "test")
    (done,) = objects(call(shop, "journal", "restore", str(shop.parent / "night.db"), "--replace", "--json"))
    assert done["newer"] == 5
    losses = call(shop, "journal", "losses")
    assert f"`tillpost journal recover {done['kept']}` brings it back" in losses.output
    (brought,) = objects(call(shop, "journal", "recover", done["kept"], "--json"))
    assert brought == {"receipts": 5, "left": {}, "settled": 1}
    with closing(Journal(state(shop))) as journal:
        found = {entry.number or "broken": (entry.state, entry.reason) for entry in journal.receipts.find({})}
        assert {each for each, (at, _) in found.items() if at is State.UNCERTAIN} == {"2", "3", "4", "7"}
        assert found["1"] == (State.SKIPPED, "voided at the till")
        assert found["5"] == (State.SKIPPED, "discarded: a test sale")
        assert found["6"] == (State.HELD, "Engage refuses it")
        assert found["broken"][0] is State.HELD
        assert {each.name for each in journal.documents.newest(9)} >= {"day.jsonl", "late.jsonl"}
        four = next(entry for entry in journal.receipts.find({}) if entry.number == "4")
        assert journal.bodies.get(four.seq) == receipt(number="4")
        assert four.contact is not None
        assert journal.receipts.counts()[State.UNCERTAIN] == 4
    assert call(shop, "journal", "losses").exit_code == 0
    assert objects(call(shop, "journal", "recover", done["kept"], "--json"))[0]["receipts"] == 0
    assert call(shop, "journal", "verify").exit_code == 0
    assert not list(state(shop).glob("repair-*"))


def test_a_receipt_with_other_content_is_left_where_it_is_and_told(shop: Path) -> None:
    with closing(Journal(state(shop))) as journal:
        journal.losses.record(1.0, "something else", "look")
    other = shop.parent / "other"
    other.mkdir()
    (other / "tillpost.toml").write_text(CONFIG)
    (other / "day.jsonl").write_bytes(dumps(receipt(number="1", price="99.00")))
    assert call(other / "tillpost.toml", "accept", str(other / "day.jsonl")).exit_code == 0
    done = call(shop, "journal", "recover", str(state(other / "tillpost.toml") / "journal.db"))
    assert done.exit_code == 1
    assert "1 receipt left in it: its id is here with other content" in done.output
    assert call(shop, "journal", "losses").exit_code == 1


def test_recover_is_refused_beside_a_run_and_of_what_is_no_journal(shop: Path) -> None:
    path = str(shop.parent / "day.jsonl")
    assert "is not a journal; nothing was changed" in str(call(shop, "journal", "recover", path).exception)
    lock = RunLock(state(shop))
    assert isinstance(call(shop, "journal", "recover", path).exception, StateFolderBusy)
    lock.release()


def test_a_restore_of_all_there_was_tells_no_loss(shop: Path) -> None:
    said, _, code = restored(shop, PUSHED[0], sold_since=False)
    assert "no receipt of the replaced journal is missing" in said
    assert code == 0


def test_a_restore_in_an_empty_place_tells_that_it_cannot_know(shop: Path) -> None:
    assert call(shop, "journal", "backup", str(shop.parent / "night.db")).exit_code == 0
    for path in state(shop).glob("journal.db*"):
        path.unlink()
    (done,) = objects(call(shop, "journal", "restore", str(shop.parent / "night.db"), "--json"))
    assert done["missing"].startswith("a backup was restored: what was accepted after ")
    assert call(shop, "journal", "losses").exit_code == 1
