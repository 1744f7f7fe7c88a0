"""A pipeline whose documents come by a folder or by HTTP, run by the real launcher, as a service without rights too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from tests.support.command import stands
from tests.support.receipts import document, receipt_of

CONFIG = """
[tillpost]
state = "state"

[alerts]
every = "1s"

[pipelines.shop]
anonymous = "externalId:HOUSE"
source    = {{ {source} }}
adapter   = {{ {adapter} }}
resolve   = [ {{ use = "known" }}, {{ use = "engage" }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "http://127.0.0.1:9", api_key = {{ env = "ENGAGE_API_KEY" }} }}
"""
WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
"""Root as another user would be: what belongs to somebody else it may only do when the mode says so."""
NOBODY = 65534
POSLOG = 'use = "poslog", timezone = "Europe/Stockholm", loyalty = "externalId"'
FOLDER = 'use = "folder", path = "{path}", settle = "300ms", poll = "50ms"'


def day(first: int, count: int) -> bytes:
    """So many receipts as JSON lines."""
    return document([receipt_of(number, externalId=f"c{number % 3}") for number in range(first, first + count)])


@attrs.define
class Door:
    """A folder with a configuration, whose destination never answers.

    within: the program and options the commands are run by, which take rights away.
    """

    folder: Path
    within: tuple[str, ...] = ()
    _running: list[subprocess.Popen[bytes]] = attrs.field(factory=list)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def log(self) -> str:
        return (self.folder / "run.log").read_text(errors="replace")

    def configure(self, source: str, adapter: str = 'use = "receipts"') -> None:
        (self.folder / "tillpost.toml").write_text(CONFIG.format(source=source, adapter=adapter))

    def _command(self, *words: str) -> list[str]:
        return [*self.within, sys.executable, "-m", "tillpost", "--config", str(self.folder / "tillpost.toml"), *words]

    def start(self) -> subprocess.Popen[bytes]:
        """`tillpost run` in the background."""
        with (self.folder / "run.log").open("ab") as log:
            process = subprocess.Popen(
                self._command("run"), env=_environment(self.folder), stdout=log, stderr=log, cwd=self.folder
            )
        self._running.append(process)
        return process

    def stop(self) -> float:
        """SIGTERM to what was started last; the seconds it took to end."""
        process, began = self._running.pop(), time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, self.log
        return time.monotonic() - began

    def kill(self) -> None:
        """Whatever still runs."""
        for process in self._running:
            process.kill()
            process.wait()

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(*words), env=_environment(self.folder), capture_output=True, text=True, timeout=60,
            check=False, cwd=self.folder,
        )  # fmt: skip

    def answers(self, *words: str) -> list[dict[str, Any]]:
        done = self.call(*words, "--json")
        assert done.returncode in (0, 1), done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def status(self) -> dict[str, Any]:
        return stands(self.folder / "tillpost.toml")["shop"]

    def documents(self) -> dict[str, dict[str, Any]]:
        """Those that were not read, by name."""
        return {row["name"]: row for row in self.answers("documents", "list")}

    def accepted(self) -> int:
        return sum(count for state, count in self.status()["counts"].items() if state != "held")

    def until(self, condition: Any, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{self.status()}\n{self.log}"
            time.sleep(0.1)


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"ENGAGE_API_KEY": "k", "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


@contextmanager
def door(*within: str) -> Iterator[Door]:
    """A new one, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="tillpost-door-") as name:
        made = Door(Path(name), within)
        made.configure(FOLDER.format(path="inbox"))
        try:
            yield made
        finally:
            made.kill()
