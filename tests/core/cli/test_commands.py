"""The commands a person uses on a journal, without a destination."""

from __future__ import annotations

import json
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from tests.support.command import CONFIG, call, objects
from tests.support.receipts import DOCUMENT, receipt
from tillpost.cli import cli
from tillpost.errors import UsageError
from tillpost.journal import Accepted, ContactLookup, Destination, Journal, Move, RetentionCursor, State
from tillpost.model import Conflict, Found, Identified
from tillpost.model.receipt_json import dumps


def test_accept_counts_what_it_took_and_exits_1_when_something_is_held(shop: Path) -> None:
    result = call(shop, "accept", str(shop.parent / "day.jsonl"), "--json")
    (answer,) = objects(result)
    assert result.exit_code == 1
    assert (answer["accepted"], answer["held"], answer["skipped"]) == (2, 1, 1)
    again = call(shop, "accept", str(shop.parent / "day.jsonl"), "--json")
    (answer,) = objects(again)
    assert (answer["accepted"], answer["held"], answer["duplicates"]) == (0, 0, 4)


def test_receipt_finds_by_id_and_by_number_and_store(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    (by_id,) = objects(call(shop, "receipt", receipt(number="2").id, "--json"))
    (by_number,) = objects(call(shop, "receipt", "--number", "2", "--store", "12", "--json"))
    assert by_id == by_number
    assert [event["what"] for event in by_id["events"]] == ["first seen", "accepted"]
    assert "4711" not in json.dumps(by_id)


def test_the_flags_of_a_receipt_are_shown_with_it(shop: Path) -> None:
    flagged = attrs.evolve(receipt(number="8"), flags=("rounding-as-tender", "dst-gap"))
    (shop.parent / "flagged.jsonl").write_bytes(dumps(flagged))
    call(shop, "accept", str(shop.parent / "flagged.jsonl"))
    [told] = objects(call(shop, "receipt", flagged.id, "--json"))
    assert told["flags"] == "rounding-as-tender, dst-gap"
    assert "  flags: rounding-as-tender, dst-gap\n" in call(shop, "receipt", flagged.id).output


def test_an_unknown_receipt_is_wrong_usage(shop: Path) -> None:
    assert isinstance(call(shop, "receipt", "nothing").exception, UsageError)


def test_receipts_lists_all_or_so_many(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    assert len(objects(call(shop, "receipts", "--json"))) == 4
    assert [len(objects(call(shop, "receipts", "--json", "--limit", str(limit)))) for limit in (0, 3)] == [0, 3]


def test_held_is_listed_shown_and_dropped_with_a_reason(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    listed = call(shop, "held", "list", "--json")
    (held,) = objects(listed)
    assert listed.exit_code == 1
    assert "2" in held["place"]
    assert '{"broken":' in call(shop, "held", "show", held["id"]).stdout
    assert call(shop, "held", "discard", held["id"], "--reason", "typed by hand").exit_code == 0
    assert call(shop, "held", "list").exit_code == 0
    (discarded,) = objects(call(shop, "receipts", "--json", "--state", "skipped", "--limit", "1"))
    assert discarded["reason"] == "discarded: typed by hand"


def test_a_broken_record_that_still_cannot_be_read_stays_held(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    (held,) = objects(call(shop, "held", "list", "--json"))
    assert call(shop, "held", "retry", held["id"]).exception is not None
    assert len(objects(call(shop, "held", "list", "--json"))) == 1


def test_another_receipt_under_a_known_id_is_held_with_the_difference(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    (shop.parent / "other.jsonl").write_bytes(dumps(receipt(number="1", price="12.00")))
    assert call(shop, "accept", str(shop.parent / "other.jsonl")).exit_code == 1
    reasons = [held["reason"] for held in objects(call(shop, "held", "list", "--json"))]
    assert any("12.00" in reason for reason in reasons)
    (taken,) = [held["id"] for held in objects(call(shop, "held", "list", "--json")) if "#" in held["id"]]
    refused = call(shop, "held", "retry", taken)
    assert "its id belongs to other content" in str(refused.exception), "Engage would silently ignore it"


def conflicted(shop: Path) -> str:
    """The journal has a contact in conflict, and a receipt that is held for it; the contact's key."""
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    (contact,) = objects(call(shop, "contacts", "list", "--json"))
    key = str(contact["key"])
    journal = Journal(shop.parent / "state" / "shop")
    found = Conflict(reason="several contacts by email, mobilePhone", found={"email": "g-1", "mobilePhone": "g-2"})
    journal.contact_lookups.save([ContactLookup(key=key, found=found)], "lookup", 100.0)
    row = journal.receipts.get(receipt(number="1").id)
    assert row is not None
    move = Move(state=State.HELD, reason=journal.contact_lookups.conflict_reason(key))
    journal.receipts.settle([(row.seq, move)], 100.0, "deliver")
    journal.close()
    return key


def test_a_conflict_is_listed_without_personal_data_and_ended_by_a_person(shop: Path) -> None:
    key = conflicted(shop)
    listed = call(shop, "contacts", "conflicts", "--json")
    (conflict,) = objects(listed)
    assert listed.exit_code == 1
    assert conflict["candidates"] == {"email": "g-1", "mobilePhone": "g-2"}
    table = call(shop, "contacts", "conflicts").output
    assert "email:g-1 mobilePhone:g-2" in table
    assert "4711" not in listed.output + table
    assert objects(call(shop, "contacts", "list", "--json"))[0]["state"] == "conflict"
    result = call(shop, "contacts", "resolve", key, "--use", "g-2", "--json")
    assert objects(result) == [{"key": key, "contact_id": "g-2", "receipts": 1}]
    (contact,) = objects(call(shop, "contacts", "list", "--json"))
    assert (contact["state"], contact["contact_id"], contact["origin"]) == ("known", "g-2", "person")
    assert call(shop, "contacts", "conflicts").exit_code == 0
    (row,) = objects(call(shop, "receipt", receipt(number="1").id, "--json"))
    assert row["state"] == "accepted"


def test_resolving_what_is_no_conflict_is_wrong_usage_and_changes_nothing(shop: Path) -> None:
    key = conflicted(shop)
    for words in (["c-nobody", "--use", "g-1"], [key, "--use", " "]):
        assert isinstance(call(shop, "contacts", "resolve", *words).exception, UsageError)
    assert call(shop, "contacts", "resolve", key).exit_code == 2
    assert call(shop, "contacts", "conflicts").exit_code == 1


def test_contact_ids_in_an_export_are_asked_about_before_they_are_used_again(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    (contact,) = objects(call(shop, "contacts", "list", "--json"))
    guid = "6b1c9c1e-6f0a-4c55-9f6e-6d6f1c0f7a10"
    with closing(Journal(shop.parent / "state" / "shop")) as journal:
        journal.contacts.save_contact_id(contact["key"], Identified(contact_id=guid, by="email"), "lookup", 1e9)
    export = shop.parent / "members.xml"
    export.write_text(
        f"<contacts><deleted><member><id>{guid}</id><name>{'0' * 40}</name></member></deleted></contacts>"
    )
    assert objects(call(shop, "contacts", "list", "--json"))[0]["confirmed_at"]
    result = call(shop, "contacts", "recheck", "--file", str(export), "00000000-0000-4000-8000-000000000000", "--json")
    assert objects(result) == [{"named": 2, "known": 1, "keys": [contact["key"]]}]
    assert objects(call(shop, "contacts", "list", "--json"))[0]["confirmed_at"] is None
    assert isinstance(call(shop, "contacts", "recheck").exception, UsageError)


def test_pending_contacts_are_those_without_an_id_and_those_the_import_cut_short(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    assert objects(call(shop, "contacts", "pending", "--json")) == []
    journal = Journal(shop.parent / "state" / "shop")
    (contact,) = journal.contacts.all()
    found = Identified(contact_id="g-1", by="externalId")
    journal.contact_lookups.save(
        [ContactLookup(key=contact["key"], found=found, unsaved=("firstName",))], "file", 100.0
    )
    journal.close()
    (pending,) = objects(call(shop, "contacts", "pending", "--json"))
    assert (pending["unsaved"], pending["state"]) == (["firstName"], "known")
    assert "firstName" in call(shop, "contacts", "list").output


def test_status_tells_counts_and_works_when_a_plugin_is_missing(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    shop.write_text(CONFIG.replace('use = "receipts"', 'use = "gone"'))
    result = call(shop, "status", "--json")
    stand = objects(result)[0]["pipelines"]["shop"]
    assert stand["counts"]["accepted"] == 2
    assert stand["counts"]["held"] == 1
    assert stand["skipped"] == {"no customer": 1}
    assert result.exit_code == 1


def test_receipts_sum_to_what_the_till_said(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    rows = objects(call(shop, "receipts", "--json", "--state", "accepted"))
    assert sum(Decimal(row["total"]) for row in rows) == Decimal("20.00")


def test_init_writes_a_configuration_that_check_reads_and_never_overwrites(tmp_path: Path) -> None:
    file = tmp_path / "tillpost.toml"
    assert call(file, "init").exit_code == 0
    assert isinstance(call(file, "init").exception, UsageError)
    text = file.read_text().replace("ssh-ed25519 REPLACE", HOST_KEY)
    file.write_text(text)
    result = CliRunner().invoke(
        cli, ["--config", str(file), "check", "--offline"], env={"ENGAGE_API_KEY": "k", "SFTP_PASSWORD": "p"}
    )
    assert result.exit_code == 0, result.output


HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICWKN44Wd0qoYUFm2oDJvhJzKNj/72JvYhnpkL8PxNFi"


HOSTILE = "\x9b31m\u202e=cmd|' /C calc'!A1</Receipt><script>"


def test_hostile_text_reaches_the_terminal_harmless(shop: Path) -> None:
    """An ANSI escape in a number, a store, a name of a file, a reason, an answer of the destination: none gets out
    raw."""
    evil = attrs.evolve(receipt(number=HOSTILE), store=HOSTILE, till=HOSTILE)
    name = "\x1b[2Jevil.jsonl"
    (shop.parent / name).write_bytes(dumps(evil) + b'\n{"number": "\\u001b[31m", "store": "\\u001b[31m"}')
    taken = call(shop, "accept", str(shop.parent / name))
    broken = call(shop, "accept", str(shop.parent / name), "--json").exit_code
    assert broken == 0, "all known already"
    evil = attrs.evolve(receipt(number="\x1b[31m9"), store="\x1b]0;title\x07")
    with closing(Journal(shop.parent / "state" / "shop")) as journal:
        journal.receipts.accept([Found(receipt=evil, raw=b"\x1b[2J")], DOCUMENT, None, 1.0, Accepted())
        journal.destination.put(Destination(state="paused", reason=HOSTILE, since=1.0), 1.0)
    (held,) = objects(call(shop, "held", "list", "--json"))
    commands = (
        ["status"],
        ["receipts"],
        ["receipt", "--number", HOSTILE],
        ["receipt", "--number", "\x1b[31m9"],
        ["held", "list"],
        ["held", "show", held["id"]],
        ["contacts"],
    )
    for said in [taken, *(call(shop, *words) for words in commands)]:
        assert said.output
        assert all(character.isprintable() for character in said.output.replace("\n", "")), said.output


def test_hostile_text_is_text_in_answers_for_scripts(shop: Path) -> None:
    """There is no CSV to be opened by a spreadsheet: answers for scripts are JSON, in which =cmd|… is a string."""
    (shop.parent / "evil.jsonl").write_bytes(dumps(receipt(number=HOSTILE)))
    call(shop, "accept", str(shop.parent / "evil.jsonl"))
    listed = call(shop, "receipts", "--json")
    assert [row["number"] for row in objects(listed)] == [HOSTILE]
    assert listed.stdout.strip().isprintable()


def test_plugins_are_listed_with_their_slots() -> None:
    result = CliRunner().invoke(cli, ["plugins", "--json"])
    [told] = objects(result)
    names = {info["name"]: info for info in told["plugins"]}
    assert result.exit_code == 0, result.output
    assert {"engage", "engage-xml", "folder", "known", "poslog", "receipts", "sftp"} <= names.keys()


def test_a_long_list_is_told_line_by_line_under_one_head(shop: Path) -> None:
    lines = [dumps(receipt(number=str(number))) for number in range(1, 2501)]
    (shop.parent / "day.jsonl").write_bytes(b"\n".join(lines))
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    told = call(shop, "receipts").output.splitlines()
    assert told[0].split()[0] == "id"
    assert [line.split()[0] for line in told[1:]] == [receipt(number=str(number)).id for number in range(1, 2501)]
    assert len(objects(call(shop, "receipts", "--state", "accepted", "--limit", "1500", "--json"))) == 1500


def test_status_tells_how_many_have_left(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    with closing(Journal(shop.parent / "state" / "shop")) as journal:
        seq = journal.receipts.find({"state": State.SKIPPED})[0].seq
        journal.receipts.settle([(1, Move(state=State.DELIVERED, route="api"))], 1.0, "deliver")
        place: RetentionCursor | None = RetentionCursor()
        while place is not None:
            place = journal.retention.step(place, 1e12, 1e12)
        assert journal.receipts.get(receipt(number="1").id) is None, seq
    (answer,) = objects(call(shop, "status", "--json"))
    assert answer["pipelines"]["shop"]["removed"] == 1
    assert "removed: 1 receipt settled" in call(shop, "status").output


def test_k4_a_file_that_is_still_being_written_is_told(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = shop.parent / "day.jsonl"
    whole = day.read_bytes()

    def write_on(*_: object) -> None:
        day.write_bytes(whole + b"\n")

    monkeypatch.setattr("tillpost.cli.accept._progress", write_on)
    told = call(shop, "accept", str(day))
    assert told.exit_code == 1
    assert "changed while it was read; accept it again when it is whole" in told.stderr
