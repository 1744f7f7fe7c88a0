"""Source `ingest`: receipts sent by HTTP, answered once they are committed. Needs `tillpost[ingest]`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from importlib.util import find_spec

import attrs

from tillpost import ConfigurationError, Context, Finding, hookimpl, simple
from tillpost.model import Document
from tillpost_ingest.address import local
from tillpost_ingest.listener import Listener, listener_at
from tillpost_ingest.receive import Endpoint
from tillpost_ingest.senders import Senders
from tillpost_ingest.settings import Settings


@attrs.frozen(eq=False)
class IngestSource:
    """The hook of the source."""

    settings: Settings
    context: Context
    senders: Senders
    listener: Listener

    @hookimpl
    def serve_documents(
        self, accept: Callable[[Document], Mapping[str, int]], stopping: threading.Event, ready: Callable[[], None]
    ) -> None:
        """Take requests for this pipeline until `stopping` is set; then those in flight are answered."""
        endpoint = Endpoint(accept, self.senders, self.context.clock, self.settings.largest, self.context.pipeline)
        with self.listener.open(self.context.pipeline, endpoint):
            ready()
            stopping.wait()


def _make(settings: Settings, context: Context) -> IngestSource:
    if find_spec("cheroot") is None:
        raise ConfigurationError(
            Finding(
                key="source.use",
                message="HTTP ingest needs a package that is not installed.",
                next_step="Run: pip install 'tillpost[ingest]'.",
            )
        )
    senders = Senders.of(settings)
    if not senders.named() and not local(settings.listen):
        raise ConfigurationError(
            Finding(
                key="source.listen",
                message=f"{settings.listen} is open to the network, and anybody could send receipts.",
                next_step='Add keys = { NAME = { env = "…" } } or the secrets of who signs, or listen on 127.0.0.1.',
            )
        )
    return IngestSource(settings, context, senders, listener_at(settings))


plugin = simple("Receipts sent by HTTP (POST /v1/PIPELINE/receipts)", "source", Settings, _make)
