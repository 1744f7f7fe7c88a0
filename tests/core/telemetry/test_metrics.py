"""The metrics say what the journal and the line say, in a form Prometheus' own tool takes, without personal data."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from tests.support.command import CONFIG
from tests.support.lines import line_on
from tests.support.program import needed
from tests.support.query_cost import plans
from tests.support.receipts import DOCUMENT, accept, found
from tests.support.waiting import until
from tillpost.cli import cli
from tillpost.errors import UsageError
from tillpost.flow.intake.accept import accept as flow_accept
from tillpost.flow.rate_limit.pace import Pace
from tillpost.flow.worker import Worker
from tillpost.journal import (
    Accepted,
    Destination,
    FileServer,
    HistoryState,
    Journal,
    Looked,
    Move,
    SourceState,
    SourceStatus,
    State,
)
from tillpost.model import Broken, Delivered, NotSent, Outcome
from tillpost.telemetry.metric_families import FAMILIES
from tillpost.telemetry.metrics import MOST_STORES, OTHER, Source, exposition, render

NOW = 1_800_000_000.0


def samples(body: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def of(body: bytes, name: str, **labels: str) -> float:
    return samples(body)[name, frozenset({"pipeline": "shop", **labels}.items())]


def at_store(number: str, store: str) -> Any:
    return attrs.evolve(found(number=number), receipt=attrs.evolve(found(number=number).receipt, store=store))


def test_counts_and_ages_are_the_journals(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        accept(journal, *[found(number=str(n)) for n in range(5)], now=NOW - 7200)
        accept(journal, Broken(place="7", reason="no total", raw=b"?"), now=NOW - 60)
        move = Move(state=State.DELIVERED, route="api")
        journal.receipts.settle([(seq, move) for seq in (1, 2)], NOW - 7000, "deliver")
        journal.receipts.settle([(3, Move(state=State.WAITING, due=NOW + 5, attempts=1))], NOW - 7000, "deliver")
        journal.destination.put(
            Destination(state="fallback", reason="503", since=NOW - 30, unreachable_since=NOW - 900), NOW
        )
        body, content_type = render([Source("shop", journal)], NOW)
    assert content_type.startswith("text/plain")
    assert of(body, "tillpost_receipts", state="delivered", route="api") == 2
    assert of(body, "tillpost_receipts", state="delivered", route="file") == 0
    assert of(body, "tillpost_receipts", state="accepted", route="") == 2
    assert of(body, "tillpost_receipts", state="held", route="") == 1
    assert of(body, "tillpost_oldest_receipt_age_seconds", state="waiting") == 7200
    assert of(body, "tillpost_oldest_receipt_age_seconds", state="held") == 60
    assert of(body, "tillpost_oldest_receipt_age_seconds", state="written") == 0
    assert of(body, "tillpost_oldest_undelivered_age_seconds") == 7200
    assert of(body, "tillpost_overdue_seconds") == 7200
    assert of(body, "tillpost_destination_state", state="fallback") == 1
    assert of(body, "tillpost_destination_state", state="online") == 0
    assert of(body, "tillpost_destination_reachable") == 0
    assert of(body, "tillpost_destination_unreachable_seconds") == 900
    assert of(body, "tillpost_store_accepted_receipts_total", store="12") == 5
    assert of(body, "tillpost_store_last_accepted_timestamp_seconds", store="12") == NOW - 7200
    assert 0 < of(body, "tillpost_disk_free_bytes") <= of(body, "tillpost_disk_size_bytes")
    assert of(body, "tillpost_journal_bytes", file="journal") > 0


def test_what_nobody_waits_for_has_no_age(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        body, _ = render([Source("shop", journal)], NOW)
    assert of(body, "tillpost_oldest_undelivered_age_seconds") == 0
    assert of(body, "tillpost_overdue_seconds") == 0
    assert of(body, "tillpost_receipts", state="accepted", route="") == 0


def test_stores_beyond_a_bound_are_counted_together(tmp_path: Path) -> None:
    count = MOST_STORES + 30
    with closing(Journal(tmp_path)) as journal:
        accept(journal, *[at_store(str(n), f"s{n:04}") for n in range(count)], now=NOW - 5)
        body, _ = render([Source("shop", journal)], NOW)
    accepted = {key: v for key, v in samples(body).items() if key[0] == "tillpost_store_accepted_receipts_total"}
    assert len(accepted) == MOST_STORES + 1
    assert sum(accepted.values()) == count
    assert of(body, "tillpost_store_accepted_receipts_total", store=OTHER) == 30


def test_the_oldest_of_each_state_is_looked_up_and_not_sought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Journal(tmp_path)) as journal:
        steps = plans(journal, lambda each: each.backlogs.oldest(*State), monkeypatch)
    assert not [step for step in steps if step.startswith("SCAN") and "receipts" in step], steps
    assert [step for step in steps if "receipts_state" in step]
    assert not [step for step in steps if "TEMP B-TREE" in step]


def test_the_oldest_of_a_state_is_the_oldest_of_all_its_routes(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        for number, at in enumerate((10.0, 20.0, 30.0)):
            accept(journal, found(number=str(number)), now=at)
        journal.receipts.settle([(3, Move(state=State.DELIVERED, route="api"))], 40.0, "deliver")
        journal.receipts.settle([(2, Move(state=State.WRITTEN, file="f.xml"))], 40.0, "write")
        journal.receipts.settle([(2, Move(state=State.TRANSFERRED))], 40.0, "transfer")
        journal.receipts.settle([(2, Move(state=State.DELIVERED, route="file"))], 40.0, "reconcile")
        assert journal.backlogs.oldest(*State) == {"accepted": 10.0, "delivered": 20.0}
        assert journal.backlogs.oldest(State.HELD) == {}


def test_a_running_line_tells_its_calls_and_delays(tmp_path: Path) -> None:
    answers: Iterator[Outcome] = iter([NotSent(reason="503"), *[Delivered(status=202)] * 100])
    budget = Pace(lambda key, rate: pytest.fail("nothing asks for a budget"))
    with line_on(tmp_path, lambda payload: next(answers), pace=budget, collect_documents=lambda accept: 0) as line:
        line.journal.receipts.accept([found(number=str(n)) for n in range(4)], DOCUMENT, None, time.time(), Accepted())
        worker = Worker(line)
        worker.start()
        until(lambda: line.journal.receipts.counts()[State.DELIVERED] == 4)
        until(lambda: sum(line.hooks.timings.delays.copy()["api"].counts) == 4)
        body, _ = exposition([line], time.time())
        worker.stop()
        assert worker.join(30)
    calls = {"hook": "deliver"}
    assert of(body, "tillpost_hook_duration_seconds_count", **calls, outcome="Delivered") == 4
    assert of(body, "tillpost_hook_duration_seconds_count", **calls, outcome="NotSent") == 1
    assert of(body, "tillpost_hook_duration_seconds_count", hook="map_receipt", outcome="answered") >= 4
    assert of(body, "tillpost_delivery_delay_seconds_bucket", route="api", le="+Inf") == 4
    assert of(body, "tillpost_pipeline_alive") == 1
    assert of(body, "tillpost_senders") == 2
    assert not [name for name, _ in samples(body) if name.startswith("tillpost_rate")], "no plugin asked for a budget"


def test_a_plugin_that_raises_is_counted_as_raised(tmp_path: Path) -> None:
    def fails(**_: object) -> object:
        raise RuntimeError("customer@example.com")

    with line_on(tmp_path, map_receipt=fails, collect_documents=lambda accept: 0) as line:
        line.journal.receipts.accept([found()], DOCUMENT, None, time.time(), Accepted())
        worker = Worker(line)
        worker.start()
        until(lambda: line.journal.receipts.counts()[State.HELD] == 1)
        body, _ = exposition([line], time.time())
        worker.stop()
        assert worker.join(30)
    assert of(body, "tillpost_hook_duration_seconds_count", hook="map_receipt", outcome="raised") == 1
    assert b"example.com" not in body


def test_no_personal_data_and_no_text_of_a_person(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        accept(journal, found(number="1", customer="maria-4711"), found(number="2"), now=NOW)
        journal.receipts.settle([(1, Move(state=State.HELD, reason="maria@example.com"))], NOW, "deliver")
        journal.receipts.settle([(1, Move(state=State.SKIPPED, reason="Maria phoned"))], NOW, "held")
        body, _ = render([Source("shop", journal)], NOW)
    assert not re.search(rb"maria|example\.com|phoned|4711", body, re.IGNORECASE)


def test_alerts_and_the_file_server_are_the_journals(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        raised = [(key, "…", "…", "…") for key in ("gap 12/1", "gap 12/2", "paused")]
        journal.alerts.change(raised, [], [], (), NOW)
        journal.alerts.mark_watched(NOW - 30)
        journal.file_server.put(FileServer(failures=2, reason="refused", since=NOW, checked_at=NOW))
        body, _ = render([Source("shop", journal)], NOW)
    assert (of(body, "tillpost_alerts", rule="gap"), of(body, "tillpost_alerts", rule="paused")) == (2, 1)
    assert of(body, "tillpost_alerts_evaluated_timestamp_seconds") == NOW - 30
    assert of(body, "tillpost_file_server_up") == 0


def test_openmetrics_for_who_asks_for_it(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        body, content_type = render([Source("shop", journal)], NOW, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_every_family_has_its_unit_its_help_and_its_prefix() -> None:
    for kind, name, said, labels in FAMILIES.values():
        assert re.fullmatch(r"tillpost(_[a-z]+)+", name), name
        assert said.endswith("."), name
        assert kind in ("counter", "gauge", "histogram")
        assert "pipeline" in labels or name == "tillpost_build_info"
        assert not name.endswith("_total"), "the format adds it"


def test_promtool_finds_nothing_to_say(tmp_path: Path) -> None:
    promtool = needed("promtool", "prometheus")
    pace = Pace(lambda key, rate: pytest.fail("only its rate is asked"))
    pace.rate = 50.0
    with line_on(tmp_path, pace=pace, collect_documents=lambda accept: 0) as line:
        accept(line.journal, found(), now=NOW)
        line.journal.destination.put(Destination(state="degraded", since=NOW), NOW)
        line.hooks.timings.hooks.record(("deliver", "Delivered"), 0.2)
        line.hooks.timings.delays.record("api", 3.0)
        line.hooks.timings.commits.record("", 0.01)
        line.journal.file_server.put(FileServer(since=NOW, checked_at=NOW))
        line.journal.alerts.change([("held wrong total", "…", "…", "…")], [], [], (), NOW)
        line.journal.alerts.mark_watched(NOW)
        line.journal.sources.put(SourceStatus("folder", SourceState.WORKING, "", NOW, None, 0), NOW)
        line.journal.receipts.settle([(1, Move(state=State.DELIVERED, route="api", verify_after=1.0))], NOW, "deliver")
        line.journal.verification.settle(Looked(shown=[1], looks=1, requests=1), NOW)
        line.journal.verification.set_history(HistoryState.THERE, "", NOW)
        body, _ = exposition([line], NOW)
    told = {family.name for family in text_string_to_metric_families(body.decode())}
    assert told == {name for _, name, _, _ in FAMILIES.values()}, "every family is judged"
    done = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_promtool_would_find_a_bad_name() -> None:
    bad = b"# HELP tillpost_delay_milliseconds Wrong unit.\n# TYPE tillpost_delay_milliseconds gauge\n"
    done = subprocess.run(
        [needed("promtool", "prometheus"), "check", "metrics"],
        input=bad + b"tillpost_delay_milliseconds 1\n",
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0


def test_the_command_prints_them_without_a_run(tmp_path: Path) -> None:
    config = tmp_path / "tillpost.toml"
    config.write_text(CONFIG)
    with closing(Journal(tmp_path / "state" / "shop")) as journal:
        accept(journal, found(), now=NOW)
    done = CliRunner().invoke(cli, ["--config", str(config), "metrics"])
    assert done.exit_code == 0, done.output
    assert of(done.stdout_bytes, "tillpost_receipts", state="accepted", route="") == 1
    assert "tillpost_hook_duration" not in done.output
    to = tmp_path / "collected" / "tillpost.prom"
    refused = CliRunner().invoke(cli, ["--config", str(config), "metrics", "--to", str(to)])
    assert isinstance(refused.exception, UsageError)
    to.parent.mkdir()
    to.write_text("an older one")
    done = CliRunner().invoke(cli, ["--config", str(config), "metrics", "--to", str(to)])
    assert (done.exit_code, done.output) == (0, "")
    assert of(to.read_bytes(), "tillpost_receipts", state="accepted", route="") == 1
    assert [each.name for each in to.parent.iterdir()] == ["tillpost.prom"], "nothing is left beside it"


def test_commits_of_what_is_accepted_are_timed(tmp_path: Path) -> None:
    with line_on(tmp_path, parse_receipts=lambda document: [found(number=str(n)) for n in range(3)]) as line:
        flow_accept(line, DOCUMENT)
        body, _ = exposition([line], time.time())
    assert of(body, "tillpost_accept_commit_duration_seconds_count") == 1
    assert 0 < of(body, "tillpost_accept_commit_duration_seconds_sum") < 60
    assert of(body, "tillpost_receipts", state="accepted", route="") == 3


def test_nothing_loads_prometheus_client_but_metrics() -> None:
    script = (
        "import sys, tillpost.telemetry.metrics, tillpost.telemetry.health, tillpost.cli.run, tillpost.cli.metrics\n"
        "assert 'prometheus_client' not in sys.modules\n"
        "sys.modules['prometheus_client'] = None\n"
        "from tillpost.errors import UsageError\n"
        "try: tillpost.telemetry.metrics.render([], 1.0)\n"
        "except UsageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert "tillpost[status]" in done.stdout
