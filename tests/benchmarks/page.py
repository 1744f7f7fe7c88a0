"""The results as tables, and as docs/benchmarks.md with its plots. Nothing of the page is written by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import scripts
from tests.benchmarks.contenders import ALL
from tests.benchmarks.figures import Figure
from tests.benchmarks.goals import GOALS, column
from tests.benchmarks.plots import Chart

Results = Mapping[str, Any]
NAMES = tuple(each.name for each in ALL)
NONE = "-"
_BUSY = 0.3
"""Runnable tasks a core above which the machine is not ours alone."""
_NOT_MEASURED = "Not measured in this run."


def write(results: Results, docs: Path) -> None:
    """The page, its two plots, and every figure it is made of."""
    (docs / "benchmarks.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (docs / "benchmarks.md").write_text(page(results), encoding="utf-8")
    (docs / "benchmarks-outage.svg").write_text(outage_chart(results).svg(), encoding="utf-8")
    (docs / "benchmarks-backlog.svg").write_text(backlog_chart(results).svg(), encoding="utf-8")


def page(results: Results) -> str:
    """The whole page."""
    races = results.get("races", {})
    late = races.get("50 ms", {"connections": 32, "delay": 0.05})
    kills = [trial for trials in results.get("kill", {}).values() for trial in trials]
    return (
        (Path(__file__).parent / "page.md")
        .read_text("utf-8")
        .format(
            date=results["date"][:16].replace("T", " "),
            runs=results["runs"],
            minutes=f"{results['minutes']:.0f}",
            machine=table(("machine", ""), results["machine"].items()),
            gaps=_gaps(results),
            goals=goals(results),
            connections=races.get("no delay", {}).get("connections", 8),
            races=race(results, "no delay"),
            limit=late["connections"] / late["delay"],
            late=race(results, "50 ms"),
            disk=disk(results),
            ingest=ingest(results),
            in_flight=kills[0]["in_flight"] if kills else 8,
            kept=kept(results),
            backlog=backlog(results),
            scripts=parts(results),
        )
    )


def text(results: Results) -> str:
    """The tables, for a terminal."""
    made = {
        "Goals": goals(results),
        "Accepting": disk(results),
        "Receipts by HTTP": ingest(results),
        **{f"Side by side, {name}": race(results, name) for name in results.get("races", {})},
        "What is kept": kept(results),
        "Cost and backlog": backlog(results),
        "Single parts": parts(results),
    }
    return "\n".join(f"{title}\n\n{told}\n" for title, told in made.items() if told != _NOT_MEASURED)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, its columns aligned so that it can be read as it stands."""
    cells = [list(heads), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    if len(cells) == 1:
        return _NOT_MEASURED
    widths = [max(len(row[number]) for row in cells) for number in range(len(heads))]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    )


def said(figure: Figure | None, form: str = ".3g") -> str:
    """Median (smallest to largest); one value when there is no more."""
    if figure is None:
        return NONE
    if figure.low == figure.high:
        return _number(figure.median, form)
    return f"{_number(figure.median, form)} ({_number(figure.low, form)} to {_number(figure.high, form)})"


def goals(results: Results) -> str:
    """Goal, bound, what was reached."""
    rows = []
    for goal in GOALS:
        figure = goal.find(results)
        if figure is not None:
            verdict = {True: "yes", False: "**no**", None: NONE}[goal.reached(figure)]
            told = _span(figure.values) if goal.always else said(figure)
            rows.append((goal.what, goal.asked(), told, verdict))
    return table(("goal", "asked", "median (spread)", "reached"), rows)


def race(results: Results, name: str) -> str:
    """One race: who, rates, CPU, memory."""
    columns = {
        "accept/s": ("accept_rate", ",.0f"),
        "deliver/s": ("rate", ",.0f"),
        "requests/s": ("requests", ",.0f"),
        "whole/s": ("whole", ",.0f"),
        "CPU s per 1,000": ("cpu", ".3f"),
        "of it deliver": ("deliver_cpu", ".3f"),
        "peak MB": ("peak", ".0f"),
        "sink's CPU": ("sink_cpu", ".3f"),
    }
    rows = []
    for who in NAMES:
        values = {key: [value for value in column(results, name, who, key) if value] for key, _ in columns.values()}
        if values["cpu"]:
            told = [said(Figure(values[key]) if values[key] else None, form) for key, form in columns.values()]
            rows.append((who, *told))
    return table(("", *columns), rows)


def ingest(results: Results) -> str:
    """Receipts taken by HTTP, and the no-op."""
    rounds = results.get("ingest", [])
    if not rounds:
        return _NOT_MEASURED

    def told(key: str, form: str, times: float = 1.0) -> str:
        return said(Figure([each[key] * times for each in rounds]), form)

    return table(
        ("", "receipts/s", "CPU s per 1,000", "p99 at half load, ms"),
        [
            ("Tillpost", told("rate", ",.0f"), told("cpu", ".3f"), told("p99", ".1f", 1000)),
            ("no-op", told("noop", ",.0f"), told("noop_cpu", ".3f"), NONE),
            ("one fdatasync", NONE, NONE, told("sync", ".2f", 1000)),
        ],
    )


