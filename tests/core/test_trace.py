"""Trace ids: W3C Trace Context, derived from the receipt's id alone, on the requests of that receipt and no other."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.support.lines import line_on
from tests.support.receipts import accept, found
from tillpost import traceparent
from tillpost.flow.delivery.deliver import deliver
from tillpost.model import Contact, Delivered, Identified, NotSent, Outcome, Payload
from tillpost.trace import current_work, trace_id, working_on

# https://www.w3.org/TR/trace-context/#traceparent-header-field-values
HEADER = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01")


@given(st.text(st.characters(exclude_categories=())))
def test_any_receipt_has_a_valid_traceparent_with_its_trace_id(receipt: str) -> None:
    with working_on("shop", receipt):
        header = traceparent()
    if receipt:
        assert HEADER.fullmatch(header)
        assert header.split("-")[1] == trace_id(receipt)
    else:
        assert header == ""


@given(st.lists(st.text(), unique=True, min_size=2, max_size=20))
def test_receipts_have_traces_of_their_own(receipts: list[str]) -> None:
    assert len({trace_id(each) for each in receipts}) == len(receipts)


def test_the_trace_id_is_this_one_for_good() -> None:
    """A receipt resent by a later version keeps its trace: this value must not change."""
    assert trace_id("12_1_2026-11-24_5578") == "f749f221cce2f9e74d0c18812ee19b1a"


def test_each_request_is_a_span_of_its_own() -> None:
    with working_on("shop", "r-1"):
        first, second = traceparent(), traceparent()
    assert first.split("-")[1] == second.split("-")[1]
    assert first.split("-")[2] != second.split("-")[2]


def test_it_is_of_the_thread_and_ends_with_the_block() -> None:
    assert traceparent() == ""
    with working_on("shop"):
        assert traceparent() == ""
        with working_on("shop", "r-1"):
            with ThreadPoolExecutor(1) as other:
                assert other.submit(traceparent).result() == ""
            assert current_work() == ("shop", "r-1")
        assert current_work() == ("shop", "")
    assert current_work() == ("", "")


def test_the_hooks_of_a_receipt_see_its_trace_and_keep_it_when_it_is_sent_again(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    def resolve(contact: Contact) -> Identified:
        seen.append(("resolve", traceparent()))
        return Identified(contact_id="guid", holds=dict(contact.attributes))

    def hand_over(payload: Payload) -> Outcome:
        seen.append(("deliver", traceparent()))
        return NotSent(reason="503") if len(seen) < 3 else Delivered(status=202)

    with line_on(tmp_path, hand_over, resolve_contact=resolve) as line:
        accept(line.journal, found(number="7"))
        for _ in range(2):
            entry = line.journal.receipts.get("12_1_2026-11-24_7")
            assert entry is not None
            deliver(line, entry)
        assert traceparent() == ""
    assert [step for step, _ in seen][:2] == ["resolve", "deliver"]
    assert {header.split("-")[1] for _, header in seen} == {trace_id("12_1_2026-11-24_7")}
    assert len({header for _, header in seen}) == len(seen) >= 3
