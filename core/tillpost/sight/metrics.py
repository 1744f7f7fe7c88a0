"""Metrics for Prometheus: where receipts stand, how old they are, how long calls take. No personal data.

Most are read from the journal at each scrape, so they are true of the line and not of one process, and the same without
one (`tillpost metrics`). What only a running process knows, how long its calls take, is counted since its start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from tillpost.errors import UsageError
from tillpost.flow.line import Line
from tillpost.flow.outage import STATES, reachable
from tillpost.journal import Journal, State
from tillpost.journal.states import SETTLED
from tillpost.sight.health import alive
from tillpost.version import __version__

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MOST_STORES = 500
"""Stores of a pipeline that are told apart, the first by name; what the others have is summed under OTHER."""
OTHER = "(other)"

_WAITS = (*(state for state in State if state not in SETTLED), State.HELD)
"""States in which a receipt waits for something, and so has an age."""


@attrs.frozen
class Source:
    """What is measured: a pipeline's journal, and the line at work on it where there is one."""

    name: str
    journal: Journal
    line: Line | None = None


def exposition(lines: Sequence[Line], now: float, accept: str = "") -> tuple[bytes, str]:
    """The metrics of running pipelines, and the content type; see `written`."""
    return written([Source(line.name, line.journal, line) for line in lines], now, accept)


def written(sources: Sequence[Source], now: float, accept: str = "") -> tuple[bytes, str]:
    """Metrics in the text format of Prometheus, or in OpenMetrics where the header `accept` asks for it.

    now: seconds since 1970. Raises UsageError when prometheus_client is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder
    except ImportError as error:
        raise UsageError("metrics need prometheus_client: pip install 'tillpost[status]'") from error
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(sources, now))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Collector:
    """One scrape; every family is there for every pipeline, so that what is 0 is said to be 0."""

    def __init__(self, sources: Sequence[Source], now: float) -> None:
        self._sources = sources
        self._now = now

    def describe(self) -> list[Metric]:
        """Nothing is asked when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        families = _Families()
        families.add("build", [__version__], 1)
        for source in self._sources:
            _stand(families, source, self._now)
            if source.line is not None:
                _process(families, source.line, self._now)
        yield from families.filled()


def _stand(families: _Families, source: Source, now: float) -> None:
    """What the journal says."""
    name, journal = source.name, source.journal
    counts, routes = journal.receipts.counts(), journal.receipts.routes()
    for state, count in counts.items():
        if state == State.DELIVERED:
            for route, of_route in routes.items():
                families.add("receipts", [name, state, route], of_route)
        else:
            families.add("receipts", [name, str(state), ""], count)
    left_out = sum(journal.receipts.skipped().values()) - counts[State.SKIPPED]
    families.add("left_out", [name], max(0, left_out))
    families.add("removed", [name], journal.retention.removed())
    oldest = journal.ages.oldest(*_WAITS)
    for state in _WAITS:
        families.add("age", [name, str(state)], max(0.0, now - oldest[state]) if state in oldest else 0.0)
    open_ = [at for state, at in oldest.items() if state != State.HELD]
    families.add("undelivered", [name], max(0.0, now - min(open_)) if open_ else 0.0)
    due = journal.receipts.next_due()
    families.add("overdue", [name], 0.0 if due is None else max(0.0, now - due))
    _stores(families, source)
    tenant = journal.tenant.get()
    for state in STATES:
        families.add("tenant", [name, state], tenant.state == state)
    families.add("reachable", [name], reachable(tenant))
    if tenant.since:
        families.add("since", [name], tenant.since)
    since = tenant.unreachable_since
    families.add("unreachable", [name], 0.0 if since is None else max(0.0, now - since))
    for state, count in journal.files.counts().items():
        families.add("files", [name, str(state)], count)
    families.add("file_alerts", [name], len(journal.files.alerted()))
    for kind, count in journal.contacts.counts().items():
        families.add("contacts", [name, str(kind)], count)
    free, size = journal.room()
    families.add("disk_free", [name], free)
    families.add("disk_size", [name], size)
    for file, size in journal.ages.sizes().items():
        families.add("journal", [name, file], size)


def _stores(families: _Families, source: Source) -> None:
    accepted: dict[str, int] = {}
    last: dict[str, float] = {}
    for till in source.journal.tills.all():  # by store
        store = till.store if till.store in accepted or len(accepted) < MOST_STORES else OTHER
        accepted[store] = accepted.get(store, 0) + till.receipts
        last[store] = max(last.get(store, 0.0), till.last_at)
    for store, count in accepted.items():
        families.add("accepted", [source.name, store], count)
        families.add("last_accepted", [source.name, store], last[store])


