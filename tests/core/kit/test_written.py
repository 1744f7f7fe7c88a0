"""Numbers, ids and times as people and spreadsheets write them."""

from datetime import datetime
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillpost import InvalidValue
from tillpost.kit import (
    AmbiguousMonth,
    broken_id,
    masked,
    parse_named_time,
    quoted,
    spreadsheet_time,
    unquoted,
    written_number,
)


@given(
    st.decimals(-999_999_999, 999_999_999, places=2),
    st.sampled_from([(".", ","), (",", "."), (",", "\u202f"), (".", "\u2019"), (".", "")]),
    st.sampled_from(["{}", "{} kr", "SEK {}", "\u20ac{}", " {} "]),
    st.booleans(),
)
def test_a_number_reads_back_however_it_is_written(value: D, marks: tuple[str, str], frame: str, behind: bool) -> None:
    decimal, thousands = marks
    text = f"{abs(value):,.2f}".replace(",", "t").replace(".", decimal).replace("t", thousands)
    text = (f"{text}-" if behind else f"-{text}") if value < 0 else text
    assert written_number(frame.format(text), "", decimal=decimal).value == value


@pytest.mark.parametrize(
    ("written", "currencies"),
    [("12.50 kr", {"SEK", "NOK", "DKK", "ISK"}), ("CHF 12.50", {"CHF"}), ("$12.50", set()), ("12.50", set())],
)
def test_what_stands_beside_a_number_names_currencies(written: str, currencies: set[str]) -> None:
    assert written_number(written, "").currencies == currencies


@given(st.text(max_size=100))
def test_any_text_is_a_number_or_a_fault_with_its_place(text: str) -> None:
    place = ""
    try:
        assert written_number(text, "line 2").value.is_finite()
    except InvalidValue as error:
        place = error.place
    assert place in ("", "line 2")


def test_what_is_beside_no_number_is_none() -> None:
    for text in ("", "kr", "--", "1-2", "12 34", "1.2.3", "0.5.0", "12:30", "1/2", "ten", "x" * 10_000, "9" * 10_000):
        with pytest.raises(InvalidValue, match=r"is not a number such as|out of bounds"):
            written_number(text, "")


def test_ids_that_are_whole_and_ids_that_are_broken() -> None:
    assert [broken_id(text) for text in ("1001", "A-1", "E-10", "1E5", "#1001", "00.12", "7-0")] == [""] * 7
    assert all(broken_id(text) for text in ("4.67E+10", "4,67e+010", "1E+2", "7.0", "#REF!", "####"))
    assert broken_id("10.0", code=True) == ""
    assert [unquoted(text) for text in ('="0012"', "'0012", "'s", "0012")] == ["0012", "0012", "'s", "0012"]


def test_messages_show_values_and_no_person() -> None:
    assert quoted("12,50 kr") == '"12,50 kr"'
    assert quoted("1" * 90).endswith('…"')
    assert "berg" not in quoted("Asa Oberg") + quoted("a@b.example") + masked("Oberg 12")


def test_times_as_spreadsheets_count_them_and_people_name_months() -> None:
    at = datetime.fromisoformat("2026-05-04T10:00")
    assert spreadsheet_time("46146.4166666667") == spreadsheet_time("46146 0,4166666667") == at
    assert [spreadsheet_time(text) for text in ("12", "461460", "46146 x", "")] == [None] * 4
    assert parse_named_time("4. Mai 2026 10:00", "%d. %B %Y %H:%M") == at
    with pytest.raises(AmbiguousMonth, match="listopada is a name of month 10 or 11"):
        parse_named_time("4 listopada 2026", "%d %B %Y")
    with pytest.raises(ValueError, match="does not match"):
        parse_named_time("4 sometime 2026", "%d %B %Y")
