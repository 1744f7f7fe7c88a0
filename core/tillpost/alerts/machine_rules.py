"""Rules about the machine Tillpost runs on."""

from __future__ import annotations

from collections.abc import Iterable

from tillpost.alerts.problem import Context, Problem
from tillpost.reports.plan import weigh


def disk_for_outage(context: Context) -> Iterable[Problem]:
    rate = context.journal.alert_inputs.acceptance_rate(context.now) * weigh(context.journal).on_disk()
    free, _ = context.journal.room()
    if rate and free / rate < context.limits.disk_for_outage.total_seconds():
        yield Problem(
            "disk_for_outage",
            f"the disk of {context.journal.folder} has {free // 10**6} MB free, enough for"
            f" {free / rate / 3600:.1f} h of receipts",
            "A longer outage would fill the disk, and then nothing more is accepted.",
            "Free disk space, move `state` to a larger disk, or set `keep` in the pipeline.",
        )
