"""Signals that set events."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from queue import SimpleQueue


def set_on_signals(events: Mapping[signal.Signals, threading.Event]) -> None:
    """From now on each of these signals sets its event. Call it in the main thread.

    A thread sets it. In the handler, which may interrupt the `wait` of the same event, `set` would wait for ever for
    the lock that this holds.
    """
    received: SimpleQueue[int] = SimpleQueue()

    def follow() -> None:
        while True:
            events[signal.Signals(received.get())].set()

    threading.Thread(target=follow, name="signals", daemon=True).start()
    for number in events:
        signal.signal(number, lambda told, _: received.put(told))
