"""What was to be reached, and what of it the results show. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from tests.benchmarks import scripts
from tests.benchmarks.contenders import ALL
from tests.benchmarks.figures import Figure, ratio

PEERS = tuple(each.name for each in ALL if each.peer)
Results = Mapping[str, Any]


@attrs.frozen
class Goal:
    """One of them. least: a figure at or above the bound reaches it, else one at or below; none: a distance is told.

    always: every trial must reach it, not the middle one.
    """

    what: str
    bound: float | None
    least: bool
    find: Callable[[Results], Figure | None]
    always: bool = False

    def asked(self) -> str:
        """The bound in words."""
        if self.bound is None:
            return "told"
        return f"{'≥' if self.least else '≤'} {self.bound:g}"

    def reached(self, figure: Figure) -> bool | None:
        """Whether the median, or every trial, reaches it; None when nothing was asked."""
        if self.bound is None:
            return None
        value = (figure.low if self.least else figure.high) if self.always else figure.median
        return value >= self.bound if self.least else value <= self.bound


def column(results: Results, race: str, name: str, key: str) -> list[float]:
    """One figure of one contender, round by round; 0 where it did not take part."""
    rounds = results.get("races", {}).get(race, {}).get("rounds", [])
    return [each.get(name, {}).get(key, 0.0) for each in rounds]


def beside(race: str, key: str, name: str) -> Callable[[Results], Figure | None]:
    """Tillpost's figure over another's, round by round."""

    def find(results: Results) -> Figure | None:
        return _ratio(column(results, race, "Tillpost", key), column(results, race, name, key))

    return find


def of_limit(name: str, key: str) -> Callable[[Results], Figure | None]:
    """A rate at 50 ms over what so many connections can do in that time."""

    def find(results: Results) -> Figure | None:
        race = results.get("races", {}).get("50 ms")
        rates = column(results, "50 ms", name, key)
        return _ratio(rates, [race["connections"] / race["delay"]] * len(rates)) if race else None

    return find


def best_peer(results: Results) -> str:
    """The durable Python peer with the highest rate; "" when none took part."""
    known = {name: values for name in PEERS if any(values := column(results, "no delay", name, "rate"))}
    return max(known, key=lambda name: Figure(known[name]).median) if known else ""


def beside_best(key: str) -> Callable[[Results], Figure | None]:
    """Tillpost's figure over that of the best durable Python peer."""

    def find(results: Results) -> Figure | None:
        name = best_peer(results)
        return beside("no delay", key, name)(results) if name else None

    return find


def on_disk(name: str) -> Callable[[Results], Figure | None]:
    """`tillpost accept` over a bare limit of the disk."""

    def find(results: Results) -> Figure | None:
        rounds = results.get("disk", [])
        return _ratio([each["tillpost accept"] for each in rounds], [each[name] for each in rounds])

    return find


def by_http(over: str, under: str) -> Callable[[Results], Figure | None]:
    """Two figures of the ingest, round by round."""

    def find(results: Results) -> Figure | None:
        rounds = results.get("ingest", [])
        return _ratio([each[over] for each in rounds], [each[under] for each in rounds])

    return find


def counted(section: str, key: str) -> Callable[[Results], Figure | None]:
    """What Tillpost lost or repeated in each trial of a section."""

    def find(results: Results) -> Figure | None:
        told = results.get(section, {}).get("Tillpost", [])
        return Figure([each[key] for each in told]) if told else None

    return find


def beyond_flight(results: Results) -> Figure | None:
    """Repeats after kill -9 over what was in flight at most."""
    told = results.get("kill", {}).get("Tillpost", [])
    return Figure([each["repeated"] / each["in_flight"] for each in told]) if told else None


def left_beside_silence(results: Results) -> Figure | None:
    """Receipts the healthy target never got beside one that never answers."""
    told = results.get("silent", {}).get("Tillpost")
    return Figure([told["left"]]) if told else None


def printed(script: str, words: str) -> Callable[[Results], Figure | None]:
    """The first figure of a script whose name has all these words."""

    def find(results: Results) -> Figure | None:
        objects = results.get("scripts", {}).get(script, {}).get("objects", [])
        for told in scripts.figures(objects):
            if set(words.split()) <= set(told.what.replace(",", "").split()):
                return Figure([told.low, told.median, told.high])
        return None

    return find


