"""The place of a source is committed with the records of its document: never ahead of them, never behind them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.lines import line_on
from tests.support.receipts import receipt
from tillpost.errors import DocumentError, JournalFull, PluginError, Stopped
from tillpost.flow.intake.accept import GROUP, accept
from tillpost.flow.intake.collected_source import CollectedSource
from tillpost.flow.intake.served_source import ServedSource
from tillpost.flow.limits import SourcePolicy
from tillpost.flow.line import Line
from tillpost.journal import Journal
from tillpost.journal.tables.documents import LARGEST_KEPT
from tillpost.model import Document, Found

SOURCE = "memory"


def read(document: Document) -> list[Found]:
    """Each line of the document is the number of a receipt."""
    with document.open() as content:
        return [Found(receipt=receipt(line.strip().decode()), raw=line) for line in content if line.strip().isdigit()]


def page(first: int, last: int) -> Document:
    return Document.from_bytes(f"page-{first}", b"\n".join(b"%d" % number for number in range(first, last)))


def cursor(line: Line) -> str | None:
    return line.journal.sources.cursor(SOURCE)


def collect_with(line: Line, take: Callable[[Document], Mapping[str, int]] | None = None) -> CollectedSource:
    """What the worker runs, without its thread."""
    whole = lambda document: accept(line, document, source=SOURCE).as_dict()  # noqa: E731
    return CollectedSource(line, take or whole, threading.Event(), 1.0)


def test_the_cursor_is_that_of_the_last_document_and_none_before_the_first(tmp_path: Path) -> None:
    pages = [(page(1, 3), "a"), (page(3, 5), None), (page(5, 6), "c")]

    def collect(accept: Any) -> int:
        for number, (each, place) in enumerate(pages):
            accept(each, cursor=place) if place else accept(each)
            seen.append(cursor(line))
            assert len(line.journal.receipts.find({})) >= number
        return len(pages)

    seen: list[str | None] = []
    with line_on(tmp_path, collect_documents=collect, parse_receipts=read) as line:
        assert cursor(line) is None
        collect_with(line).run_round()
        assert seen == ["a", "a", "c"], "a document without a place leaves the last one"
    with line_on(tmp_path) as line:
        assert cursor(line) == "c", "after a restart"


def test_a_stop_in_the_middle_of_a_document_leaves_the_place_before_it(tmp_path: Path) -> None:
    large = page(1, 3 * GROUP)

    def stop(counts: object) -> None:
        raise Stopped("asked to")

    with line_on(tmp_path, parse_receipts=read) as line:
        accept(line, attrs_with(page(900, 901), "before"), source=SOURCE)
        with pytest.raises(Stopped):
            accept(line, attrs_with(large, "after"), stop, SOURCE)
        assert len(line.journal.receipts.find({})) == 1 + GROUP
        assert cursor(line) == "before"
        counts = accept(line, attrs_with(large, "after"), source=SOURCE)
        assert (counts.duplicates, counts.accepted, cursor(line)) == (GROUP, 2 * GROUP - 1, "after")


def attrs_with(document: Document, place: str) -> Document:
    """As `accept(document, cursor=place)` hands it on."""
    return Document(name=document.name, sha256=document.sha256, content=document.content, cursor=place)


def test_a_commit_that_fails_moves_nothing(tmp_path: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise JournalFull("no room")

    def collect(accept: Any) -> int:
        accept(page(1, 3), cursor="a")
        return 1

    with line_on(tmp_path, collect_documents=collect, parse_receipts=read) as line:
        line.journal.receipts.accept_groups = full  # type: ignore[method-assign]
        collect_with(line).run_round()
        assert (cursor(line), line.journal.receipts.find({})) == (None, [])
        del line.journal.receipts.accept_groups
        collect_with(line).run_round()
        assert (cursor(line), len(line.journal.receipts.find({}))) == ("a", 2)


@pytest.mark.parametrize("size", [10, LARGEST_KEPT + 10])
def test_a_bad_page_is_kept_whole_and_gone_past(tmp_path: Path, size: int) -> None:
    """Nobody asks the sender for it again, so it may be as large as it is."""
    bad = Document.from_bytes("bad", b"x" * size)

    def parse(document: Document) -> list[Found]:
        if document.sha256 == bad.sha256:
            raise DocumentError("is not a page", document.name)
        return read(document)

    def collect(accept: Any) -> int:
        with pytest.raises(DocumentError):
            accept(bad, cursor="a")
        accept(page(1, 2), cursor="b")
        return 2

    with line_on(tmp_path, collect_documents=collect, parse_receipts=parse) as line:
        collect_with(line).run_round()
        assert cursor(line) == "b"
        (set_aside,) = line.journal.documents.open()
        content = line.journal.documents.content(set_aside.seq)
        assert content is not None
        assert len(content) == size


def test_a_page_an_adapter_fails_with_is_not_gone_past_before_it_is_set_aside(tmp_path: Path) -> None:
    places: list[str | None] = []

    def parse(document: Document) -> list[Found]:
        raise RuntimeError("a fault of the adapter")

    def collect(accept: Any) -> int:
        try:
            accept(page(1, 2), cursor="a")
        except (PluginError, DocumentError):
            places.append(cursor(line))
        return 1

    with line_on(tmp_path, collect_documents=collect, parse_receipts=parse) as line:
        source = collect_with(line)
        for _ in range(3):
            source.run_round()
        assert places == [None, None, "a"]


def test_a_serving_source_gives_its_place_too(tmp_path: Path) -> None:
    def serve(accept: Any) -> None:
        assert accept(page(1, 3), cursor="offset 3")["accepted"] == 2

    with line_on(tmp_path, serve_documents=serve, parse_receipts=read) as line:
        served = ServedSource(line, SourcePolicy(), threading.Event())
        assert line.hooks.serve_documents(served, threading.Event()) is None
        assert cursor(line) == "offset 3"


def test_a_cursor_that_is_no_text_is_the_sources_fault_and_nothing_is_accepted(tmp_path: Path) -> None:
    def collect(accept: Any) -> int:
        accept(page(1, 3), cursor=3)
        return 1

    with line_on(tmp_path, collect_documents=collect, parse_receipts=read) as line:
        collect_with(line).run_round()
        (status,) = line.journal.sources.all()
        assert f"gave an int where a cursor is meant at {__file__}:" in status.reason
        assert line.journal.receipts.find({}) == []


def test_a_journal_that_is_put_back_goes_on_where_it_was(tmp_path: Path) -> None:
    """The place of last night comes back with the receipts of last night, so today is read again."""
    with line_on(tmp_path / "now", parse_receipts=read) as line:
        accept(line, attrs_with(page(1, 3), "a"), source=SOURCE)
    shutil.copytree(tmp_path / "now", tmp_path / "night")
    with line_on(tmp_path / "now", parse_receipts=read) as line:
        accept(line, attrs_with(page(3, 9), "b"), source=SOURCE)
    journal = Journal(tmp_path / "night")
    assert (journal.sources.cursor(SOURCE), len(journal.receipts.find({}))) == ("a", 2)
    journal.close()


def test_records_that_come_again_under_a_document_key_keep_the_newest_place(tmp_path: Path) -> None:
    with line_on(tmp_path, parse_receipts=read) as line:
        for place in ("a", "b"):
            accept(line, attrs_with(page(1, 3), place), source=SOURCE)
        assert cursor(line) == "b"
