"""Tables, goals, plots, and what the scripts print: from figures to the page, nothing measured."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.benchmarks import page, scripts
from tests.benchmarks.goals import GOALS, best_peer
from tests.benchmarks.plots import Chart, ceiling

ROOT = Path(__file__).parents[2]


def raced(rate: float, cpu: float = 1.0) -> dict[str, float]:
    return {"rate": rate, "accept_rate": rate * 2, "whole": rate / 2, "cpu": cpu, "deliver_cpu": cpu, "peak": 40.0,
            "sink_cpu": 0.1}  # fmt: skip


@pytest.fixture
def results() -> dict[str, Any]:
    """Two rounds, in which Tillpost has 3.5 and 4.5 times the rate of huey."""
    trial = {"receipts": 100, "lost": 0, "repeated": 2, "in_flight": 8}
    rounds = [
        {"Tillpost": raced(3500, 0.25), "huey": raced(1000), "persist-queue": raced(200), "syslog-ng": raced(40000)},
        {"Tillpost": raced(4500, 0.35), "huey": raced(1000), "persist-queue": raced(200), "syslog-ng": raced(30000)},
    ]
    return {
        "date": "2026-11-24T12:00:00+01:00",
        "machine": {"CPU": "a | b", "disk": "ext4"},
        "runs": 2,
        "load": 0.1,
        "quick": False,
        "minutes": 12.4,
        "missing": {"plain loop": "its packages could not be installed"},
        "failed": {},
        "races": {"no delay": {"delay": 0.0, "connections": 8, "rounds": rounds}},
        "kill": {"Tillpost": [trial, trial | {"lost": 1}], "huey": [trial | {"lost": 2}, trial]},
        "silent": {"Tillpost": {"receipts": 9, "seconds": 1.5, "left": 0, "lost": 0, "repeated": 0},
                   "huey": {"receipts": 9, "seconds": None, "left": 4, "lost": 9, "repeated": 0}},
        "through-outage": {"timeline": {"on": 1, "off": 1, "after": 1}, "arrivals": {"Tillpost": [5, 0, 9]}},
        "ingest": [{"rate": 900, "noop": 1800, "cpu": 0.5, "noop_cpu": 0.3, "p99": 0.02, "sync": 0.002}],
        "disk": [{"SQLite commits of 100 rows": 8000, "tillpost accept": 3200}],
        "backlog": {"Tillpost": {"100": [0.5, 0.7, 0.6], "10000": [0.8]}},
    }  # fmt: skip


def row(told: str, begins: str) -> list[str]:
    (found,) = [line for line in told.splitlines() if line.startswith(f"| {begins}")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_a_goal_is_reached_by_the_median_of_ratios_of_one_round(results: dict[str, Any]) -> None:
    told = page.goals(results)
    assert best_peer(results) == "huey"
    assert row(told, "rate ÷ the best durable Python peer's")[1:] == ["≥ 3", "4 (3.5 to 4.5)", "yes"]
    assert row(told, "CPU per 1,000 ÷ the best durable Python peer's")[1:] == ["≤ 0.4", "0.3 (0.25 to 0.35)", "yes"]


def test_limits_are_told_beside_what_is_reached(results: dict[str, Any]) -> None:
    assert row(page.goals(results), "receipts/s by HTTP")[2:] == ["0.5", "yes"]
    assert row(page.goals(results), "p99 by HTTP")[2:] == ["10", "yes"]
    assert row(page.goals(results), "accepting JSON lines")[2:] == ["0.4", "yes"]
    assert row(page.disk(results), "tillpost accept")[1] == "3,200"
    assert row(page.ingest(results), "Tillpost")[3] == "20.0"


def test_a_loss_in_one_trial_is_no_goal_reached(results: dict[str, Any]) -> None:
    assert row(page.goals(results), "lost after kill -9")[2:] == ["0 to 1", "**no**"]


def test_what_was_not_measured_has_no_row_and_is_said(results: dict[str, Any]) -> None:
    assert "50 ms" not in page.goals(results)
    told = page.page(results)
    assert "plain loop is omitted: its packages could not be installed" in told
    assert "Not measured in this run." in told
    assert not re.findall(r"\{\w*\}", re.sub(r"```.*?```", "", told, flags=re.S))


def test_a_busy_machine_is_told(results: dict[str, Any]) -> None:
    assert "machine was busy" not in page.page(results)
    assert "machine was busy before it began (4.2 runnable tasks a core)" in page.page(results | {"load": 4.2})


def test_what_is_lost_and_who_stalls_is_told_of_each(results: dict[str, Any]) -> None:
    told = page.kept(results)
    assert row(told, "Tillpost")[1:3] == ["0 to 1", "2"]
    assert row(told, "huey")[5:7] == ["stalled", "9 of 9"]


def test_every_goal_can_be_asked_of_nothing() -> None:
    assert [goal.what for goal in GOALS if goal.find({}) is not None] == []


def test_the_plots_are_well_formed_and_show_every_line(results: dict[str, Any]) -> None:
    for chart, names in ((page.outage_chart(results), 1), (page.backlog_chart(results), 1), (page.outage_chart({}), 0)):
        root = etree.fromstring(chart.svg().encode())
        assert len(root.findall("{*}path")) == names
        for number in re.findall(r'="(-?[\d.]+)"', chart.svg()):
            assert -1 <= float(number) <= 900


def test_a_higher_value_stands_higher() -> None:
    chart = Chart(title="a", along="b", up="c", lines={"one": [(0, 1), (1, 4), (2, 2)]})
    (path,) = etree.fromstring(chart.svg().encode()).findall("{*}path")
    heights = [float(pair.split()[1]) for pair in path.get("d", "").lstrip("M").split(" L")]
    assert heights[1] < heights[2] < heights[0]


@pytest.mark.parametrize(("value", "round_"), [(0.7, 1), (1, 1), (3, 4), (160, 200), (0.031, 0.04), (999, 1000)])
def test_axes_end_at_round_numbers(value: float, round_: float) -> None:
    assert ceiling(value) == pytest.approx(round_)


def test_figures_are_found_in_what_a_script_prints() -> None:
    printed = (
        '{"delay": 0.0, "connections": 8, "ours": {"rate": 5}, "ratio": {"median": 0.8, "spread": [0.7, 0.9]}}\n'
        '{"sizes": [\n {"lines": 4, "bytes": 9, "ratio": 0.5, "ratio_spread": [0.4, 0.6]}]}'
        '[{"waiting": 9, "ratio": {"claim_us": 1.5}}] {"rate": [{"processes": 2, "used": 0.99}]}'
    )
    found = scripts.figures(list(scripts.read(printed)))
    assert [(told.what, told.median, told.low, told.high) for told in found] == [
        ("delay 0.0, connections 8", 0.8, 0.7, 0.9),
        ("sizes lines 4", 0.5, 0.4, 0.6),
        ("waiting 9 claim_us", 1.5, 1.5, 1.5),
        ("rate processes 2 used", 0.99, 0.99, 0.99),
    ]
    with pytest.raises(ValueError, match="Expecting"):
        list(scripts.read("Traceback"))


def test_a_goal_is_found_in_what_a_script_prints(results: dict[str, Any]) -> None:
    told = {"rate": [{"processes": 1, "used": 0.97, "above": 0}, {"processes": 2, "used": 0.995, "above": 3}]}
    results["scripts"] = {"rate": {"objects": [told], "failed": ""}}
    shown = page.goals(results)
    assert row(shown, "rate used, one process")[2:] == ["0.97", "**no**"]
    assert row(shown, "rate used, two processes")[2:] == ["0.995", "yes"]
    assert row(shown, "requests above the rate, two")[2:] == ["3", "**no**"]
    assert "rate processes 1 used" in page.parts(results)


def test_the_page_in_the_docs_was_written_by_this_code(tmp_path: Path) -> None:
    figures = json.loads((ROOT / "docs" / "benchmarks.json").read_text("utf-8"))
    assert not figures["quick"]
    page.write(figures, tmp_path)
    for path in tmp_path.iterdir():
        # By hand nothing is put in: `python -m tests.benchmarks --page docs/benchmarks.json` writes it again.
        assert path.read_text("utf-8") == (ROOT / "docs" / path.name).read_text("utf-8"), path.name
