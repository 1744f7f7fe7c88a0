"""The end of a day: the sums are those of the receipts, and a cent that is off is found with its receipt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.backlog import build
from tests.support.engine import store_of
from tests.support.query_cost import plans
from tests.support.sales import CENT, NOON, ON, sale, settle, take
from tillpost.errors import JournalDamaged, UsageError
from tillpost.flow.upkeep.held import discard
from tillpost.journal import Journal, State, TillTotal
from tillpost.journal.sqlite import doctor
from tillpost.model import (
    Broken,
    Line,
    LineKind,
    Receipt,
    Tax,
    Tender,
)
from tillpost.model.money import format_money
from tillpost.reports import day as day_module
from tillpost.reports import till_totals as till_totals_module
from tillpost.reports.day import Day, day, differences_since
from tillpost.reports.day_page import html
from tillpost.reports.day_report import as_csv, figures, to_json, verdict
from tillpost.reports.gaps import gaps
from tillpost.reports.sums import Sum, Sums


def total(amount: str, count: int | None = None, **more: Any) -> TillTotal:
    values: dict[str, Any] = {"store": "12", "business_date": ON.isoformat(), "currency": "SEK"}
    return TillTotal(**values | {"total": Decimal(amount), "count": count} | more)


def test_each_receipt_stands_in_its_stage(journal: Journal) -> None:
    take(journal, sale("1", "10"), sale("2", "20"), sale("3", "40"), sale("4", "80", customer=None), sale("5", "160"))
    take(journal, sale("1", "999", on=ON + timedelta(days=1)), sale("1", "999", store="13"))
    settle(journal, State.DELIVERED, "2", route="api")
    settle(journal, State.HELD, "3", reason="refused")
    settle(journal, State.WRITTEN, "5")
    settle(journal, State.TRANSFERRED, "5")
    settle(journal, State.DELIVERED, "5", route="file", verified=True)
    found = day(journal, "12", ON)
    (sums,) = found.sums.values()
    shown = {name: (each.count, each.total) for name, each in [*sums.stages.items(), *sums.confirmed.items()]}
    assert shown == {
        "recorded": (5, Decimal(310)), "undelivered": (2, Decimal(50)), "held": (1, Decimal(40)),
        "delivered": (2, Decimal(180)), "skipped": (1, Decimal(80)),
        "accepted_by_api": (1, Decimal(20)), "verified": (1, Decimal(160)),
    }  # fmt: skip
    assert [(each.number, each.state) for each in found.undelivered] == [("1", "accepted"), ("3", "held")]
    assert found.skipped == {"no customer": 1}
    assert not found.fine


def test_a_day_that_is_delivered_and_equals_the_till_totals_is_fine(journal: Journal) -> None:
    take(journal, sale("1", "10"), sale("2", "20.50", tender="cash"))
    settle(journal, State.DELIVERED, "1", "2", route="api")
    assert day(journal, "12", ON).fine
    journal.day_totals.put(
        [total("30.50", 2), total("20.50", 1, kind="tender", name="cash"), total("30.50", kind="tax", name="25")], 1.0
    )
    found = day(journal, "12", ON)
    assert found.fine, found.differences
    assert verdict(found) == "Everything is delivered, and it equals the till totals to the cent."


# --- the law ------------------------------------------------------------------------------------------------------

amounts = st.integers(-10_000, 1_000_000).map(lambda cents: Decimal(cents).scaleb(-2))


@st.composite
def days(draw: st.DrawFn) -> list[Receipt]:
    made: list[Receipt] = []
    for number in range(draw(st.integers(1, 12))):
        lines = [
            Line(
                kind=LineKind.ADJUSTMENT, sku="a", quantity=Decimal(1), paid=draw(amounts),
                tax_percent=Decimal(draw(st.sampled_from(["25", "25.00", "12", "0", "6.5"]))),
            )
            for _ in range(draw(st.integers(1, 4)))
        ]  # fmt: skip
        whole = sum((line.paid for line in lines), Decimal(0))
        parts = [draw(amounts) for _ in range(draw(st.integers(0, 2)))]
        tenders = [
            Tender(type=draw(st.sampled_from(["card", "cash", "swish"])), amount=each)
            for each in [*parts, whole - sum(parts, Decimal(0))]
        ]
        taxes = [
            Tax(description="", percent=Decimal(25), amount=Decimal(0), including_tax=each, excluding_tax=each)
            for each in draw(st.lists(amounts, max_size=2))
        ]
        made.append(
            sale(
                str(number), till=draw(st.sampled_from(["1", "2"])), currency=draw(st.sampled_from(["SEK", "EUR"])),
                total=whole, lines=tuple(lines), tenders=tuple(tenders), taxes=tuple(taxes),
            )
        )  # fmt: skip
    return made


def of(found: Day) -> dict[str, tuple[Decimal, Decimal, Decimal]]:
    def whole(sums: dict[str, Sum]) -> Decimal:
        return sum((each.total for each in sums.values()), Decimal(0))

    return {c: (s.stages["recorded"].total, whole(s.tenders), whole(s.taxes)) for c, s in found.sums.items()}


@settings(max_examples=40, deadline=None)
@given(days(), st.data())
def test_tenders_and_taxes_add_up_to_the_receipts_and_a_cent_is_found(
    tmp_path_factory: pytest.TempPathFactory, made: list[Receipt], data: st.DataObject
) -> None:
    journal = Journal(tmp_path_factory.mktemp("day"))
    take(journal, *made)
    want: dict[str, Decimal] = {}
    for each in made:
        want[each.currency] = want.get(each.currency, Decimal(0)) + each.total
    found = day(journal, "12", ON)
    assert of(found) == {currency: (whole, whole, whole) for currency, whole in want.items()}
    assert sum((sums.stages["recorded"].count for sums in found.sums.values()), 0) == len(made)

    off = data.draw(st.sampled_from([CENT, -CENT]))
    planted = data.draw(st.sampled_from(made))
    listed = [
        total(
            str(each.total + (off if each is planted else 0)), currency=each.currency, till=each.till, kind="receipt",
            name=each.number,
        )
        for each in made
    ]  # fmt: skip
    sums = [total(str(whole + (off if planted.currency == c else 0)), currency=c) for c, whole in want.items()]
    gaps = day(journal, "12", ON, till_totals=[*listed, *sums]).differences
    assert [(each.kind, each.amount_difference) for each in gaps] == [("total", -off), ("receipt", -off)]
    assert [suspect.id for suspect in gaps[1].suspects] == [planted.id]
    journal.close()


# --- what is behind a difference ----------------------------------------------------------------------------------


def test_a_cent_changed_in_a_row_of_the_journal_is_named(journal: Journal, tmp_path: Path) -> None:
    take(journal, sale("1", "10"), sale("2", "20"))
    other = apsw.Connection(str(tmp_path / "journal.db"))
    other.execute("UPDATE receipts SET total = '20.01' WHERE number = '2'")
    other.close()
    found = day(journal, "12", ON)
    assert found.damaged == (sale("2", "20").id,)
    assert of(found) == {"SEK": (Decimal("30.01"),) * 3}


def test_the_same_number_with_a_cent_more_is_behind_a_day_total_off_by_a_cent(journal: Journal) -> None:
    take(journal, sale("1", "10"), sale("2", "20"))
    take(journal, sale("2", "20.01"))
    journal.day_totals.put([total("30.01", 2)], 5.0)
    (gap,) = day(journal, "12", ON).differences
    assert (gap.amount_difference, gap.count_difference) == (-CENT, 0)
    (suspect,) = gap.suspects
    assert suspect.number == "2"
    assert suspect.state == "held"
    assert "other content" in suspect.why


def test_receipts_whose_amount_is_the_difference_are_named_first(journal: Journal) -> None:
    take(journal, sale("1", "10"), sale("2", "20"), sale("3", "7.77", on=ON + timedelta(days=1)))
    (more,) = day(journal, "12", ON, till_totals=[total("10")]).differences
    assert [suspect.number for suspect in more.suspects] == ["2"]
    (less,) = day(journal, "12", ON, till_totals=[total("37.77", 3)]).differences
    assert [(suspect.number, suspect.why) for suspect in less.suspects] == [
        ("3", "of 2026-11-24; its amount is the difference")
    ]


def test_what_is_missing_is_told_by_number_and_what_could_not_be_read(journal: Journal) -> None:
    take(journal, sale("1", "10"), sale("2", "20"), sale("5", "20"))
    take(journal, Broken(reason="not JSON", place="line 3", raw=b"{", store="12"))
    take(journal, Broken(reason="not JSON", place="line 4", raw=b"{4", store="13"))
    found = day(journal, "12", ON, till_totals=[total("90", 5)])
    assert found.missing == (("1", "3", "4"),)
    assert [suspect.number or suspect.why for suspect in found.differences[0].suspects] == [
        "could not be read, held; its amount is not known", "3-4"
    ]  # fmt: skip
    assert len(found.unreadable) == 1


@pytest.mark.parametrize(
    "numbers",
    [
        ("1", "2", "5"),
        ("1", "2", "5", "9000001"),  # one far off, such as a till that was set up anew
        ("A-0001", "A-0004", "B-0001", "B-0003"),
        ("0009", "0001", "0003"),
        ("20261123101530", "20261123111530"),
        ("1", "3", "5", "7", "9", "11", "13"),
    ],
)
def test_the_day_misses_the_numbers_that_gaps_misses(journal: Journal, numbers: tuple[str, ...]) -> None:
    yesterday = ON - timedelta(days=1)
    take(journal, sale("0005", on=yesterday), *(sale(number) for number in numbers))
    take(journal, sale("77", on=ON + timedelta(days=1)))
    noon = datetime(ON.year, ON.month, ON.day, 12, tzinfo=UTC).timestamp() + 86400
    expected = [
        (till.till, gap.first, gap.last)
        for till in gaps(journal, noon, timedelta(days=7))
        for gap in till.gaps
        if gap.date == ON.isoformat()
    ]
    assert list(day(journal, "12", ON).missing) == expected
    if "9000001" in numbers:
        assert ("1", "3", "4") in expected


def test_a_discarded_record_stays_in_the_day(journal: Journal) -> None:
    """One that could not be read, and one whose number was there: neither vanishes with a person's decision."""
    take(journal, sale("1", "10"), sale("1", "11"))
    take(journal, Broken(reason="not JSON", place="line 3", raw=b"{", store="12"))
    before = day(journal, "12", ON)
    assert [len(each) for each in (before.same_number, before.unreadable, before.discarded)] == [1, 1, 0]
    for entry in journal.receipts.find({"state": State.HELD}):
        discard(journal, entry.id, "typed twice", NOON)
    after = day(journal, "12", ON)
    assert [len(each) for each in (after.same_number, after.unreadable, after.discarded)] == [0, 0, 2]
    assert {each.reason for each in after.discarded} == {"discarded: typed twice"}
    assert len(to_json(after)["discarded"]) == 2