def _process(families: _Families, line: Line, now: float) -> None:
    """What this process knows of itself."""
    families.add("alive", [line.name], alive([line], now)[0])
    families.add("in_hand", [line.name], len(line.claims))
    families.add("senders", [line.name], line.workers)
    if line.pace is not None and line.pace.rate:
        families.add("rate_limit", [line.name], line.pace.rate)
        families.add("requests", [line.name], line.pace.requests)
        families.add("rate_waiting", [line.name], line.pace.waiting)
    for (hook, outcome), spread in line.hooks.timings.hooks().items():
        families.spread("hooks", [line.name, hook, outcome], spread.cumulated(), spread.total)
    for route, spread in line.hooks.timings.delays().items():
        families.spread("delays", [line.name, route], spread.cumulated(), spread.total)


_P = ("pipeline",)
FAMILIES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "build": ("gauge", "tillpost_build_info", "The version of Tillpost, as a label.", ("version",)),
    "receipts": (
        "gauge",
        "tillpost_receipts",
        "Receipts in the journal by state, and the delivered by route.",
        ("pipeline", "state", "route"),
    ),
    "left_out": ("gauge", "tillpost_left_out_records", "Records in the journal that are no receipts to be sent.", _P),
    "removed": ("counter", "tillpost_removed_receipts", "Settled receipts that have left the journal by keep.", _P),
    "age": (
        "gauge",
        "tillpost_oldest_receipt_age_seconds",
        "Time since the acceptance of the oldest receipt of a state; 0 where there is none.",
        ("pipeline", "state"),
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
        "How long the receipt that is due first could have been tried; also grows while the far side is away.",
        _P,
    ),
    "accepted": (
        "counter",
        "tillpost_store_accepted_receipts",
        "Receipts ever accepted, by store.",
        ("pipeline", "store"),
    ),
    "last_accepted": (
        "gauge",
        "tillpost_store_last_accepted_timestamp_seconds",
        "When the last receipt of a store was accepted, seconds since 1970.",
        ("pipeline", "store"),
    ),
    "tenant": (
        "gauge",
        "tillpost_tenant_state",
        "1 for the state the far side is in, 0 for the others.",
        ("pipeline", "state"),
    ),
    "reachable": ("gauge", "tillpost_tenant_reachable", "1 while requests may be made, else 0.", _P),
    "since": (
        "gauge",
        "tillpost_tenant_since_timestamp_seconds",
        "When the far side came into its state, seconds since 1970; absent before the first change.",
        _P,
    ),
    "unreachable": (
        "gauge",
        "tillpost_tenant_unreachable_seconds",
        "How long the far side has given no answer; 0 while it answers.",
        _P,
    ),
    "files": ("gauge", "tillpost_files", "Files of outages by state.", ("pipeline", "state")),
    "file_alerts": (
        "gauge",
        "tillpost_file_alerts",
        "Files that stay where they are for longer than alert_after, or are not taken.",
        _P,
    ),
    "contacts": (
        "gauge",
        "tillpost_contacts",
        "Contacts: known, pending, created, reconciled, in conflict, with dropped fields; one may count several times.",
        ("pipeline", "kind"),
    ),
    "disk_free": ("gauge", "tillpost_disk_free_bytes", "Free on the disk of the journal.", _P),
    "disk_size": ("gauge", "tillpost_disk_size_bytes", "Size of the disk of the journal.", _P),
    "journal": ("gauge", "tillpost_journal_bytes", "Size of the journal and of its WAL.", ("pipeline", "file")),
    "alive": (
        "gauge",
        "tillpost_pipeline_alive",
        "1 while every thread of the pipeline gets on with its work, else 0.",
        _P,
    ),
    "in_hand": ("gauge", "tillpost_receipts_in_hand", "Receipts some thread works on now.", _P),
    "senders": ("gauge", "tillpost_senders", "Receipts that may be on their way by API at the same time.", _P),
    "rate_limit": (
        "gauge",
        "tillpost_rate_limit_requests_per_second",
        "Requests a second the configuration allows; pipelines with one key share them.",
        _P,
    ),
    "requests": ("counter", "tillpost_requests", "Requests the rate budget has let go since the start.", _P),
    "rate_waiting": ("gauge", "tillpost_rate_waiting_requests", "Requests that wait for the rate budget now.", _P),
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
"""Key → kind, name (of a counter without `_total`), what it means, labels. In the order in which they are told."""


class _Families:
    """The families of one scrape, in the order of the table; those nothing was said of are left out."""

    def __init__(self) -> None:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
        self._made: dict[str, Any] = {
            key: kinds[kind](name, said, labels=labels) for key, (kind, name, said, labels) in FAMILIES.items()
        }

    def add(self, key: str, labels: list[str], value: float) -> None:
        """One sample."""
        self._made[key].add_metric(labels, float(value))

    def spread(self, key: str, labels: list[str], buckets: list[tuple[str, float]], total: float) -> None:
        """One histogram."""
        self._made[key].add_metric(labels, buckets=buckets, sum_value=total)

    def filled(self) -> Iterator[Metric]:
        """Those that have samples."""
        return (family for family in self._made.values() if family.samples)
