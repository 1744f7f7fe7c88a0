"""Metrics for Prometheus: receipts by state, their age, how long calls take. No personal data.

Most are read from the journal at each scrape, so `tillpost metrics` prints the same without a running process. Only a
process knows how long its calls take; it counts them since its start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from tillpost.errors import UsageError
from tillpost.flow.breaker import STATES, is_reachable
from tillpost.flow.line import Line
from tillpost.journal import OPEN_DOCUMENTS, HistoryState, Journal, SourceState, State
from tillpost.journal.states import SETTLED
from tillpost.telemetry.health import alive
from tillpost.telemetry.metric_families import Families
from tillpost.version import __version__

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MOST_STORES = 500
"""Stores of a pipeline with series of their own, the first by name; the others are summed under OTHER."""
OTHER = "(other)"

_WAITS = (*(state for state in State if state not in SETTLED), State.HELD)
"""States whose oldest receipt has an age."""


@attrs.frozen
class Source:
    """A pipeline's journal, and its line where this process runs it."""

    name: str
    journal: Journal
    line: Line | None = None


def exposition(lines: Sequence[Line], now: float, accept: str = "") -> tuple[bytes, str]:
    """The metrics of running pipelines, and the content type; see `render`."""
    return render([Source(line.name, line.journal, line) for line in lines], now, accept)


def render(sources: Sequence[Source], now: float, accept: str = "") -> tuple[bytes, str]:
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
    """One scrape; every family has a sample for every pipeline, so that a 0 is shown as 0."""

    def __init__(self, sources: Sequence[Source], now: float) -> None:
        self._sources = sources
        self._now = now

    def describe(self) -> list[Metric]:
        """Registering the collector reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        families = Families()
        families.add("build", [__version__], 1)
        for source in self._sources:
            _add_journal(families, source, self._now)
            if source.line is not None:
                _add_process(families, source.line, self._now)
        yield from families.with_samples()


def _add_journal(families: Families, source: Source, now: float) -> None:
    """What the journal has."""
    name, journal = source.name, source.journal
    counts, routes = journal.receipts.counts(), journal.receipts.routes()
    for state, count in counts.items():
        if state == State.DELIVERED:
            for route, of_route in routes.items():
                families.add("receipts", [name, state, route], of_route)
        else:
            families.add("receipts", [name, str(state), ""], count)
    _add_verification(families, source, now)
    families.add("skipped", [name], sum(journal.receipts.skipped().values()))
    families.add("ignored", [name], sum(journal.receipts.ignored().values()))
    families.add("removed", [name], journal.retention.count_removed())
    oldest = journal.backlogs.oldest(*_WAITS)
    for state in _WAITS:
        families.add("age", [name, str(state)], max(0.0, now - oldest[state]) if state in oldest else 0.0)
    open_ = [at for state, at in oldest.items() if state != State.HELD]
    families.add("undelivered", [name], max(0.0, now - min(open_)) if open_ else 0.0)
    due = journal.receipts.next_due()
    families.add("overdue", [name], 0.0 if due is None else max(0.0, now - due))
    _add_stores(families, source)
    destination = journal.destination.get()
    for state in STATES:
        families.add("destination", [name, state], destination.state == state)
    families.add("reachable", [name], is_reachable(destination))
    if destination.since:
        families.add("since", [name], destination.since)
    since = destination.unreachable_since
    families.add("unreachable", [name], 0.0 if since is None else max(0.0, now - since))
    for state, count in journal.file_states.counts().items():
        families.add("files", [name, str(state)], count)
    open_documents = journal.documents.count_open()
    for document_state in OPEN_DOCUMENTS:
        families.add("documents", [name, document_state], open_documents.get(document_state, 0))
    for each in journal.sources.all():
        families.add("source", [name, each.name], each.state == SourceState.WORKING)
    families.add("file_alerts", [name], len(journal.file_states.stuck()))
    if (server := journal.file_server.get()) is not None:
        families.add("file_server", [name], not server.is_down)
    for rule, count in Counter(alert.rule for alert in journal.alerts.standing()).items():
        families.add("alerts", [name, rule], count)
    if (watched := journal.alerts.watched_at()) is not None:
        families.add("watched", [name], watched)
    for kind, count in journal.contacts.counts().items():
        families.add("contacts", [name, str(kind)], count)
    free, size = journal.room()
    families.add("disk_free", [name], free)
    families.add("disk_size", [name], size)
    for file, size in journal.storage().items():
        families.add("journal", [name, file], size)


def _add_verification(families: Families, source: Source, now: float) -> None:
    name, stand = source.name, source.journal.verification.stand()
    for route, count in stand.verified.items():
        families.add("verified", [name, route], count)
    families.add("unverified", [name, "waiting"], stand.waiting)
    families.add("unverified", [name, "not looked for"], stand.unverified)
    families.add("verify_age", [name], 0.0 if stand.oldest is None else max(0.0, now - stand.oldest))
    if stand.lag is not None:
        families.add("verify_lag", [name], stand.lag)
    families.add("verify_requests", [name], stand.requests)
    if stand.history is not HistoryState.UNKNOWN:
        families.add("histories", [name], stand.history is HistoryState.THERE)


def _add_stores(families: Families, source: Source) -> None:
    accepted: dict[str, int] = {}
    last: dict[str, float] = {}
    for till in source.journal.tills.all():  # by store
        store = till.store if till.store in accepted or len(accepted) < MOST_STORES else OTHER
        accepted[store] = accepted.get(store, 0) + till.receipts
        last[store] = max(last.get(store, 0.0), till.last_at)
    for store, count in accepted.items():
        families.add("accepted", [source.name, store], count)
        families.add("last_accepted", [source.name, store], last[store])


def _add_process(families: Families, line: Line, now: float) -> None:
    """What only this process knows."""
    families.add("alive", [line.name], alive([line], now)[0])
    families.add("restarts", [line.name], line.heartbeat.restarts())
    families.add("crash_marks", [line.name], len(line.claims))
    families.add("senders", [line.name], line.workers)
    if line.pace is not None and line.pace.rate:
        families.add("rate_limit", [line.name], line.pace.rate)
        families.add("requests", [line.name], line.pace.requests)
        families.add("rate_waiting", [line.name], line.pace.waiting)
    for commits in line.hooks.timings.commits.copy().values():
        families.add_histogram("commits", [line.name], commits.cumulative(), commits.total)
    for (hook, outcome), histogram in line.hooks.timings.hooks.copy().items():
        families.add_histogram("hooks", [line.name, hook, outcome], histogram.cumulative(), histogram.total)
    for route, histogram in line.hooks.timings.delays.copy().items():
        families.add_histogram("delays", [line.name, route], histogram.cumulative(), histogram.total)
