"""A line whose configuration is changed while it runs, against an Engage of another hand or the sandbox, with
their file servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from tests.support.command import accept, stands
from tests.support.oracle import API_KEY, EVERYTHING, PASSWORD, USER, import_folder, running_oracle
from tests.support.receipts import document, receipt_of
from tests.support.waiting import until
from tillpost_sandbox import Sandbox

RESOLVE = '[ { use = "known" }, { use = "engage", keys = ["externalId"] } ]'


@attrs.frozen
class Server:
    """A file server."""

    port: int
    host_key: str
    user: str = USER
    password: str = PASSWORD


@attrs.frozen
class Destination:
    """An Engage under test. shown: the receipts it has imported. fail: answer with this status; "ok" ends it."""

    url: str
    files: Server
    shown: Callable[[], set[str]]
    fail: Callable[[str], None]


@contextmanager
def running_sandbox(folder: Path, **options: Any) -> Iterator[Sandbox]:
    with Sandbox(dir=folder, api_key=API_KEY, import_every=0.1, rate_limit=9999, **options) as sandbox:
        yield sandbox


def server_of(sandbox: Sandbox) -> Server:
    return Server(sandbox.sftp_port, sandbox.host_key, sandbox.user, sandbox.password)


@contextmanager
def engage_with_files(kind: str, tmp_path: Path) -> Iterator[Destination]:
    """kind: "oracle" or "sandbox"."""
    if kind == "oracle":
        with running_oracle(**EVERYTHING) as oracle, import_folder(oracle, tmp_path / "import") as files:
            yield Destination(
                oracle.url,
                Server(files.port, files.host_key),
                lambda: set(oracle.state()["receipts"]),
                lambda status: oracle.mode(http=status),
            )
        return
    with running_sandbox(tmp_path / "sandbox", import_files_every=0.1) as sandbox:

        def control(name: str, body: Any = None) -> Any:
            data = None if body is None else json.dumps(body).encode()
            url, headers = f"{sandbox.control_url}/_sandbox/{name}", {"Content-Type": "application/json"}
            with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:
                return json.loads(answer.read() or b"null")

        yield Destination(
            sandbox.url,
            server_of(sandbox),
            lambda: {row["uniqueReceiptId"] for row in control("receipts") if row["status"] == "imported"},
            lambda status: control("faults", {"http": status}),
        )


class Line:
    """A folder with a configuration of some pipelines, and a `run` that reloads it."""

    def __init__(self, folder: Path, engage: Destination) -> None:
        self.folder, self.engage = folder, engage
        self.ids: set[str] = set()
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, *names: str, files: Server | None = None, **settings: str) -> None:
        """Pipelines of these names. files: where the first one's fallback files go; None for no fallback.

        settings: of all pipelines, in the place of the usual ones; "" for none.
        """
        tables = ["[tillpost]\nstate = 'state'\n"]
        usual = {"adapter": '{ use = "receipts" }', "resolve": RESOLVE}
        own = "\n".join(f"{key} = {value}" for key, value in {**usual, **settings}.items() if value)
        for name in names:
            tables.append(f"""
[pipelines.{name}]
{own}
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{self.engage.url}", api_key = {{ env = "ENGAGE_API_KEY" }}, timeout = "2s", \
wait_initial = "100ms", wait_max = "300ms", confirm_after = "1s" }}
""")
            if files is not None and name == names[0]:
                tables.append(f"""
fallback  = {{ use = "engage-xml", after = "1s", every = "1s", check_every = "1s" }}
transfer  = {{ use = "sftp", when = "asap", host = "127.0.0.1", port = {files.port}, user = "{files.user}", \
password = "{files.password}", host_key = "{files.host_key}", wait_initial = "100ms", wait_max = "300ms" }}
""")
        (self.folder / "tillpost.toml").write_text("".join(tables))

    def tillpost(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            self._command(*words), env=self._environment, timeout=120, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    _environment = {**os.environ, "ENGAGE_API_KEY": API_KEY}

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tillpost", "--config", str(self.folder / "tillpost.toml"), *words]

    def start(self) -> None:
        """`tillpost run`, which has read its configuration when this returns: the test changes the file next."""
        self.process = subprocess.Popen(self._command("run"), env=self._environment, stderr=subprocess.DEVNULL)
        until(lambda: any(each.get("running") for each in self.stands().values()), 40, process=self.process)

    def accept(self, first: int, count: int, *options: str) -> None:
        receipts = [receipt_of(number, externalId=f"c{number % 3}") for number in range(first, first + count)]
        self.ids |= {receipt.id for receipt in receipts}
        file = self.folder / f"{first}.jsonl"
        file.write_bytes(document(receipts))
        accept(self.folder / "tillpost.toml", *options, str(file))

    def stands(self) -> dict[str, dict[str, Any]]:
        return stands(self.folder / "tillpost.toml")

    def stand(self, pipeline: str) -> dict[str, Any]:
        return self.stands()[pipeline]

    def wait_for(self, condition: Callable[[dict[str, Any]], object], pipeline: str = "shop") -> None:
        until(lambda: condition(self.stand(pipeline)), 40, process=self.process, why=lambda: self.stand(pipeline))

    def all_shown(self) -> None:
        """Engage shows every receipt, and no pipeline of the file has anything left to do."""
        why = lambda: f"missing: {sorted(self.ids - self.engage.shown())}"  # noqa: E731
        until(lambda: self.engage.shown() == self.ids, 40, process=self.process, why=why)
        assert self.tillpost("stranded", "list", "--json") == ""

    def outage(self, count: int) -> None:
        """Three receipts whose contacts Engage knows by now, then an outage, in which `count` are accepted."""
        self.start()
        self.accept(0, 3)
        until(lambda: self.engage.shown() == self.ids, 40, process=self.process)
        self.engage.fail("500")
        self.accept(3, count)

    def end(self) -> None:
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(30) == 0
