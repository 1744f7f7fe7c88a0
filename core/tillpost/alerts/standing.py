"""The alerts that stand now, for `tillpost status` and the status page."""

from __future__ import annotations

from tillpost.alerts.rules import stuck_file
from tillpost.journal import Alert, Journal


def standing_alerts(journal: Journal) -> list[Alert]:
    """The alerts of the rules, and those of fallback files, which stand without `[alerts]` too; the oldest first."""
    alerts = journal.alerts.standing()
    known = {alert.key for alert in alerts}
    for file in journal.file_states.stuck():
        problem = stuck_file(file)
        if problem.key not in known:
            alerts.append(Alert(0, problem.key, problem.what, problem.means, problem.next_step, file.alerted_at, None))
    return sorted(alerts, key=lambda alert: alert.raised_at)
