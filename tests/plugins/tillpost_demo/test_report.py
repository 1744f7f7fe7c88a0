"""The page: whole, harmless, and needing nothing from elsewhere."""

import re
from html.parser import HTMLParser
from typing import Any

import attrs

from tillpost_demo.outcome import Outcome, summary, table
from tillpost_demo.report import render
from tillpost_demo.verdict import judge

_VOID = {"meta", "br", "rect", "line", "circle", "path"}
HOSTILE = "</title></svg><script>alert('x')</script>\"'&"


class _Page(HTMLParser):
    """Collects tags, and checks that what is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open.pop() == tag


def test_the_page_begins_with_the_verdict_and_draws_every_route(outcome: Outcome) -> None:
    page = render(outcome)
    tags = _Page(page).tags
    assert page.index("VERIFIED: 60 receipts") < page.index("<svg")
    classes = [attributes.get("class") for tag, attributes in tags if tag in ("rect", "circle", "path")]
    for drawn in ("api", "file", "contacts", "outage", "accepted", "arrived"):
        assert drawn in classes


def test_the_bars_stand_for_every_receipt(outcome: Outcome) -> None:
    tips = re.findall(r"<title>(\d+) by (API|file), second", render(outcome))
    assert sum(int(count) for count, route in tips if route == "API") == 40
    assert sum(int(count) for count, route in tips if route == "file") == 20


def test_hostile_names_stay_text(outcome: Outcome) -> None:
    rows: list[dict[str, Any]] = [dict(row) for row in outcome.receipts]
    rows[0] |= {"id": HOSTILE, "reason": HOSTILE, "state": "held", "currency": HOSTILE}
    files = tuple(dict(row) | {"name": HOSTILE, "kind": HOSTILE, "state": HOSTILE} for row in outcome.files)
    hostile = attrs.evolve(
        outcome,
        title=HOSTILE,
        receipts=tuple(rows),
        files=files,
        skipped={HOSTILE: 1},
        verdict=judge(rows, [{"uniqueReceiptId": HOSTILE, "status": "imported", "currency": HOSTILE,
                              "totalGrossPrice": "1.00", "route": "api"}]),
    )  # fmt: skip
    page = render(hostile)
    assert "script" not in {tag for tag, _ in _Page(page).tags}
    assert page.count("<script") == 0
    assert "&lt;script&gt;" in page


def test_the_page_needs_nothing_from_elsewhere(outcome: Outcome) -> None:
    page = render(outcome)
    for tag, attributes in _Page(page).tags:
        assert tag not in ("script", "link", "img", "iframe")
        assert not {"src", "href", "style"} & set(attributes) or (attributes.get("style") or "").startswith(
            "background:var"
        )
    assert "url(" not in page
    assert "@import" not in page


def test_a_day_that_failed_says_which_receipt(outcome: Outcome) -> None:
    rows = [dict(row) for row in outcome.receipts]
    page = render(attrs.evolve(outcome, verdict=judge(rows, [])))
    assert "NOT VERIFIED: of 60 receipts 60 lost" in page
    assert "What is wrong" in page
    assert rows[0]["id"] in page


def test_a_day_without_files_and_without_deliveries_can_be_drawn(outcome: Outcome) -> None:
    page = render(
        attrs.evolve(outcome, receipts=(), arrivals=(), files=(), skipped={}, ignored={}, verdict=judge([], []))
    )
    assert "none" in page
    _Page(page)


def test_the_object_for_programs_has_the_agreed_names(outcome: Outcome) -> None:
    found = summary(outcome)
    assert found | {
        "accepted": 60, "skipped": 4, "ignored": 2, "delivered_api": 40, "delivered_file": 20, "held": 0,
        "lost": 0, "duplicated": 0, "contacts_created": 9, "contacts_reconciled": 3, "sandbox_receipts": 60,
    } == found  # fmt: skip
    assert found["total_accepted"] == found["total_sandbox"]


def test_the_table_lines_up(outcome: Outcome) -> None:
    assert len({len(line) for line in table(outcome)}) == 1
