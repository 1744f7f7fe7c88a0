"""The alert rules: each finds problems of a pipeline in its journal, with the cause, what it means and what to do.

To add a rule: a function from a `Context` to problems in the file of its room, its line in RULES here, its name in
RULES of `tillpost.compose.alert_settings`, its row in docs/operators/alerts.md and docs/config.md (`off`), and its
trouble in PLANTED of tests/core/alerts/test_rules.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from tillpost.alerts import delivery_rules, file_rules, machine_rules, plugin_rules, source_rules, till_rules
from tillpost.alerts.problem import Context, Problem, Rule
from tillpost.errors import DiskFailed, JournalDamaged, describe

RULES: Mapping[str, Rule] = {
    "paused": delivery_rules.paused,
    "stopped": machine_rules.stopped,
    "thread": machine_rules.thread,
    "oldest_undelivered": delivery_rules.oldest_undelivered,
    "overdue": delivery_rules.overdue,
    "unverified": delivery_rules.unverified,
    "held": delivery_rules.held,
    "documents": source_rules.documents,
    "source": source_rules.source,
    "set_aside": plugin_rules.set_aside,
    "observer": plugin_rules.observer,
    "fallback": delivery_rules.fallback,
    "file_server": file_rules.file_server,
    "not_consumed": file_rules.not_consumed,
    "conflict": delivery_rules.conflict,
    "journal": machine_rules.journal,
    "disk": machine_rules.disk,
    "disk_for_outage": machine_rules.disk_for_outage,
    "clock": machine_rules.clock,
    "channel": machine_rules.channel,
    "quiet": till_rules.quiet,
    "silence": till_rules.silence,
    "gap": till_rules.gap,
    "day_total": till_rules.day_total,
    "mapping": delivery_rules.mapping,
    "stranded": machine_rules.stranded,
    "tenant": delivery_rules.tenant,
}
"""Name → rule, in the order in which they are evaluated."""
SELDOM = frozenset(("quiet", "gap", "day_total"))
"""Rules that read the receipts of days: they are evaluated every five minutes."""
IN_PROCESS = frozenset(("stopped", "thread"))
"""Rules that only the process can answer that runs the pipeline."""


def evaluate(context: Context, rules: Iterable[str]) -> tuple[dict[str, Problem], frozenset[str]]:
    """The problems that these rules find, by key, and the rules that failed: each of them is a problem too."""
    found: dict[str, Problem] = {}
    failed: set[str] = set()
    for rule in rules:
        try:
            problems = list(RULES[rule](context))
        except (JournalDamaged, DiskFailed):
            raise
        except Exception as error:  # noqa: BLE001 - one rule that fails must not silence the others
            failed.add(rule)
            problems = [_failed(rule, error)]
        for problem in problems:
            found[problem.key] = attrs.evolve(problem, what=f"{context.pipeline}: {problem.what}")
    return found, frozenset(failed)


def _failed(rule: str, error: Exception) -> Problem:
    return Problem(
        f"rule {rule}",
        f"the alert rule {rule} cannot be evaluated: {describe(error)}",
        "What it would find is told to nobody.",
        "Report it with `tillpost bundle`. Until then the rule can be named in `off` of [alerts].",
    )
