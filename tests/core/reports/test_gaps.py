"""Missing numbers: exactly those that were omitted between two that were seen, in every shape a till numbers by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.support.numbered import NOW, sale, take
from tests.support.query_cost import plans
from tillpost.cli import cli
from tillpost.journal import Journal, ReceiptNumber
from tillpost.model import Broken, NoReceipt
from tillpost.reports.gaps import LARGEST, find, gaps

WEEK = timedelta(days=7)


def numbers(*values: str, day: str = "2026-11-24") -> list[ReceiptNumber]:
    return [ReceiptNumber(day, value, NOW) for value in values]


def missing(seen: list[ReceiptNumber]) -> list[tuple[str, str, int]] | None:
    found = find(seen)
    return None if found is None else [(gap.first, gap.last, gap.count) for gap in found]


@given(
    first=st.integers(0, 10**6),
    length=st.integers(2, 200),
    width=st.integers(0, 9),
    prefix=st.sampled_from(["", "A-", "12/1-", "ö"]),
    data=st.data(),
)
def test_what_is_taken_out_of_a_sequence_is_what_is_missing_and_put_back_nothing_is(
    first: int, length: int, width: int, prefix: str, data: st.DataObject
) -> None:
    values = range(first, first + length)
    out = data.draw(st.sets(st.sampled_from(values[1:-1]) if length > 2 else st.nothing()))
    order = data.draw(st.permutations([value for value in values if value not in out]))
    late = [f"{prefix}{value:0{width}d}" for value in out]
    found = find(seen := numbers(*(f"{prefix}{value:0{width}d}" for value in order)))
    assert found is not None
    told = [value for gap in found for value in range(_value(gap.first, prefix), _value(gap.last, prefix) + 1)]
    assert told == sorted(out)
    assert sum(gap.count for gap in found) == len(out)
    assert missing([*seen, *numbers(*late)]) == []


def _value(number: str, prefix: str) -> int:
    return int(number.removeprefix(prefix))


def test_leading_zeros_are_written_as_the_till_writes_them() -> None:
    assert missing(numbers("0008", "0011")) == [("0009", "0010", 2)]
    assert missing(numbers("8", "11")) == [("9", "10", 2)]
    assert missing(numbers("A-098", "A-101")) == [("A-099", "A-100", 2)]


def test_each_prefix_counts_for_itself() -> None:
    assert missing(numbers("A1", "B7", "A2", "B9")) == [("B8", "B8", 1)]


def test_a_daily_reset_is_a_new_beginning() -> None:
    days = numbers("1", "2", "4", day="2026-11-22") + numbers("1", "2", "3", day="2026-11-23")
    assert missing(days) == [("3", "3", 1)]
    assert missing([*numbers("1", "2", day="2026-11-22"), *numbers("4", "5", day="2026-11-23")]) == [("3", "3", 1)]


def test_a_sale_booked_to_the_day_before_begins_no_sequence() -> None:
    assert missing(numbers("10", "11", "13", day="2026-11-22") + numbers("12", "14", "16", day="2026-11-23")) == [
        ("15", "15", 1)
    ]


def test_a_wrap_around_is_a_new_beginning() -> None:
    assert missing(numbers("9997", "9999", "0001", "0003")) == [("0002", "0002", 1), ("9998", "9998", 1)]
    assert missing(numbers("9998", "9999", day="2026-11-22") + numbers("0001", "0002", day="2026-11-23")) == []
    assert missing(numbers("1", str(LARGEST + 2))) == [("2", str(LARGEST + 1), LARGEST)]
    assert missing(numbers("1", str(LARGEST + 3))) == []


def test_the_newest_number_begins_no_gap_and_one_alone_neither() -> None:
    assert missing(numbers("7")) == missing(numbers("7", "8")) == missing([]) == []


def test_numbers_that_follow_no_sequence_are_not_numbered() -> None:
    assert missing(numbers("ab-c", "de-f", "7")) is None
    assert missing(numbers(*(str(value * 7919 % 1_000_003) for value in range(1, 40)))) is None


# --- out of a journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "state" / "shop")
    yield opened
    opened.close()


def told(journal: Journal, **given: Any) -> list[tuple[str, str, str]]:
    return [(each.till, gap.first, gap.last) for each in gaps(journal, NOW, WEEK, **given) for gap in each.gaps]


def test_a_late_arrival_closes_the_gap(journal: Journal) -> None:
    take(journal, sale("1"), sale("2"), sale("5"), sale("1", "2"), sale("3", "2"))
    assert told(journal) == [("1", "3", "4"), ("2", "2", "2")]
    assert told(journal, till="2") == [("2", "2", "2")]
    assert told(journal, store="13") == []
    take(journal, sale("4"), sale("2", "2"))
    assert told(journal) == [("1", "3", "3")]
    take(journal, sale("3"))
    assert told(journal) == []


def test_numbers_the_adapter_knows_to_be_no_sale_are_no_gaps(journal: Journal) -> None:
    void = NoReceipt(reason="voided", place="line 2", retail=True, number="2", store="12", till="1", date="2026-11-24")
    training = NoReceipt(reason="training", place="line 3", retail=True, number="3", store="12", till="1")
    nameless = NoReceipt(reason="copy", place="line 4", retail=True, number="4")
    other = NoReceipt(reason="voided", place="line 5", retail=True, number="5", store="12", till="2", date="2026-11-24")
    take(journal, sale("1"), void, training, nameless, other, sale("6"))
    assert told(journal) == [("1", "5", "5")]


def test_a_record_that_cannot_be_read_was_seen(journal: Journal) -> None:
    take(journal, sale("1"), Broken(reason="no total", place="line 2", raw=b"2", number="2", store="12"), sale("3"))
    assert told(journal) == []


def test_days_before_since_and_days_that_retention_may_have_taken_are_left_out(journal: Journal) -> None:
    take(journal, sale("1", day="2026-11-10"), sale("3", day="2026-11-10"), sale("5", day="2026-11-20"), sale("7"))
    assert told(journal) == [("1", "6", "6")]
    assert [gap.first for gap in gaps(journal, NOW, timedelta(days=30))[0].gaps] == ["2", "4", "6"]
    assert told(journal, keep=timedelta(days=3)) == []


def test_a_till_is_looked_up_by_index(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    take(journal, sale("1"), sale("3"))
    found = plans(journal, lambda journal: gaps(journal, NOW, WEEK), monkeypatch)
    rows = [plan for plan in found if "receipts" in plan]
    assert rows
    assert all(plan.startswith("SEARCH") for plan in rows), found


CONFIG = """\
[pipelines.shop]
adapter   = {{ use = "{adapter}" }}
resolve   = [ {{ use = "known" }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "http://127.0.0.1:9", api_key = {{ env = "ENGAGE_API_KEY" }} }}
"""


def call(folder: Path, *words: str) -> Any:
    return CliRunner().invoke(cli, ["--config", str(folder / "tillpost.toml"), *words])


def test_the_command_lists_them_and_exits_1(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "tillpost.toml").write_text(CONFIG.format(adapter="poslog"))
    take(journal, sale("1"), sale("5"))
    done = call(tmp_path, "gaps", "--store", "12", "--since", "3660d", "--json")
    (answer,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 1
    assert (answer["missing"], answer["gaps"][0]["first"], answer["gaps"][0]["last"]) == (3, "2", "4")
    assert call(tmp_path, "gaps", "--since", "3660d").stdout.split()[-6:] == ["12", "1", "2026-11-24", "2", "4", "3"]
    take(journal, *(sale(str(number)) for number in (2, 3, 4)))
    done = call(tmp_path, "gaps", "--since", "3660d")
    assert (done.exit_code, "no gaps" in done.stdout) == (0, True)
    assert call(tmp_path, "gaps", "--since", "soon").exit_code == 2


def test_an_adapter_that_promises_no_sequence_is_not_numbered(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "tillpost.toml").write_text(CONFIG.format(adapter="receipts"))
    take(journal, sale("1"), sale("5"))
    done = call(tmp_path, "gaps")
    assert (done.exit_code, "not numbered" in done.stdout) == (0, True)
