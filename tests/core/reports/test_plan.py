"""The capacity plan: its figures by hand, what it must never do, and the sizes of a journal beside the file itself."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.backlog import build
from tillpost.journal import Journal
from tillpost.reports.plan import LEAST, MOST, Load, Weights, plan, size, span, weigh

HOUR = timedelta(hours=1)
SHOP = Load(stores=40, receipts_per_hour=120, outage=72 * HOUR)
WEIGHTS = Weights(journal=5000, file=4000, lines=8, contacts=0.5, contact=600)


def test_the_figures_of_forty_stores_and_three_days() -> None:
    found = plan(SHOP, WEIGHTS, free=10**10)
    in_files = ceil(345_600 * (1 - 0.25 / 72))  # the first quarter of an hour waits for the API
    assert found.receipts == 345_600
    assert found.journal_bytes == 345_600 * 5000
    assert found.fallback_bytes == in_files * 4000 + in_files // 2 * 600
    assert (found.receipt_files, found.contact_files) == (861, 861)  # a batch every 5 minutes, 400 receipts each
    assert found.requests == 691_200
    spare = 50 - 4800 / 3600 * 2
    assert found.catch_up_api == pytest.approx(691_200 / spare)
    assert found.catch_up_files == pytest.approx(found.fallback_bytes / 1e6 + 7200 + in_files * 1.5 / spare)
    assert found.disk == pytest.approx(1.25 * (found.journal_bytes + found.fallback_bytes), abs=1)
    assert any("enough; at this rate they last" in line for line in found.advice)
    assert any("disk_for_outage" in line for line in found.advice)


def test_more_lines_than_a_file_takes_make_more_files() -> None:
    busy = Load(stores=40, receipts_per_hour=120, outage=72 * HOUR, every=timedelta(hours=71.75), after=0.25 * HOUR)
    assert plan(busy, WEIGHTS).receipt_files == ceil(344_400 * 8 / MOST)


def test_live_traffic_above_the_rate_leaves_the_backlog_its_share_and_is_told() -> None:
    found = plan(Load(stores=1000, receipts_per_hour=360, outage=HOUR, rate=50), WEIGHTS, free=1)
    assert found.catch_up_api == pytest.approx(720_000 / 12.5)
    assert any("live traffic alone needs 200.0 of 50" in line for line in found.advice)
    assert any("not enough" in line for line in found.advice)


def test_without_a_fallback_nothing_is_written_to_files() -> None:
    found = plan(Load(stores=1, receipts_per_hour=10, outage=HOUR, files=False), WEIGHTS)
    assert (found.fallback_bytes, found.receipt_files, found.contact_files, found.catch_up_files) == (0, 0, 0, None)
    assert any("no fallback" in line for line in found.advice)


def test_an_outage_shorter_than_the_fallback_waits_makes_no_file() -> None:
    found = plan(Load(stores=4, receipts_per_hour=100, outage=timedelta(minutes=10)), WEIGHTS)
    assert (found.receipt_files, found.catch_up_files) == (0, 0.0)


@given(
    st.integers(1, 5000), st.floats(0.1, 5000), st.floats(0.01, 2000), st.floats(0.5, 500), st.floats(0, 1),
)  # fmt: skip
def test_a_longer_outage_never_takes_less(stores: int, hourly: float, hours: float, rate: float, new: float) -> None:
    weights = Weights(contacts=new)
    one, two = (
        plan(Load(stores=stores, receipts_per_hour=hourly, outage=HOUR * times, rate=rate), weights)
        for times in (hours, hours * 2)
    )
    for name in ("receipts", "journal_bytes", "fallback_bytes", "disk", "receipt_files", "requests", "catch_up_api"):
        assert 0 <= getattr(one, name) <= getattr(two, name), name
    assert one.receipt_files <= one.receipts


def test_sizes_are_measured_once_there_are_enough_receipts(tmp_path: Path) -> None:
    build(tmp_path / "few", 10, LEAST - 11)
    build(tmp_path / "many", 100, 4900)
    journal = Journal(tmp_path / "few")
    assert weigh(journal) == Weights()
    journal.close()
    journal = Journal(tmp_path / "many")
    found = weigh(journal)
    journal.close()
    assert found.measured == ("journal", "lines")
    assert found.lines == 1.0
    assert found.journal == pytest.approx((tmp_path / "many" / "journal.db").stat().st_size / 5000, rel=0.02)


def test_files_are_measured_by_what_is_in_them(tmp_path: Path) -> None:
    build(tmp_path, 100, 4900)
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    for sequence, (kind, rows, each) in enumerate([("receipts", 1000, 3000), ("contacts", 400, 500)], start=1):
        connection.execute(
            "INSERT INTO files (name, kind, sequence, position, sha256, size, path, rows, keys, state, due, written_at)"
            " VALUES (?, ?, ?, 0, '', ?, '', ?, '[]', 'confirmed', 0, 0)",
            (f"{kind}.xml", kind, sequence, rows * each, rows),
        )
    connection.close()
    journal = Journal(tmp_path)
    found = weigh(journal)
    journal.close()
    assert (found.file, found.contacts, found.contact) == (3000, 0.4, Weights().contact)
    assert found.measured == ("journal", "lines", "file", "contacts")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (90, "90s"), (300, "5m"), (3600, "1h"), (7260, "2h"), (259_200, "3d"), (5.25, "5.2s")],
)
def test_a_length_of_time_is_short(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_bytes_are_told_as_disks_are_sold() -> None:
    assert [size(each) for each in (0, 999, 1000, 2_500_000, 7.1e12)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "2.5 MB",
        "7.1 TB",
    ]