def disk(results: Results) -> str:
    """Rows/s of the bare disk, of SQLite, and of `tillpost accept`."""
    rounds = results.get("disk", [])
    rows = [(name, said(Figure([each[name] for each in rounds]), ",.0f")) for name in (rounds[0] if rounds else ())]
    return table(("", "receipts/s"), rows)


def kept(results: Results) -> str:
    """What each lost and repeated, and whether it was stalled."""
    rows = []
    for who in NAMES:
        killed, outages = results.get("kill", {}).get(who, []), results.get("outage", {}).get(who, [])
        silence, syncs = results.get("silent", {}).get(who), results.get("synced", {}).get(who)
        if killed or outages or silence:
            rows.append(
                (
                    who,
                    _span([trial["lost"] for trial in killed]),
                    _span([trial["repeated"] for trial in killed]),
                    _span([trial["lost"] for trial in outages]),
                    _span([trial["repeated"] for trial in outages]),
                    _done(silence),
                    NONE if silence is None else f"{silence['lost']:,} of {silence['receipts']:,}",
                    NONE if syncs is None else f"{syncs:,.0f}",
                )
            )
    heads = (
        "",
        "killed: lost",
        "repeated",
        "outage: lost",
        "repeated",
        "silent: the other done",
        "the silent one lost",
        "syncs",
    )
    return table(heads, rows)


def backlog(results: Results) -> str:
    """Cost of 1,000 deliveries by how many wait."""
    found = results.get("backlog", {})
    sizes = sorted({int(size) for costs in found.values() for size in costs})
    rows = [
        (who, *(said(Figure(costs[str(size)]) if str(size) in costs else None) for size in sizes))
        for who, costs in found.items()
    ]
    return table(("waiting", *(f"{size:,}" for size in sizes)), rows)


def parts(results: Results) -> str:
    """Every figure the scripts printed."""
    rows = []
    for name, told in results.get("scripts", {}).items():
        rows += [(f"`{name}`", each.what or "ratio", said(_spread(each))) for each in scripts.figures(told["objects"])]
        if told["failed"]:
            rows.append((f"`{name}`", "failed", told["failed"]))
    return table(("module", "what", "median (spread)"), rows)


def outage_chart(results: Results) -> Chart:
    """Arrivals over time."""
    found = results.get("through-outage", {"timeline": {"on": 20, "off": 10}, "arrivals": {}})
    timeline = found["timeline"]
    lines = {
        who: [(at + 0.5, float(count)) for at, count in enumerate(counts)] for who, counts in found["arrivals"].items()
    }
    return Chart(
        title="Arrivals at the sink through an outage",
        along="seconds",
        up="receipts in each second",
        lines=lines,
        shaded=(timeline["on"], timeline["on"] + timeline["off"], "outage") if lines else None,
    )


def backlog_chart(results: Results) -> Chart:
    """Cost against backlog."""
    found = results.get("backlog", {})
    lines = {
        who: [
            (float(size), Figure(values).median)
            for size, values in sorted(costs.items(), key=lambda item: int(item[0]))
        ]
        for who, costs in found.items()
    }
    return Chart(
        title="Cost of a delivery and the backlog",
        along="receipts waiting",
        up="CPU s for 1,000 deliveries",
        lines=lines,
        logarithmic=True,
    )


def _gaps(results: Results) -> str:
    told = [f"- {name} is omitted: {why}" for name, why in results["missing"].items()]
    told += [f"- *{name}* failed: {why.splitlines()[0]}" for name, why in results["failed"].items()]
    if results["load"] > _BUSY:
        told.append(
            f"- **The machine was busy before it began ({results['load']:.1f} runnable tasks a core): the rates are "
            "too low, and the spread is that of the neighbours.**"
        )
    if results["quick"]:
        told.append("- **This was a quick run: it shows that everything works, the figures mean nothing.**")
    return "\n" + "\n".join(told) + "\n" if told else ""


def _spread(told: scripts.Told) -> Figure:
    return Figure([told.low, told.median, told.high])


def _span(values: Sequence[float]) -> str:
    """Smallest to largest: of what is lost, the middle one says nothing."""
    if not values:
        return NONE
    return f"{min(values):g}" if min(values) == max(values) else f"{min(values):g} to {max(values):g}"


def _done(silence: Mapping[str, Any] | None) -> str:
    if silence is None:
        return NONE
    return "stalled" if silence["seconds"] is None else f"after {silence['seconds']:.1f} s"


def _number(value: float, form: str) -> str:
    return f"{value:{form}}"