def test_numbers_that_are_no_sequence_tell_nothing_of_what_is_missing(journal: Journal) -> None:
    take(journal, sale("20261123101530", "10"), sale("20261123111530", "10"))
    assert day(journal, "12", ON).missing == ()


def test_a_tender_or_a_tax_that_is_off_names_the_receipts_that_have_so_much_of_it(journal: Journal) -> None:
    take(journal, sale("1", "10"), sale("2", "20", tender="cash"), sale("3", "30"), sale("4", "30", percent="12"))
    shown = [
        total("70", kind="tender", name="card"),  # as it is
        total("0", 0, kind="tender", name="cash", till="1"),
        total("90", kind="tax", name="25"),
        total("1", kind="tender", name="swish"),
    ]
    found = {each.name: each for each in day(journal, "12", ON, till_totals=shown).differences}
    assert {name: (each.amount_difference, each.count_difference) for name, each in found.items()} == {
        "cash": (Decimal(20), 1), "25": (Decimal(-30), None), "swish": (Decimal(-1), None),
    }  # fmt: skip
    assert [suspect.number for suspect in found["cash"].suspects] == ["2"]
    assert [suspect.number for suspect in found["25"].suspects] == ["3"]
    assert found["swish"].suspects == ()


def test_a_till_alone_is_compared_alone(journal: Journal) -> None:
    take(journal, sale("1", "10"), sale("2", "20", till="2"))
    journal.day_totals.put([total("10", till="1"), total("21", till="2"), total("31")], 1.0)
    assert [(each.till, each.amount_difference) for each in day(journal, "12", ON).differences] == [
        ("", Decimal(-1)),
        ("2", Decimal(-1)),
    ]
    assert day(journal, "12", ON, till="1").differences == ()
    only = day(journal, "12", ON, till="2")
    assert [each.till for each in only.differences] == ["2"]
    assert [(each.what, each.of, each.receipts, each.amount) for each in figures(only)][:2] == [
        ("till total", "till 2", "", "21.00"), ("recorded", "", "1", "20.00"),
    ]  # fmt: skip


