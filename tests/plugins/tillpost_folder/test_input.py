"""Bad input from the drop folder into the journal: real files, source, adapters and journal; time is told.

What each adapter makes of bad bytes has tests of its own. This is what becomes of it: what is counted, what is held
with which reason, where the original is kept, and that its neighbours go on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import attrs
import pytest

from tests.scenarios.simulator.engage import Engage
from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.matrix import suite
from tillpost.compose.plugins import load_plugin
from tillpost.compose.standalone import standalone_hooks
from tillpost.flow.intake.accept import accept
from tillpost.flow.line import Line
from tillpost.journal import Accepted, Entry, State
from tillpost.model import Receipt
from tillpost.model.receipt_json import dumps

KEYS = {"externalId": "4711"}


@attrs.define
class Shop:
    """A drop folder, a source that looks into it, and a pipeline without an anonymous customer."""

    inbox: Path
    line: Line

    def drop(self, name: str, content: bytes, age: float = 60.0) -> None:
        """Put a file there that was last written so many seconds ago."""
        path = self.inbox / name
        path.write_bytes(content)
        written = self.line.clock.time() - age
        os.utime(path, (written, written))

    def look(self) -> Accepted:
        """One round of the source; what came of it, all files together."""
        source = {"source": {"path": str(self.inbox)}}
        hooks = standalone_hooks("folder", load_plugin("folder"), source, folder=self.inbox, clock=self.line.clock)
        total = Accepted()

        def take(document: Any) -> dict[str, int]:
            counts = accept(self.line, document)
            total.accepted += counts.accepted
            total.duplicates += counts.duplicates
            total.skipped += counts.skipped
            total.held += counts.held
            total.reasons.update(counts.reasons.keys())
            return {"accepted": counts.accepted}

        hooks.collect_documents(take)
        return total

    def reads(self, name: str) -> None:
        """Another adapter, with the settings of its promises."""
        table = {"adapter": suite(name).settings}
        self.line = attrs.evolve(self.line, hooks=standalone_hooks(name, load_plugin(name), table, folder=self.inbox))

    def there(self, folder: str = "") -> list[str]:
        """The names in the inbox, or in a folder of it."""
        path = self.inbox / folder
        return sorted(file.name for file in path.iterdir() if file.is_file()) if path.is_dir() else []

    def held(self) -> list[Entry]:
        return self.line.journal.receipts.find({"state": State.HELD})

    def accepted(self) -> list[str]:
        return [entry.number for entry in self.line.journal.receipts.find({"state": State.ACCEPTED})]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    machine = Machine(tmp_path / "state", Random(1), Engage())
    (tmp_path / "inbox").mkdir()
    yield Shop(tmp_path / "inbox", attrs.evolve(machine.line, anonymous=None))
    machine.stop()


def lines(*receipts: Receipt) -> bytes:
    return b"".join(dumps(receipt) + b"\n" for receipt in receipts)


def array(*receipts: Receipt) -> bytes:
    return b"[" + b",\n".join(dumps(receipt) for receipt in receipts) + b"]"


DAY = [sale(number, KEYS) for number in (1, 2, 3)]


def test_a_half_written_drop_folder_file_waits_until_its_writer_is_done(shop: Shop) -> None:
    whole = lines(*DAY)
    shop.drop("day.jsonl", whole[: len(whole) // 2], age=0.5)
    assert shop.look().accepted == 0
    assert shop.there() == ["day.jsonl"]
    shop.drop("day.jsonl", whole)
    assert shop.look().accepted == 3
    assert (shop.there(), shop.there("done"), shop.held()) == ([], ["day.jsonl"], [])


@pytest.mark.parametrize("write", [lines, array])
def test_a_drop_folder_file_whose_writer_died_half_way_is_made_whole_by_the_next(
    shop: Shop, write: Callable[..., bytes]
) -> None:
    """What was whole is accepted, what was cut is told and kept, and the whole file gives what was missing, once."""
    whole = write(*DAY)
    cut = whole[: whole.index(b'"3.50"')]
    shop.drop("day.json", cut)
    shop.look()
    assert shop.accepted() == ["1", "2"]
    if write is array:  # no record can be cut from it: the file is set aside
        assert shop.there("failed") == ["day.json", "day.json.reason.txt"]
        assert (shop.inbox / "failed" / "day.json").read_bytes() == cut
        assert "what is before it is accepted" in (shop.inbox / "failed" / "day.json.reason.txt").read_text()
    else:
        [held] = shop.held()
        assert (held.place, shop.line.journal.bodies.raw(held.seq)) == ("line 3", cut.splitlines()[2])
    shop.drop("day.json", whole)
    again = shop.look()
    assert (again.accepted, again.duplicates) == (1, 2)
    assert shop.accepted() == ["1", "2", "3"]


def test_the_same_file_twice_is_one_day(shop: Shop) -> None:
    for name in ("day.jsonl", "day.jsonl", "day copy.jsonl"):
        shop.drop(name, lines(*DAY))
        counts = shop.look()
    assert (counts.accepted, counts.duplicates) == (0, 3)
    assert shop.accepted() == ["1", "2", "3"]
    assert shop.there("done") == ["day copy.jsonl", "day.jsonl", "day.jsonl.1"]


def test_an_id_with_different_content_is_held_with_the_difference_and_the_first_stays(shop: Shop) -> None:
    shop.drop("day.jsonl", lines(*DAY))
    shop.look()
    other = sale(2, KEYS, price="99.00")
    shop.drop("again.jsonl", lines(other, sale(4, KEYS)))
    counts = shop.look()
    assert (counts.accepted, counts.held, counts.reasons) == (1, 1, {"the id is taken by other content": 1})
    [held] = shop.held()
    assert "total: 2.50 → 99.00" in held.reason or ("2.50" in held.reason and "99.00" in held.reason)
    assert shop.line.journal.bodies.raw(held.seq) == dumps(other)
    first = shop.line.journal.receipts.get(DAY[1].id)
    assert first is not None
    assert shop.line.journal.bodies.get(first.seq).total == DAY[1].total
    assert shop.accepted() == ["1", "2", "3", "4"]


def test_totals_that_do_not_add_up_are_held_with_by_how_much_and_the_original_is_kept(shop: Shop) -> None:
    bad = dumps(DAY[1]).replace(b'"total":"2.5', b'"total":"2.6')
    assert bad != dumps(DAY[1])
    shop.drop("day.jsonl", lines(DAY[0]) + bad + b"\n" + lines(DAY[2]))
    counts = shop.look()
    assert (counts.accepted, counts.held) == (2, 1)
    [held] = shop.held()
    assert "line 2" in held.reason
    assert "(difference -0.10)" in held.reason
    assert (held.number, held.store) == ("2", "12")
    assert shop.line.journal.bodies.raw(held.seq) == bad


def test_a_receipt_without_a_customer_is_skipped_with_a_reason_and_counted(shop: Shop) -> None:
    shop.drop("day.jsonl", lines(DAY[0], sale(2, {}), sale(3, {}), sale(4, KEYS)))
    counts = shop.look()
    assert (counts.accepted, counts.skipped, counts.reasons) == (2, 2, {"no customer": 1})
    assert shop.line.journal.receipts.skipped() == {"no customer": 2}
    assert shop.accepted() == ["1", "4"]


def test_training_void_suspended_and_copy_are_counted_and_nothing_is_sent(shop: Shop) -> None:
    """By POSLog, which has all four; each adapter's own are promises of the suite."""
    shop.reads("poslog")
    samples = suite("poslog")()
    for promise in ("training", "void_receipt", "suspended", "copy"):
        shop.drop(f"{promise}.xml", samples.sample(promise) or b"")
    # Under a number of its own: the sample of the void takes back the number that the sample of a sale has as well.
    shop.drop("sale.xml", (samples.sample("sale") or b"").replace(b">1001<", b">1009<"))
    counts = shop.look()
    assert (counts.accepted, counts.skipped, counts.held) == (1, 5, 0), "the void takes its sale with it"
    assert sum(shop.line.journal.receipts.skipped().values()) == 5
    for word in ("training", "void", "suspended", "copy"):
        assert any(word in reason.lower() for reason in counts.reasons), word
    assert shop.accepted() == ["1009"]


