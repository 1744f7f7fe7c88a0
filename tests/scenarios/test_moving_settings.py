"""A setting is taken away or changed while receipts depend on it, under a running line: it is said, and each of them
is shown in the end. Against an Engage of another hand and the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.support.changing_line import Destination, Line, engage_with_files, running_sandbox, server_of
from tests.support.waiting import until


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


@pytest.mark.parametrize(
    "renamed", [pytest.param(False, marks=pytest.mark.slow, id="taken out"), pytest.param(True, id="renamed")]
)
def test_b13_a_pipeline_is_gone_from_the_file_while_its_receipts_wait(line: Line, renamed: bool) -> None:
    line.configure("shop", "other")
    line.start()
    line.accept(0, 3, "--pipeline", "shop")
    line.accept(3, 3, "--pipeline", "other")
    until(lambda: line.engage.shown() == line.ids, 40, process=line.process)
    line.engage.fail("500")
    line.accept(6, 4, "--pipeline", "shop")
    line.accept(10, 2, "--pipeline", "other")
    to = "market" if renamed else "other"
    line.configure("other", *(["market"] if renamed else []))
    said = line.tillpost("reload", code=1)
    assert "pipeline shop is not in the file, and 4 receipts wait in" in said
    assert "tillpost stranded move shop --to PIPELINE" in said
    assert "4 receipts wait in" in line.tillpost("status", code=1)
    line.engage.fail("ok")
    until(lambda: len(line.engage.shown()) == 8, 40, process=line.process)
    assert len(line.engage.shown()) == 8, "nothing works in that folder"
    line.tillpost("stranded", "move", "shop", "--to", to)
    line.all_shown()
    assert line.stand(to)["counts"]["held"] == 0


@pytest.mark.parametrize(
    "imported", [pytest.param(False, id="unread"), pytest.param(True, marks=pytest.mark.slow, id="imported")]
)
def test_b13_the_fallback_is_taken_out_while_receipts_are_in_files(line: Line, tmp_path: Path, imported: bool) -> None:
    with running_sandbox(tmp_path / "unread", import_files_every=9999.0) as unread:
        line.configure("shop", files=line.engage.files if imported else server_of(unread))
        line.outage(4)
        line.wait_for(lambda stand: stand["counts"]["transferred"] + stand["counts"]["delivered"] == 7)
        line.configure("shop")
        assert "rebuilt" in line.tillpost("reload")
        line.accept(7, 2)
        line.engage.fail("ok")
        line.all_shown()
        line.wait_for(lambda stand: stand["counts"]["delivered"] == 9)
        line.wait_for(lambda stand: not any(stand["files"][state] for state in ("written", "uploaded", "consumed")))


def test_b13_a_fallback_whose_server_never_answered_is_taken_out(line: Line) -> None:
    line.configure("shop", files=attrs.evolve(line.engage.files, port=9))
    line.outage(5)
    line.wait_for(lambda stand: stand["counts"]["written"] == 5)
    line.configure("shop")
    line.tillpost("reload")
    line.engage.fail("ok")
    line.all_shown()
    assert list((line.folder / "state" / "shop" / "fallback").rglob("*.xml")) == []


def test_b25_the_file_server_moves_while_a_file_lies_unread_on_the_old_one(line: Line, tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "unread", import_files_every=9999.0) as old:
        line.configure("shop", files=server_of(old))
        line.outage(6)
        line.wait_for(lambda stand: stand["counts"]["transferred"] == 6)
        line.configure("shop", files=line.engage.files)
        line.tillpost("reload")
        line.accept(9, 2)
        line.all_shown()
        line.engage.fail("ok")
        line.wait_for(lambda stand: stand["counts"]["delivered"] == 11 and not stand["counts"]["held"])
        line.all_shown()