def test_a_till_without_a_total_is_named_and_so_is_a_currency_without_receipts(journal: Journal) -> None:
    take(journal, sale("1", "10"), sale("2", "20", till="2"))
    settle(journal, State.DELIVERED, "1", "2", route="api")
    found = day(journal, "12", ON, till_totals=[total("10", till="1")])
    assert (found.fine, found.tills_without_total) == (True, ("2",))
    assert verdict(found).endswith("to the cent; no till total is known of till 2.")
    (gap,) = day(journal, "12", ON, till_totals=[total("5", currency="EUR")]).differences
    assert (gap.currency, gap.amount_difference, gap.recorded_count) == ("EUR", Decimal(-5), 0)
    assert day(journal, "12", ON, till_totals=[total("30")]).tills_without_total == ()


def test_money_has_the_digits_of_its_currency() -> None:
    given = [("0", "SEK"), ("-5.5", "SEK"), ("100", "JPY"), ("1E+2", "SEK")]
    shown = [format_money(Decimal(text), currency) for text, currency in given]
    assert shown == ["0.00", "-5.50", "100", "100.00"]


def test_a_late_receipt_ends_the_difference(journal: Journal) -> None:
    take(journal, sale("1", "10"))
    journal.day_totals.put([total("10.01", 2)], 100.0)
    (gap,) = differences_since(journal, 50.0)
    assert (gap.store, gap.date, gap.amount_difference) == ("12", "2026-11-23", -CENT)
    assert differences_since(journal, 101.0) == []
    take(journal, sale("2", "0.01"))
    assert differences_since(journal, 50.0) == []


