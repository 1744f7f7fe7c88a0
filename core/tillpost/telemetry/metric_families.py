"""The metric families: name, kind, meaning and labels of each (docs/operators/monitoring.md lists them)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_P = ("pipeline",)
_STATE = ("pipeline", "state")
_RULE = ("pipeline", "rule")
_STORE = ("pipeline", "store")
FAMILIES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "build": ("gauge", "tillpost_build_info", "The version of Tillpost, as a label.", ("version",)),
    "receipts": (
        "gauge",
        "tillpost_receipts",
        "Receipts in the journal by state, and the delivered by route.",
        ("pipeline", "state", "route"),
    ),
    "verified": (
        "gauge",
        "tillpost_verified_receipts",
        "Delivered receipts that the contact's history shows, by route.",
        ("pipeline", "route"),
    ),
    "unverified": (
        "gauge",
        "tillpost_unverified_receipts",
        "Delivered receipts that no history has shown: waiting to be looked for, or not looked for.",
        _STATE,
    ),
    "verify_age": (
        "gauge",
        "tillpost_oldest_unverified_age_seconds",
        "Time since the delivery of the oldest receipt that waits to be verified; 0 where none does.",
        _P,
    ),
    "verify_lag": (
        "gauge",
        "tillpost_verification_lag_seconds",
        "Mean time from delivered to verified, of about the latest hundred; absent before the first.",
        _P,
    ),
    "verify_requests": (
        "counter",
        "tillpost_verification_requests",
        "Requests made to read histories for verification.",
        _P,
    ),
    "histories": (
        "gauge",
        "tillpost_histories_shown",
        "1 where the tenant shows the histories of its contacts, 0 where it does not; absent before one was asked for.",
        _P,
    ),
    "skipped": (
        "gauge",
        "tillpost_skipped_records",
        "Sales in the journal that are not sent: no customer, voided.",
        _P,
    ),
    "ignored": ("gauge", "tillpost_ignored_records", "Records in the journal that are not a sale.", _P),
    "documents": (
        "gauge",
        "tillpost_documents",
        "Documents that were not read to their end, by state: reading, retry, set aside.",
        _STATE,
    ),
    "source": (
        "gauge",
        "tillpost_source_up",
        "1 while the source can look for documents or serve, else 0; absent before its first round.",
        ("pipeline", "source"),
    ),
    "removed": ("counter", "tillpost_removed_receipts", "Settled receipts that have left the journal by keep.", _P),
    "age": (
        "gauge",
        "tillpost_oldest_receipt_age_seconds",
        "Time since the acceptance of the oldest receipt of a state; 0 where there is none.",
        _STATE,
    ),
    "undelivered": (
        "gauge",
        "tillpost_oldest_undelivered_age_seconds",
        "Time since the acceptance of the oldest receipt that is neither delivered, held nor skipped.",
        _P,
    ),
    "overdue": (
        "gauge",
        "tillpost_overdue_seconds",
        "How long ago the next receipt became due; grows while the destination is away.",
        _P,
    ),
    "accepted": ("counter", "tillpost_store_accepted_receipts", "Receipts ever accepted, by store.", _STORE),
    "last_accepted": (
        "gauge",
        "tillpost_store_last_accepted_timestamp_seconds",
        "When the last receipt of a store was accepted, seconds since 1970.",
        _STORE,
    ),
    "destination": (
        "gauge",
        "tillpost_destination_state",
        "1 for the state the destination is in, 0 for the others.",
        _STATE,
    ),
    "reachable": ("gauge", "tillpost_destination_reachable", "1 while requests may be made, else 0.", _P),
    "since": (
        "gauge",
        "tillpost_destination_since_timestamp_seconds",
        "When the destination came into its state, seconds since 1970; absent before the first change.",
        _P,
    ),
    "unreachable": (
        "gauge",
        "tillpost_destination_unreachable_seconds",
        "How long the destination has given no answer; 0 while it answers.",
        _P,
    ),
    "files": ("gauge", "tillpost_files", "Fallback files by state.", _STATE),
    "file_alerts": (
        "gauge",
        "tillpost_file_alerts",
        "Fallback files that an alert stands for: not taken for longer than alert_after, or refused.",
        _P,
    ),
    "file_server": (
        "gauge",
        "tillpost_file_server_up",
        "1 while the file server can be used, else 0; absent without a file server, and before it was asked.",
        _P,
    ),
    "alerts": ("gauge", "tillpost_alerts", "Alerts that stand, by rule; absent while none of a rule stands.", _RULE),
    "watched": (
        "gauge",
        "tillpost_alerts_evaluated_timestamp_seconds",
        "When the alert rules were evaluated last, seconds since 1970; absent before the first time.",
        _P,
    ),
    "contacts": (
        "gauge",
        "tillpost_contacts",
        "Contacts: known, pending, created, reconciled, in conflict, with unsaved fields; one may count several times.",
        ("pipeline", "kind"),
    ),
    "disk_free": ("gauge", "tillpost_disk_free_bytes", "Free on the disk of the journal.", _P),
    "disk_size": ("gauge", "tillpost_disk_size_bytes", "Size of the disk of the journal.", _P),
    "journal": ("gauge", "tillpost_journal_bytes", "Size of the journal and of its WAL.", ("pipeline", "file")),
    "restarts": (
        "counter",
        "tillpost_thread_restarts",
        "Threads of the pipeline that died and were started again.",
        _P,
    ),
    "alive": ("gauge", "tillpost_pipeline_alive", "1 while every thread of the pipeline makes progress, else 0.", _P),
    "crash_marks": ("gauge", "tillpost_receipts_in_progress", "Receipts that a thread is working on now.", _P),
    "senders": ("gauge", "tillpost_senders", "Receipts that may be on their way by API at the same time.", _P),
    "rate_limit": (
        "gauge",
        "tillpost_rate_limit_requests_per_second",
        "Requests a second the configuration allows; pipelines with one key share them.",
        _P,
    ),
    "requests": ("counter", "tillpost_requests", "Requests the rate budget has allowed since the start.", _P),
    "rate_waiting": ("gauge", "tillpost_rate_waiting_requests", "Requests that wait for the rate budget now.", _P),
    "commits": (
        "histogram",
        "tillpost_accept_commit_duration_seconds",
        "Commits by which records of documents are accepted, since the start.",
        _P,
    ),
    "hooks": (
        "histogram",
        "tillpost_hook_duration_seconds",
        "Calls of plugins by hook and outcome, the wait for the rate budget included, since the start.",
        ("pipeline", "hook", "outcome"),
    ),
    "delays": (
        "histogram",
        "tillpost_delivery_delay_seconds",
        "From the acceptance of a receipt to its delivery by API, since the start.",
        ("pipeline", "route"),
    ),
}
"""Key → kind, name (of a counter without `_total`), meaning, labels; in the order of the output."""


class Families:
    """The families of one scrape, in the order of the table; those without a sample are omitted."""

    def __init__(self) -> None:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
        self._families: dict[str, Any] = {
            key: kinds[kind](name, meaning, labels=labels) for key, (kind, name, meaning, labels) in FAMILIES.items()
        }

    def add(self, key: str, labels: list[str], value: float) -> None:
        """One sample."""
        self._families[key].add_metric(labels, float(value))

    def add_histogram(self, key: str, labels: list[str], buckets: list[tuple[str, float]], total: float) -> None:
        """One histogram."""
        self._families[key].add_metric(labels, buckets=buckets, sum_value=total)

    def with_samples(self) -> Iterator[Metric]:
        """The families that have samples."""
        return (family for family in self._families.values() if family.samples)
