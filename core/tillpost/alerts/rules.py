"""The alert rules: each finds problems of a pipeline in its journal, with the cause, what it means and what to do.

To add a rule: a function from a `Context` to problems in the file of its room, its line in RULES here, its name in
RULES of `tillpost.compose.alert_settings`, its row in docs/operators/alerts.md and docs/config.md (`off`), and its
trouble in PLANTED of tests/core/alerts/test_rules.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from tillpost.alerts import delivery_rules, file_rules, machine_rules, till_rules
from tillpost.alerts.problem import Context, Problem, Rule
from tillpost.journal import Alert, Journal

RULES: Mapping[str, Rule] = {
    "paused": delivery_rules.paused,
    "oldest_undelivered": delivery_rules.oldest_undelivered,
    "held": delivery_rules.held,
    "fallback": delivery_rules.fallback,
    "file_server": file_rules.file_server,
    "not_consumed": file_rules.not_consumed,
    "conflict": delivery_rules.conflict,
    "disk_for_outage": machine_rules.disk_for_outage,
    "silence": till_rules.silence,
    "gap": till_rules.gap,
    "day_total": till_rules.day_total,
    "mapping": delivery_rules.mapping,
}
"""Name → rule, in the order in which they are evaluated."""


def evaluate(context: Context, rules: Iterable[str]) -> dict[str, Problem]:
    """The problems that these rules find, by key."""
    return {
        problem.key: attrs.evolve(problem, what=f"{context.pipeline}: {problem.what}")
        for rule in rules
        for problem in RULES[rule](context)
    }


def standing_alerts(journal: Journal) -> list[Alert]:
    """The alerts of the rules, and those of fallback files, which stand without `[alerts]` too; the oldest first."""
    alerts = journal.alerts.standing()
    known = {alert.key for alert in alerts}
    for file in journal.file_states.stuck():
        problem = file_rules.stuck_file(file)
        if problem.key not in known:
            alerts.append(Alert(0, problem.key, problem.what, problem.means, problem.next_step, file.alerted_at, None))
    return sorted(alerts, key=lambda alert: alert.raised_at)
