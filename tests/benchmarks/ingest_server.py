"""The source `ingest` on a journal, without anything behind it; or a no-op on the same server library, to compare.

`python -m tests.benchmarks.ingest_server PORT FOLDER [--noop]` prints one line when it listens, and ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from cheroot.wsgi import Server as WsgiServer

from tests.support.lines import make_line
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.compose.pipeline import compose, unlimited
from tillpost.flow.intake.served_source import ServedSource
from tillpost.journal import Journal

CONFIG = """
[pipelines.shop]
source = {{ use = "ingest", listen = "127.0.0.1:{port}", keys = {{ store12 = "benchmark-of-ingest" }} }}
adapter = {{ use = "receipts" }}
resolve = [ {{ use = "known" }} ]
map = {{ use = "engage" }}
transport = {{ use = "engage", url = "http://127.0.0.1:9", api_key = "none" }}
"""
KEY = "benchmark-of-ingest"


def serve(port: int, folder: Path, stopping: threading.Event, listening: Callable[[], None]) -> None:
    """Take receipts into a journal in this folder until told to stop; nothing delivers them."""
    file = folder / "tillpost.toml"
    file.write_text(CONFIG.format(port=port))
    config = load(file)
    pipeline = compose(config, config.pipelines[0], clock=SystemClock(), random=Random(1), budget=unlimited)
    each = pipeline.config
    journal = Journal(each.state)
    line = make_line(journal, pipeline.hooks, name=each.name, source=each.source, retry=each.retry)
    threading.Timer(1.0, listening).start()
    pipeline.hooks.serve_documents(ServedSource(line, each.source, stopping), stopping)
    journal.close()


def noop(port: int, stopping: threading.Event, listening: Callable[[], None]) -> None:
    """cheroot as it comes, with an application that reads the body and answers 202."""

    def application(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start("202 Accepted", [("Content-Type", "application/json"), ("Content-Length", "2")])
        return [b"{}"]

    server = WsgiServer(("127.0.0.1", port), application, numthreads=64, request_queue_size=128)
    server.keep_alive_conn_limit = 1000
    server.prepare()
    threading.Thread(target=server.serve, daemon=True).start()
    listening()
    stopping.wait()
    server.stop()


def main() -> None:
    """By the command line."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("port", type=int)
    given.add_argument("folder", type=Path)
    given.add_argument("--noop", action="store_true")
    words = given.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if words.noop:
        noop(words.port, stopping, lambda: print("listening", flush=True))
    else:
        serve(words.port, words.folder, stopping, lambda: print("listening", flush=True))


if __name__ == "__main__":
    main()
