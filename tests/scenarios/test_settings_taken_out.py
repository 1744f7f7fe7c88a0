"""A setting that waiting receipts depend on is taken out, and put back: it is said, and they go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.support.changing_line import RESOLVE, Destination, Line, engage_with_files
from tests.support.receipts import document, receipt_of


@pytest.fixture(params=["oracle", pytest.param("sandbox", marks=pytest.mark.slow)])
def engage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Destination]:
    with engage_with_files(request.param, tmp_path) as started:
        yield started


@pytest.fixture
def line(tmp_path: Path, engage: Destination) -> Iterator[Line]:
    (tmp_path / "line").mkdir()
    line = Line(tmp_path / "line", engage)
    try:
        yield line
    finally:
        line.end()


TAKEN_OUT = {
    "resolver": ('[ { use = "known" } ]', "`resolve` has no resolver that asks the destination"),
    "key": (RESOLVE.replace("externalId", "email"), "`keys` of `resolve` has email, and the contact externalId"),
}


@pytest.mark.parametrize("what", ["resolver", pytest.param("key", marks=pytest.mark.slow)])
def test_k9_a_resolver_or_a_key_is_taken_out_while_receipts_wait_for_it(line: Line, what: str) -> None:
    without, why = TAKEN_OUT[what]
    line.configure("shop", unknown_after='"1m"')
    line.start()
    line.engage.fail("500")
    line.accept(0, 3)
    line.configure("shop", resolve=without, unknown_after='"0s"')
    said = line.tillpost("reload", code=1)
    assert f"3 receipts cannot go on: {why}" in said
    assert f"3 receipts cannot go on: {why}" in line.tillpost("check", "--offline", code=1)
    line.engage.fail("ok")
    line.wait_for(lambda stand: stand["counts"]["held"] == 3)
    held = [json.loads(row) for row in line.tillpost("held", "list", "--json", code=1).splitlines()]
    assert [why in row["reason"] for row in held] == [True] * 3
    line.configure("shop")
    line.tillpost("reload")
    line.accept(3, 2)
    line.tillpost("held", "retry", *(row["id"] for row in held))
    line.all_shown()


def test_k9_receipts_that_wait_for_a_key_go_on_when_it_is_back(line: Line) -> None:
    line.configure("shop", resolve=TAKEN_OUT["key"][0])
    line.start()
    line.accept(0, 4)
    line.wait_for(lambda stand: stand["counts"]["waiting"] == 4)
    line.configure("shop")
    line.tillpost("reload")
    line.all_shown()


def test_k9_what_waits_for_the_anonymous_contact_goes_on_without_the_setting(line: Line) -> None:
    line.configure("shop", anonymous='"externalId:nobody"')
    line.start()
    line.engage.fail("500")
    line.accept(0, 2)
    unnamed = [attrs.evolve(receipt_of(number), customer=None) for number in (7, 8)]
    (line.folder / "unnamed.jsonl").write_bytes(document(unnamed))
    line.tillpost("accept", str(line.folder / "unnamed.jsonl"))
    line.configure("shop")
    assert "rebuilt" in line.tillpost("reload")
    line.engage.fail("ok")
    line.ids |= {receipt.id for receipt in unnamed}
    line.all_shown()


def test_k9_what_waits_goes_on_with_another_adapter(line: Line) -> None:
    line.configure("shop")
    line.start()
    line.engage.fail("500")
    line.accept(0, 3)
    line.configure("shop", adapter='{ use = "poslog", timezone = "Europe/Stockholm", loyalty = "externalId" }')
    assert "rebuilt" in line.tillpost("reload")
    line.engage.fail("ok")
    line.all_shown()


def test_k9_a_source_is_taken_out_while_files_lie_in_its_folder(line: Line) -> None:
    inbox = line.folder / "inbox"
    inbox.mkdir()
    line.configure("shop", source='{ use = "folder", path = "inbox", settle = "1m" }')
    line.start()
    (inbox / "day.jsonl").write_bytes(document([receipt_of(9, externalId="c9")]))
    line.wait_for(lambda stand: stand["sources"] or stand["running"])
    line.configure("shop")
    said = f"1 file in {inbox} are not read: the source was there, and has been taken out"
    assert said in line.tillpost("reload", code=1)
    assert said in line.tillpost("check", "--offline", code=1)