def _ratio(over: list[float], under: list[float]) -> Figure | None:
    try:
        return ratio(over, under)
    except ValueError:
        return None


GOALS = (
    Goal(
        "accepting JSON lines ÷ SQLite's group commit of the same rows",
        0.35,
        True,
        on_disk("SQLite commits of 100 rows"),
    ),
    Goal("the same, parts measured alone (`accept_ratio`)", 0.35, True, printed("accept_ratio", "")),
    Goal("receipts/s by HTTP ÷ a no-op of the same server, 64 connections", 0.5, True, by_http("rate", "noop")),
    Goal("p99 by HTTP at half of that load ÷ one fdatasync", 20, False, by_http("p99", "sync")),
    Goal("requests/s at 50 ms, 32 connections ÷ (connections ÷ delay)", 0.95, True, of_limit("Tillpost", "requests")),
    Goal("the same, receipts/s: contacts are looked up in between", None, True, of_limit("Tillpost", "rate")),
    Goal("the same, syslog-ng", None, True, of_limit("syslog-ng", "rate")),
    Goal("the same, urllib3 loop", None, True, of_limit("urllib3 loop", "rate")),
    Goal(
        "delivering at no delay ÷ a bare urllib3 loop, 8 connections",
        0.7,
        True,
        beside("no delay", "rate", "urllib3 loop"),
    ),
    Goal("rate ÷ the best durable Python peer's", 3.0, True, beside_best("rate")),
    Goal("CPU per 1,000 ÷ the best durable Python peer's", 0.4, False, beside_best("cpu")),
    Goal("rate ÷ syslog-ng's", None, True, beside("no delay", "rate", "syslog-ng")),
    Goal("CPU per 1,000 ÷ syslog-ng's", None, False, beside("no delay", "cpu", "syslog-ng")),
    Goal("lost after kill -9", 0, False, counted("kill", "lost"), always=True),
    Goal("repeated after kill -9 ÷ in flight", 1.0, False, beyond_flight, always=True),
    Goal("lost after an outage", 0, False, counted("outage", "lost"), always=True),
    Goal("left undelivered beside a target that never answers", 0, False, left_beside_silence),
    Goal(
        "delivering at 50 ms, 32 connections, alone ÷ limit (`deliver_ratio`)",
        0.95,
        True,
        printed("deliver_ratio", "delay 0.05 connections 32 of_limit"),
    ),
    Goal(
        "delivering at no delay, 32 connections ÷ a bare urllib3 loop (`deliver_ratio`)",
        0.7,
        True,
        printed("deliver_ratio", "delay 0.0 connections 32"),
    ),
    Goal("rate used, one process (`rate`)", 0.99, True, printed("rate", "processes 1 used")),
    Goal("rate used, two processes (`rate`)", 0.99, True, printed("rate", "processes 2 used")),
    Goal("requests above the rate, one process", 0, False, printed("rate", "processes 1 above"), always=True),
    Goal("requests above the rate, two processes", 0, False, printed("rate", "processes 2 above"), always=True),
    Goal("delay of live receipts, verifying ÷ not (`verify_ratio`)", 1.05, False, printed("verify_ratio", "")),
    Goal("fallback file ÷ hand-written template (`file_ratio`)", 0.6, True, printed("file_ratio", "")),
    Goal("its peak memory, MB", 80, False, printed("file_ratio", "ours peak_mb")),
    Goal("transfer of 100 MB ÷ OpenSSH sftp (`transfer_ratio`)", 0.85, True, printed("transfer_ratio", "files 1")),
    Goal("its peak memory, MB", 80, False, printed("transfer_ratio", "files 1 peak_mb")),
    Goal("peak memory, 1,000,000 waiting ÷ 10,000 (`scale`)", 1.2, False, printed("scale", "1000000 run_mib")),
    Goal("time per claim, 1,000,000 waiting ÷ 10,000 (`scale`)", 1.5, False, printed("scale", "1000000 claim_us")),
    Goal("`status` with 1,000,000 waiting, s (`scale`)", 0.3, False, printed("scale", "1000000 status_s")),
)
