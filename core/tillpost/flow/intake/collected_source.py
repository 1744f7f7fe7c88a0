"""The rounds of a source that is asked for documents: what it hands over, what it has trouble with, how it fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from tillpost.errors import DiskFailed, DocumentError, JournalDamaged, NotCommitted, PluginError, Stopped, TillpostError
from tillpost.flow.deadly import in_hand, outside
from tillpost.flow.intake.forgotten import tell_forgotten
from tillpost.flow.intake.source_health import SourceHealth, reason_of
from tillpost.flow.line import Line
from tillpost.model import Document, DocumentTrouble, NotSent

_log = logging.getLogger("tillpost.flow")


class CollectedSource:
    """Runs the rounds; one thread uses it."""

    def __init__(
        self, line: Line, accept: Callable[[Document], Mapping[str, int]], stopping: threading.Event, poll: float
    ) -> None:
        """accept: raises as the hook `collect_documents` says. poll: seconds between two rounds."""
        self.is_empty = False
        """Whether the last round found nothing that can be read now."""
        self._line, self._accept, self._stopping, self._poll = line, accept, stopping, poll
        self._name = line.hooks.plugin_of("collect_documents")
        self._health = SourceHealth(line, self._name, poll)
        self._compared = False
        self._troubles: dict[str, DocumentTrouble] = {}
        """Those of the last round, by name."""

    def run_round(self) -> float:
        """One round; the seconds until the next one. Raises Stopped, JournalDamaged, DiskFailed."""
        self.is_empty = False
        reported: list[DocumentTrouble] = []
        uncompared = None
        try:
            uncompared = self._compare()
            with in_hand(self._line, "collect_documents", self._name):
                answer = self._line.hooks.collect_documents(self._accept_and_log, reported.append, self._stopping)
        except (Stopped, JournalDamaged, DiskFailed):
            raise
        except NotCommitted as error:  # not the source's fault: it keeps its copy, and the disk may have room soon
            _log.error("pipeline %s: source: %s", self._line.name, error)
            return self._poll
        except (TillpostError, OSError) as error:
            answer = NotSent(reason=reason_of(error))
        try:
            self._tell(reported, complete=isinstance(answer, int) and not self._stopping.is_set())
        except NotCommitted as error:
            _log.error("pipeline %s: source: %s", self._line.name, error)
            return self._poll
        if not isinstance(answer, int):
            return self._health.fails(answer)
        if uncompared is not None:  # and not because the source is away: then it is asked again
            self._compared = True
            what = "the source's documents are not compared with the journal"
            _log.warning("pipeline %s: %s: %s", self._line.name, what, uncompared)
        self.is_empty = answer == 0
        return self._health.works()

    def _compare(self) -> PluginError | None:
        """Once after a start, tell what the source has taken and the journal does not know; why it could not."""
        if self._compared:
            return None
        try:
            tell_forgotten(self._line)
        except PluginError as error:
            return error
        self._compared = True
        return None

    def _tell(self, reported: list[DocumentTrouble], complete: bool) -> None:
        """Record what is new of the troubles of a round. complete: what it does not name has no trouble any more."""
        now, documents = self._line.clock.time(), self._line.journal.documents
        troubles = {trouble.name: trouble for trouble in reported}
        for trouble in troubles.values():
            before = self._troubles.get(trouble.name)
            if before == trouble:
                continue
            documents.report(trouble, self._name, now)
            if trouble.retry_at is not None and (before is None or before.reason != trouble.reason):
                _log.warning("pipeline %s: %s: %s", self._line.name, trouble.name, trouble.reason)
        if complete:
            waiting = {name for name, trouble in troubles.items() if trouble.retry_at is not None}
            documents.close_unreported(self._name, waiting, now)
            self._troubles = troubles

    def _accept_and_log(self, document: Document) -> Mapping[str, int]:
        try:
            with outside(self._line, "collect_documents", self._name):
                return self._accept(document)
        except DocumentError as error:
            _log.error(
                "pipeline %s: %s: set aside: %s; records before it that are accepted: %d;"
                " `tillpost documents retry` reads it again",
                self._line.name, document.name, error, sum(error.counts.values()),
            )  # fmt: skip
            raise
