"""Takes messages from the queue; each is acknowledged once its receipts are committed, and comes again until then."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import attrs
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection

from tillpost import Busy, Context, DocumentError, JournalError, Stopped, TillpostError, hookimpl
from tillpost.model import Delivered, Document, Misconfigured, NotSent, Throttled
from tillpost.model.typed import printable
from tillpost_amqp.session import ERRORS, connected, failure, queue_channel
from tillpost_amqp.settings import Settings

Accept = Callable[[Document], Mapping[str, int]]
_THREADS = 16
"""Messages that are accepted at the same time, and share a commit."""
_LOOK = 0.2
"""Seconds after which a quiet queue looks whether it is to stop."""


@attrs.frozen(eq=False)
class AmqpSource:
    """The hooks of the source."""

    settings: Settings
    context: Context

    @hookimpl
    def serve_documents(
        self, accept: Accept, stopping: threading.Event, ready: Callable[[], None]
    ) -> NotSent | Throttled | Misconfigured | None:
        """Take messages until `stopping` is set; those in hand are committed and acknowledged."""
        try:
            with connected(self.settings) as connection:
                channel = queue_channel(connection, self.settings)
                channel.basic_qos(prefetch_count=self.settings.prefetch)
                return _Consumer(self, accept, connection, channel).run(stopping, ready)
        except ERRORS as error:
            return failure(error, self.settings)

    @hookimpl
    def probe_source(self) -> Delivered | NotSent | Misconfigured:
        """Whether the broker takes the login, and the queue is there; takes no message."""
        try:
            with connected(self.settings) as connection:
                queue_channel(connection, self.settings)
        except ERRORS as error:
            return failure(error, self.settings)
        return Delivered()


class _Consumer:
    """One consumer of the queue, from its start to its end. The connection is used by the thread of `run` alone."""

    def __init__(
        self, source: AmqpSource, accept: Accept, connection: BlockingConnection, channel: BlockingChannel
    ) -> None:
        self._settings, self._clock = source.settings, source.context.clock
        self._accept, self._connection, self._channel = accept, connection, channel
        self._committed: deque[int] = deque()
        """Tags of messages that are to be acknowledged."""
        self._ended = threading.Event()
        """Set when nothing more is accepted: what waits in hand goes back to the queue."""
        self._answer: NotSent | Throttled | Misconfigured | None = None

    def run(self, stopping: threading.Event, ready: Callable[[], None]) -> NotSent | Throttled | Misconfigured | None:
        """Take messages until `stopping` is set, or until something fails, which is returned. Raises one of ERRORS."""
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="amqp") as pool:
            try:
                self._channel.add_on_cancel_callback(self._cancelled)
                tag = self._channel.basic_consume(self._settings.queue, partial(self._take_in, pool))
                ready()
                while not (stopping.is_set() or self._ended.is_set()):
                    self._connection.process_data_events(time_limit=_LOOK)
                self._channel.basic_cancel(tag)
            finally:
                self._ended.set()
        self._acknowledge()  # what was in hand
        return self._answer

    def _take_in(self, pool: ThreadPoolExecutor, _channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        if not self._ended.is_set():
            pool.submit(self._take, method.delivery_tag, body)

    def _take(self, tag: int, body: bytes) -> None:
        """Accept one message and acknowledge it; what fails goes back to the queue when the connection ends."""
        document = self._document(body)
        wait = 1.0
        while not self._ended.is_set():
            try:
                self._accept(document)
            except DocumentError:
                break  # it is set aside, and the journal has its content
            except Busy as error:
                return self._end(Throttled(reason=str(error), retry_after=error.after))
            except Stopped:
                return self._ended.set()
            except JournalError as error:
                return self._end(NotSent(reason=str(error)))
            except (TillpostError, OSError):  # about this document: at the third time it is set aside
                self._clock.wait(wait, self._ended)
                wait *= 2
            except BaseException:  # a thread of the pool would keep it to itself
                self._end(NotSent(reason="a message could not be accepted"))
                raise
            else:
                break
        else:
            return None
        self._committed.append(tag)
        with suppress(*ERRORS):  # the connection is gone: it comes again, and is known
            self._connection.add_callback_threadsafe(self._acknowledge)
        return None

    def _acknowledge(self) -> None:
        while self._committed:
            self._channel.basic_ack(self._committed.popleft())

    def _document(self, body: bytes) -> Document:
        document = Document.from_bytes("", body)
        at = datetime.fromtimestamp(self._clock.time(), UTC).strftime("%Y-%m-%dT%H%M%SZ")
        name = f"{printable(self._settings.queue)}/{at}-{document.sha256[:12]}"
        return attrs.evolve(document, name=name, keep=True)

    def _cancelled(self, _frame: Any) -> None:
        """The broker ends the consumer when the queue is deleted; the connection would stay, and be silent."""
        self._end(NotSent(reason=f"queue {self._settings.queue!r} was deleted, or its node is down"))

    def _end(self, answer: NotSent | Throttled) -> None:
        self._answer = self._answer or answer
        self._ended.set()
