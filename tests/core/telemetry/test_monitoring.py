"""docs/operators/monitoring: the dashboard and the alert rules ask for what is there, and the alerts come and go."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.lines import line_on
from tests.support.program import needed
from tests.support.receipts import accept, found
from tillpost.flow.rate_limit.pace import Pace
from tillpost.journal import Destination, FileServer
from tillpost.telemetry.metric_families import FAMILIES
from tillpost.telemetry.metrics import exposition

DOCS = Path(__file__).parents[3] / "docs" / "operators"
RULES = DOCS / "monitoring" / "alerts.yml"
DASHBOARD = DOCS / "monitoring" / "grafana.json"
_NAME = re.compile(r"\btillpost_[a-z0-9_]+")
_LABELS = re.compile(r"(tillpost_[a-z0-9_]+)\{([^}]*)\}")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every sample of a running line → the names of its labels."""
    pace = Pace(lambda key, rate: pytest.fail("only its rate is asked"))
    pace.rate = 50.0
    now = time.time()
    with line_on(tmp_path_factory.mktemp("state"), pace=pace) as line:
        accept(line.journal, found(), now=now)
        line.journal.destination.put(Destination(state="degraded", since=now), now)
        line.hooks.timings.hooks.record(("deliver", "Delivered"), 0.2)
        line.hooks.timings.delays.record("api", 3.0)
        line.hooks.timings.commits.record("", 0.01)
        line.journal.file_server.put(FileServer(since=now, checked_at=now))
        line.journal.alerts.change([("paused", "…", "…", "…")], [], [], (), now)
        line.journal.alerts.mark_watched(now)
        body, _ = exposition([line], now)
    samples = re.findall(r"^(tillpost_\w+)(?:\{(.*)\})? \S+$", body.decode(), re.M)
    return {name: set(re.findall(r'(\w+)="', labels)) for name, labels in samples}


def expressions() -> list[str]:
    """What the panels and the variables of the dashboard ask, as a person who looks at all pipelines."""
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [expression.replace("$pipeline", ".*") for expression in asked]


@pytest.mark.parametrize("file", [RULES, DASHBOARD], ids=lambda file: str(file.name))
def test_every_metric_and_label_that_is_asked_for_is_told(file: Path, told: dict[str, set[str]]) -> None:
    text = file.read_text().replace('\\"', '"')
    names = set(_NAME.findall(text))
    assert len(names) > 10
    assert names <= told.keys()
    for name, matchers in _LABELS.findall(text):
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert asked <= told[name], f"{name}{{{matchers}}}"


def test_the_page_lists_every_family_with_its_kind_and_its_labels() -> None:
    text = (DOCS / "monitoring.md").read_text()
    rows = re.findall(r"^\| `(tillpost_\w+)` \| (\w+) \| ([^|]*) \|", text, re.M)
    wanted = [
        (f"{name}_total" if kind == "counter" else name, kind, ", ".join(f"`{label}`" for label in labels))
        for kind, name, _, labels in FAMILIES.values()
    ]
    assert [(name, kind, labels.strip()) for name, kind, labels in rows] == wanted


def test_the_page_names_every_alert() -> None:
    alerts = re.findall(r"^ *- alert: (\w+)$", RULES.read_text(), re.M)
    assert len(alerts) == len(set(alerts)) > 10
    assert re.findall(r"^\| `(Tillpost\w+)` \|", (DOCS / "monitoring.md").read_text(), re.M) == alerts


def test_the_dashboard_has_a_place_and_a_title_for_each_panel() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) == len({panel["title"] for panel in panels})
    places = [panel["gridPos"] for panel in panels]
    taken = [
        (column, row)
        for at in places
        for column in range(at["x"], at["x"] + at["w"])
        for row in range(at["y"], at["y"] + at["h"])
    ]
    assert len(taken) == len(set(taken)), "no two panels overlap"
    assert max(column for column, _ in taken) < 24


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [needed("promtool", "prometheus"), *words], capture_output=True, text=True, check=False, timeout=120
    )


def test_promtool_takes_the_rules() -> None:
    done = promtool("check", "rules", str(RULES))
    assert done.returncode == 0, done.stderr
    assert "SUCCESS" in done.stdout


