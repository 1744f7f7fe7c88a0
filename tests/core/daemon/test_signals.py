"""A signal comes at any moment, also while the main thread holds the lock of the event it sets."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

_PROGRAM = """
import signal, threading
from tillpost.daemon.signals import set_on_signals

stop, reload = threading.Event(), threading.Event()
set_on_signals({signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload})
with EVENT._cond:  # as `wait` does before it waits
    signal.raise_signal(signal.NAME)
    signal.raise_signal(signal.NAME)
EVENT.wait()
print(stop.is_set(), reload.is_set())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="a signal of POSIX")
@pytest.mark.parametrize(
    ("name", "event", "told"),
    [("SIGTERM", "stop", "True False"), ("SIGINT", "stop", "True False"), ("SIGHUP", "reload", "False True")],
)
def test_a_signal_while_its_event_is_looked_at_hangs_nothing(name: str, event: str, told: str) -> None:
    program = _PROGRAM.replace("EVENT", event).replace("NAME", name)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.strip() == told
