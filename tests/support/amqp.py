"""The source `amqp` on a real journal and a real broker; nothing behind it delivers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, Self

from tests.support.lines import make_line
from tests.support.rabbitmq import PASSWORD, USER, Broker
from tests.support.waiting import until
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.compose.pipeline import compose, unlimited
from tillpost.flow.intake.served_source import ServedSource
from tillpost.journal import Journal
from tillpost.model import Document

_CONFIG = """
[pipelines.shop]
source = {{ use = "amqp", {source} }}
adapter = {{ use = "receipts" }}
resolve = [ {{ use = "known" }} ]
map = {{ use = "engage" }}
transport = {{ use = "engage", url = "http://127.0.0.1:9", api_key = "none" }}
"""


class Waits(SystemClock):
    """The machine's time, without its waits: they are kept."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self.waited.append(seconds)
        return stop.is_set()


def source_of(broker: Broker, queue: str, **settings: object) -> str:
    """The settings of a source that reads a queue of the broker, as TOML."""
    given = {"host": "127.0.0.1", "port": broker.port, "tls": False, "user": USER, "password": PASSWORD, "queue": queue}
    return ", ".join(f"{name} = {_toml(value)}" for name, value in (given | settings).items())


def _toml(value: object) -> str:
    if isinstance(value, bool | int):
        return str(value).lower()
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, list) else f'"{value}"'


class Reader:
    """A pipeline that reads a queue while it is entered. answer: what the source has returned."""

    def __init__(self, folder: Path, source: str) -> None:
        self.clock = Waits()
        file = folder / "tillpost.toml"
        file.write_text(_CONFIG.format(source=source))
        config = load(file)
        pipeline = compose(config, config.pipelines[0], clock=self.clock, random=Random(1), budget=unlimited)
        self.journal = Journal(pipeline.config.state)
        self.hooks = pipeline.hooks
        line = make_line(
            self.journal, pipeline.hooks, name="shop", clock=self.clock, source=pipeline.config.source,
            retry=pipeline.config.retry,
        )  # fmt: skip
        self.stopping, self._ready = threading.Event(), threading.Event()
        self.accept: Any = ServedSource(line, pipeline.config.source, self.stopping)
        self.answer: Any = "it has not returned"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        def accept(document: Document) -> Mapping[str, int]:
            counts: Mapping[str, int] = self.accept(document)
            return counts

        self.answer = self.hooks.serve_documents(accept, self.stopping, self._ready.set)

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self._ready.is_set() or not self._thread.is_alive(), 60)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.journal.close()

    def stop(self) -> Any:
        """As SIGTERM does it; what the source returns."""
        self.stopping.set()
        return self.ended()

    def ended(self) -> Any:
        """What the source returns once it has come to its end."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.answer

    def numbers(self) -> list[str]:
        """Of the receipts in the journal."""
        return sorted(entry.number for entry in self.journal.receipts.find({}))
