"""The Engage of another hand beside the project (`../shared/oracle`), and its import folder, as processes.

Scenarios run against it as well as against our sandbox. What it holds is what Engage would show. Its modes are listed
in the docstring of `engage.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from tests.support.exports import beside

API_KEY = "k3y"
USER, PASSWORD = "till", "x"
"""The account of the import folder."""
EVERYTHING = {"history_on": True, "lookup_on": True, "count_on": True, "read_on": True}
"""The mode in which it answers what published clients show, beside what is documented."""


@attrs.frozen
class ImportFolder:
    """An SFTP server that takes each XML file the moment it sees it, and imports it."""

    folder: Path
    port: int
    host_key: str


@attrs.frozen
class Oracle:
    """A running one. It knows documented endpoints only until `mode` says more."""

    port: int

    @property
    def url(self) -> str:
        """What `transport.url` names."""
        return f"http://127.0.0.1:{self.port}"

    def _ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.url}/_/{path}", data, timeout=30) as answer:
            return json.loads(answer.read())

    def mode(self, **modes: Any) -> None:
        """How it answers from now on, such as `http="500"`, `import_delay=2`, `sick=["a@b.se"]`."""
        self._ask("mode", modes)

    def register(self, **attributes: str) -> str:
        """A contact somebody else makes; its contactId."""
        return str(self._ask("register", attributes))

    def merge(self, gone: str, into: str) -> None:
        """One contact becomes part of another, with its identifiers and receipts."""
        self._ask("merge", {"from": gone, "into": into})

    def erase(self, contact_id: str) -> None:
        """The contact is forgotten."""
        self._ask("erase", {"id": contact_id})

    def patch(self, contact_id: str, **attributes: str) -> None:
        """Customer care corrects a contact."""
        self._ask("patch", {"id": contact_id, "set": attributes})

    def state(self) -> dict[str, Any]:
        """What it holds: receipts, owner, taken, contacts, creates, patches, repeated, ignored, by_file, bad …"""
        state: dict[str, Any] = self._ask("state")
        return state


@contextmanager
def running_oracle(**modes: Any) -> Iterator[Oracle]:
    """An oracle from its start to the end of the block. modes: as `Oracle.mode`, such as `**EVERYTHING`."""
    with _answering(sys.executable, str(beside("oracle", "engage.py")), "0") as line:
        oracle = Oracle(int(line))
        if modes:
            oracle.mode(**modes)
        yield oracle


@contextmanager
def import_folder(oracle: Oracle, folder: Path, delay: float = 0.01) -> Iterator[ImportFolder]:
    """The oracle's import folder over SFTP. delay: seconds in which a file lies before it is imported."""
    program = str(beside("oracle", "importer.py"))
    with _answering(sys.executable, program, str(folder), str(oracle.port), str(delay)) as line:
        yield ImportFolder(folder, **json.loads(line))


@contextmanager
def _answering(*command: str) -> Iterator[str]:
    """Run a server to the end of the block; its first line says where it listens."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            yield line
        finally:
            process.kill()