def test_figures_take_the_place_of_those_of_the_same_till_and_day(journal: Journal) -> None:
    journal.day_totals.put(
        [total("1", till="1"), total("2", till="2"), total("1", kind="tender", name="x", till="1")], 1.0
    )
    journal.day_totals.put([total("5", till="1", source="new.csv")], 2.0)
    found = journal.day_totals.get("12", "2026-11-23")
    assert [(each.till, each.kind, str(each.total), each.source) for each in found] == [
        ("1", "total", "5", "new.csv"), ("2", "total", "2", ""),
    ]  # fmt: skip


# --- how it is asked ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """100,000 receipts of 40 stores with five tills each, 50 days."""
    folder = tmp_path_factory.mktemp("many")
    build(folder, 2_000, 98_000, bodies=False)
    connection = apsw.Connection(str(folder / "journal.db"))
    connection.execute(
        "UPDATE receipts SET store = CAST(seq % 40 AS TEXT), till = CAST(seq / 40 % 5 AS TEXT),"
        " business_date = date('2026-11-24', '-' || (seq / 2000) || ' days')"
    )
    connection.close()
    opened = Journal(folder)
    yield opened
    opened.close()


def test_a_day_reads_its_own_rows_by_index_a_page_at_a_time(many: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    found = plans(many, lambda journal: day(journal, "7", ON, bodies=False), monkeypatch)
    rows = [plan for plan in found if " receipts " in plan]
    assert rows
    assert all(plan.startswith("SEARCH receipts USING") and "receipts_day (store=? AND" in plan for plan in rows), found
    assert not any("TEMP B-TREE" in plan for plan in found), found


def test_a_days_receipts_are_read_in_pages(many: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tillpost.journal.tables.day_totals.PAGE", 3)
    found = day(many, "7", ON, bodies=False)
    most = 0
    read = store_of(many).read

    def watched(sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        nonlocal most
        rows = read(sql, values)
        most = max(most, len(rows))
        return rows

    monkeypatch.setattr(store_of(many), "read", watched)
    assert day(many, "7", ON, bodies=False) == found
    assert found.sums["SEK"].stages["recorded"] == Sum(50, Decimal(500))
    assert most == 5  # the tills; of the receipts no more than a page


def test_contents_are_read_a_page_at_a_time_too(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    take(journal, *[sale(str(number), "10") for number in range(1, 11)])
    monkeypatch.setattr("tillpost.journal.tables.day_totals.PAGE", 3)
    asked: list[int] = []
    stored = journal.bodies.stored

    def watched(seqs: Any) -> Any:
        listed = list(seqs)
        asked.append(len(listed))
        return stored(listed)

    monkeypatch.setattr(journal.bodies, "stored", watched)
    assert day(journal, "12", ON).sums["SEK"].tenders["card"] == Sum(10, Decimal(100))
    assert asked == [3, 3, 3, 1]


@pytest.mark.parametrize("harm", ["total = 'much'", "total = 'NaN'", "state = 'gone'", "total = x'00'"])
def test_a_row_that_makes_no_sense_is_a_damaged_journal(journal: Journal, tmp_path: Path, harm: str) -> None:
    take(journal, sale("1", "10"))
    other = apsw.Connection(str(tmp_path / "journal.db"))
    other.execute(f"UPDATE receipts SET {harm}")
    other.close()
    with pytest.raises(JournalDamaged, match="row 1: state or total makes no sense"):
        day(journal, "12", ON)


def test_a_repair_keeps_the_till_totals(journal: Journal, tmp_path: Path) -> None:
    take(journal, sale("1", "10"), sale("2", "20"))
    journal.day_totals.put([total("30", 2, source="t.csv")], 5.0)
    journal.close()
    other = apsw.Connection(str(tmp_path / "journal.db"))
    other.execute("DELETE FROM receipts WHERE number = '1'")  # its body stays behind: damage
    other.close()
    assert doctor.repair(tmp_path, NOON).damages
    again = Journal(tmp_path)
    assert [(str(each.total), each.source) for each in again.day_totals.get("12", ON.isoformat())] == [("30", "t.csv")]
    again.close()


# --- what people get ----------------------------------------------------------------------------------------------


def test_the_page_is_whole_and_what_comes_from_outside_is_escaped(journal: Journal) -> None:
    nasty = '<script>alert("1")</script>'
    take(journal, sale(nasty, "10", tender="<b>"), sale("=1+1", "20"))
    settle(journal, State.HELD, nasty, reason="<img src=x>")
    journal.day_totals.put([total("30.01", 2)], 5.0)
    found = day(journal, "12", ON)
    page = html(found, "shop & co", 0.0)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "difference -0.01" in page
    assert "http" not in page.lower()
    sheet = as_csv(found)
    assert "'=1+1" in sheet
    assert ",recorded,,2,30.00," in sheet
    assert to_json(found)["differences"][0]["amount_difference"] == "-0.01"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,store,total\n", "1: the header lacks currency"),
        ("date,store,currency,total,sum\n", "unknown column 'sum'"),
        ("date,store,currency,total\n23/11/2026,12,SEK,1\n", "2: date: '23/11/2026'"),
        ("date,store,currency,total\n2026-11-23,,SEK,1\n", "2: store"),
        ("date,store,currency,total\n2026-11-23,12,kr,1\n", "2: currency"),
        ("date,store,currency,total\n2026-11-23,12,SEK,NaN\n", "2: total"),
        ("date,store,currency,total,count\n2026-11-23,12,SEK,1,x\n", "2: count"),
        ("date,store,currency,total\n2026-11-23,12,SEK,1\n2026-11-23,12,SEK,2\n", "3: repeats line 2"),
        ("date,store,currency,total\n2026-11-23,12,SEK,1,5\n", "2: the row has more fields"),
        ("date,store,currency,total,tender,tax\n2026-11-23,12,SEK,1,card,25\n", "2: the row has tender and tax"),
    ],
)
def test_a_csv_that_cannot_be_used_is_named_by_line_and_column(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        till_totals_module.read(file)
    assert said in str(caught.value)


def test_a_csv_is_read_with_either_separator(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("\ufeffDate;Store;Till;Currency;Count;Total;Tax\r\n2026-11-23;12;1;SEK;7;1234,50;25,00%\r\n")
    assert till_totals_module.read(file) == [
        total("1234.50", 7, till="1", kind="tax", name="25", source="t.csv")
    ]  # fmt: skip


def test_the_csv_of_the_docs_is_one(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "operators" / "day-end.md").read_text(encoding="utf-8")
    file = tmp_path / "totals.csv"
    file.write_text(text.split("```csv\n")[1].split("```")[0])
    assert [(each.till, each.kind, each.name, each.count) for each in till_totals_module.read(file)] == [
        ("1", "total", "", 214), ("1", "tender", "card", 160), ("1", "tax", "25", None), ("2", "receipt", "1077", None),
    ]  # fmt: skip


def test_sums_merge(journal: Journal) -> None:
    one, other = Sums(), Sums()
    one.tenders["card"].add(Decimal(1))
    other.tenders["card"].add(Decimal(2))
    one.merge(other)
    assert one.tenders["card"] == Sum(2, Decimal(3))
    assert attrs.asdict(other)["tenders"]["card"]["count"] == 1
    assert day_module.LISTED == 100
