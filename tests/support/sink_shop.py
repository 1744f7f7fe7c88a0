"""A shop whose destination is the sink of the benchmarks: it takes thousands a second, and counts what comes twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw

from tests.benchmarks import receipts
from tests.benchmarks.running_sink import RunningSink
from tests.support.waiting import until

CONFIG = """
[tillpost]
state = "state"

[pipelines.{name}]
workers   = {workers}
source    = {{ use = "folder", path = "{name}-inbox", settle = "0s", poll = "100ms" }}
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["externalId"] }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{url}", api_key = {{ env = "ENGAGE_API_KEY" }}, rate = 20000, timeout = "60s", \
wait_initial = "100ms", wait_max = "500ms", confirm_after = "1h" }}
"""
"""With `confirm_after` of an hour nothing that is in doubt would be delivered within a test."""


class SinkShop:
    """A folder with a configuration, a sink, and a `run` that ends with the block."""

    def __init__(self, folder: Path, sink: RunningSink) -> None:
        self.folder, self.sink = folder, sink
        self.file = folder / "tillpost.toml"
        self.log = folder / "run.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(self.pipeline())

    def pipeline(self, name: str = "shop", workers: int = 4) -> str:
        (self.folder / f"{name}-inbox").mkdir(exist_ok=True)
        return CONFIG.format(name=name, workers=workers, url=self.sink.url)

    def configure(self, *pipelines: str) -> None:
        first, *others = pipelines
        text = "\n".join([first, *(each.split("\n\n", 1)[1] for each in others)])
        written = self.file.with_suffix(".new")
        written.write_text(text)
        written.rename(self.file)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tillpost", "--config", str(self.file), *words]

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            environment = os.environ | {"ENGAGE_API_KEY": "key"}
            command = self.command("run", "--json", *words)
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        process = self._process

        def begun() -> bool:
            assert process.poll() is None, self.log.read_text()
            return (self.folder / "state" / "shop" / "journal.db").exists() and self.states() is not None

        until(begun)
        return process

    def reload(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Exit code and answer of `tillpost reload`."""
        done = subprocess.run(
            self.command("reload", "--json", *words), capture_output=True, text=True, timeout=300, check=False
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else {"said": done.stderr}

    def put(self, name: str, first: int, count: int, pipeline: str = "shop") -> None:
        receipts.write(self.folder / name, count, first=first)
        (self.folder / name).rename(self.folder / f"{pipeline}-inbox" / name)

    def states(self, pipeline: str = "shop") -> dict[str, int] | None:
        """Receipts by state, from the journal itself."""
        connection = apsw.Connection(
            f"file:{self.folder}/state/{pipeline}/journal.db?mode=ro", apsw.SQLITE_OPEN_URI | 1
        )
        try:
            connection.set_busy_timeout(10_000)
            return dict(connection.execute("SELECT state, sum(count) FROM counters GROUP BY state"))
        except (apsw.SQLError, apsw.SchemaChangeError):
            return None  # its tables are being made
        finally:
            connection.close()

    def delivered(self, pipeline: str = "shop") -> int:
        return (self.states(pipeline) or {}).get("delivered", 0)

    def ask(self, sql: str) -> Any:
        connection = apsw.Connection(str(self.folder / "state" / "shop" / "journal.db"), apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(10_000)
            return connection.execute(sql).get
        finally:
            connection.close()

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and its end without a complaint."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(90) == 0