def test_control_characters_are_flagged_in_the_life_of_the_receipt_and_the_original_is_kept(shop: Shop) -> None:
    name = b'"article_name":"'
    odd = dumps(DAY[1]).replace(name, name + rb"Mj\u000b\ud800\ufffe" + "ölk".encode())
    shop.drop("day.jsonl", lines(DAY[0]) + odd + b"\n" + lines(DAY[2]))
    assert shop.look().accepted == 3
    entry = shop.line.journal.receipts.get(DAY[1].id)
    assert entry is not None
    assert shop.line.journal.bodies.get(entry.seq).lines[0].article_name == "Mjölk"
    assert shop.line.journal.bodies.raw(entry.seq) == odd
    assert "control-characters" in json.dumps(shop.line.journal.events.of_receipt(entry.seq))


@pytest.mark.parametrize(
    ("adapter", "content", "reason"),
    [
        ("poslog", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><POSLog>&e;</POSLog>', "has a DOCTYPE"),
        ("poslog", b'<?xml version="1.0" encoding="klingon"?><POSLog/>', "unknown encoding"),
        ("receipts", '{"number": "1"}'.encode("utf-16"), "is UTF-16"),
        ("shopify", b'{"orders": [\n', "nested too deep"),
    ],
)
def test_a_file_that_cannot_be_read_is_set_aside_with_its_reason_and_the_next_goes_on(
    shop: Shop, adapter: str, content: bytes, reason: str
) -> None:
    shop.reads(adapter)
    shop.drop("bad", content, age=90)
    shop.drop("good", suite(adapter)().sample("sale") or b"", age=60)
    assert shop.look().accepted == 1
    assert (shop.there(), shop.there("done"), shop.there("failed")) == ([], ["good"], ["bad", "bad.reason.txt"])
    assert (shop.inbox / "failed" / "bad").read_bytes() == content
    written = (shop.inbox / "failed" / "bad.reason.txt").read_text()
    assert written.startswith("bad")
    assert reason in written