def test_promtool_takes_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": asked} for number, asked in enumerate(expressions())]
    assert len(rules) > 15
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))  # JSON is YAML
    done = promtool("check", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


SHOP = 'pipeline="shop"'
TROUBLES: dict[str, list[tuple[str, str]]] = {
    "TillpostDown": [('up{job="tillpost"}', "0x600 1x600")],
    "TillpostPipelineNotAlive": [(f"tillpost_pipeline_alive{{{SHOP}}}", "0x600 1x600")],
    "TillpostReceiptsLate": [(f"tillpost_oldest_undelivered_age_seconds{{{SHOP}}}", "20000x600 0x600")],
    "TillpostDestinationAway": [(f"tillpost_destination_unreachable_seconds{{{SHOP}}}", "1000x600 0x600")],
    "TillpostPaused": [(f'tillpost_destination_state{{{SHOP}, state="paused"}}', "1x600 0x600")],
    "TillpostReceiptsHeld": [(f'tillpost_receipts{{{SHOP}, state="held", route=""}}', "2x600 0x600")],
    "TillpostFilesNotTaken": [(f"tillpost_file_alerts{{{SHOP}}}", "1x600 0x600")],
    "TillpostFileServerDown": [(f"tillpost_file_server_up{{{SHOP}}}", "0x600 1x600")],
    "TillpostAlertStands": [(f'tillpost_alerts{{{SHOP}, rule="gap"}}', "2x600 0x600")],
    "TillpostNotWatched": [(f"tillpost_alerts_evaluated_timestamp_seconds{{{SHOP}}}", "0x600 36000+60x600")],
    "TillpostContactConflicts": [(f'tillpost_contacts{{{SHOP}, kind="conflicts"}}', "1x600 0x600")],
    "TillpostDiskFilling": [
        (f"tillpost_disk_free_bytes{{{SHOP}}}", "40000000000x600 900000000000x600"),
        (f"tillpost_disk_size_bytes{{{SHOP}}}", "1000000000000x1200"),
    ],
    "TillpostStoreSilent": [
        (f'tillpost_store_last_accepted_timestamp_seconds{{{SHOP}, store="12"}}', "-100000x600 36000x600")
    ],
    "TillpostRateUsedUp": [
        ('tillpost_requests_total{job="tillpost"}', "0+3000x600 1800000+10x600"),
        ('tillpost_rate_limit_requests_per_second{job="tillpost"}', "50x1200"),
    ],
    "TillpostRefused": [
        (
            f'tillpost_hook_duration_seconds_count{{{SHOP}, hook="deliver", outcome="Refused"}}',
            "0+5x600 3000x600",
        )
    ],
    "TillpostDeliverySlow": [
        (f'tillpost_delivery_delay_seconds_bucket{{{SHOP}, le="60.0"}}', "0x600 0+10x600"),
        (f'tillpost_delivery_delay_seconds_bucket{{{SHOP}, le="900.0"}}', "0+10x600 6000+10x600"),
        (f'tillpost_delivery_delay_seconds_bucket{{{SHOP}, le="+Inf"}}', "0+10x600 6000+10x600"),
    ],
}
"""Alert → series a minute: ten hours of the trouble, then ten hours without it."""


def test_every_alert_has_its_trouble() -> None:
    assert list(TROUBLES) == re.findall(r"^ *- alert: (\w+)$", RULES.read_text(), re.M)


@pytest.mark.parametrize("alert", TROUBLES)
def test_an_alert_comes_with_its_trouble_and_goes_with_it(alert: str, tmp_path: Path) -> None:
    """A real evaluation by promtool of the shipped rules: firing in the middle of the trouble, gone after it."""
    series = [{"series": name, "values": values} for name, values in TROUBLES[alert]]
    asked: list[dict[str, Any]] = [
        {"expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})', "eval_time": "5h",
         "exp_samples": [{"labels": "{}", "value": 1}]},
        {"expr": f'ALERTS{{alertname="{alert}"}}', "eval_time": "15h", "exp_samples": []},
    ]  # fmt: skip
    test = {"interval": "1m", "input_series": series, "promql_expr_test": asked}
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
