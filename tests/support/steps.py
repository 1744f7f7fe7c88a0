"""The five steps of the line, each alone in a process that may be killed. `python -m tests.support.steps`.

The process imports once and then forks for every job it reads, so that a kill costs no start of an interpreter.
A job is one JSON line: {"do": a step or "run", "config": path, "control": address of the sandbox's controls}.

- a step: what comes before it is done, then `ready PID` is printed and one byte awaited; then the step, as
  `tillpost run` does it: with its lock, the recovery and the sweep of stray files. `accepted NAME` is printed for
  each document whose receipts were acknowledged.
  Of a source that serves, `control` says after how many documents it is stopped.
- run: `tillpost run --until-idle`, the launcher itself.

`ended N` is printed last: the exit code, or the signal as a negative number.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import asyncssh

import tillpost_amqp.source
import tillpost_engage.files
import tillpost_engage.transport
import tillpost_folder
import tillpost_http_feed.source
import tillpost_known
import tillpost_receipts
import tillpost_sftp.source
import tillpost_sftp.transfer
import tillpost_zettle
from tillpost import cli
from tillpost.cli import run
from tillpost.cli.pipelines import opened_lines
from tillpost.compose.config import load
from tillpost.flow import breaker
from tillpost.flow.contacts.resolve import resolve
from tillpost.flow.delivery.deliver import claim, deliver
from tillpost.flow.fallback import outage
from tillpost.flow.fallback.reconcile import reconcile
from tillpost.flow.fallback.review import review
from tillpost.flow.fallback.transfer import transfer
from tillpost.flow.fallback.write_files import write_files
from tillpost.flow.intake.accept import accept
from tillpost.flow.intake.served_source import ServedSource
from tillpost.flow.limits import SourcePolicy
from tillpost.flow.line import Line
from tillpost.flow.upkeep.recover import recover
from tillpost.journal import RunLock
from tillpost.model import Delivered, Document, NotSent

# What a step would otherwise import after the kills have begun.
IMPORTED = (
    asyncssh, run, tillpost_amqp, tillpost_engage, tillpost_folder, tillpost_http_feed, tillpost_known,
    tillpost_receipts, tillpost_sftp, tillpost_zettle,
)  # fmt: skip
_SET_PTRACER, _ANY = 0x59616D61, ctypes.c_ulong(-1)  # prctl(2): Yama lets no stranger attach otherwise


def _walk_accept(line: Line) -> None:
    def acknowledged(document: Document) -> dict[str, int]:
        accept(line, document, source=line.hooks.source())
        _say(f"accepted {document.name}")
        return {}

    line.hooks.collect_documents(acknowledged)


def _serve(line: Line, count: int) -> None:
    """Serve until so many documents were accepted; then stop, as SIGTERM does it."""
    stopping = threading.Event()
    accepted: list[str] = []
    served = ServedSource(line, SourcePolicy(), stopping)

    def acknowledged(document: Document) -> Mapping[str, int]:
        counts: Mapping[str, int] = served(document)
        accepted.append(document.name)
        if len(accepted) >= count:
            stopping.set()
        return counts

    answer = line.hooks.serve_documents(acknowledged, stopping, lambda: None if count else stopping.set())
    assert answer is None, answer


def _walk_deliver(line: Line) -> None:
    while entries := claim(line, 4):
        for entry in entries:
            deliver(line, entry)
        line.claims.release(entry.seq for entry in entries)


def _walk_write_files(line: Line) -> None:
    write_files(line)


def _walk_transfer(line: Line) -> None:
    while review(line):
        pass
    transfer(line)


def _walk_reconcile(line: Line) -> None:
    while reconcile(line):
        pass


def _before_accept(line: Line, control: str) -> None:
    """Nothing comes before it."""


def _before_deliver(line: Line, control: str) -> None:
    for document in sorted((line.journal.folder.parents[1] / "inbox").iterdir()):
        accept(line, Document.from_path(document))
        document.unlink()


def _before_write_files(line: Line, control: str) -> None:
    _before_deliver(line, control)
    _leave(line)


def _before_transfer(line: Line, control: str) -> None:
    """The first document's contact is known, so its file goes at once; the second's needs a contacts file."""
    first, _ = sorted((line.journal.folder.parents[1] / "inbox").iterdir())
    accept(line, Document.from_path(first))
    first.unlink()
    (key,) = {entry.contact for entry in line.journal.receipts.find({})}
    assert key is not None
    resolve(line, key)
    _leave(line)
    write_files(line)
    _before_deliver(line, control)
    write_files(line)
    for _ in range(breaker.ANSWERS_NEEDED):
        line.breaker.record(Delivered())


def _before_reconcile(line: Line, control: str) -> None:
    _before_transfer(line, control)
    _walk_transfer(line)
    request = urllib.request.Request(f"{control}/_sandbox/import", b"{}", {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()


def _leave(line: Line) -> None:
    """The destination falls silent, as the line sees it: three probes fail, and `after` passes."""
    for _ in range(3):
        line.breaker.record_probe(NotSent(reason="no answer"))
    line.breaker.apply(lambda destination: outage.start_fallback(destination, line.clock.time(), 0.0))
    assert line.breaker.destination.state == breaker.FALLBACK


STEPS: dict[str, tuple[Callable[[Line, str], None], Callable[[Line], None]]] = {
    "accept": (_before_accept, _walk_accept),
    "deliver": (_before_deliver, _walk_deliver),
    "write_files": (_before_write_files, _walk_write_files),
    "transfer": (_before_transfer, _walk_transfer),
    "reconcile": (_before_reconcile, _walk_reconcile),
}


def _say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def _step(name: str, path: Path, control: str) -> None:
    before, walk = STEPS[name]
    config = load(path)
    if name != "accept":  # whose journal is yet to be made: its making is swept as well
        with opened_lines(config, list(config.pipelines)) as (line,):
            before(line, control)
    ctypes.CDLL(None).prctl(_SET_PTRACER, _ANY, 0, 0, 0)
    _say(f"ready {os.getpid()}")
    os.read(0, 1)
    with ExitStack() as stack:
        stack.callback(RunLock(config.pipelines[0].state).release)
        (line,) = stack.enter_context(opened_lines(config, list(config.pipelines)))
        recover(line)
        if line.hooks.implements("serve_documents"):
            _serve(line, int(control))
        else:
            walk(line)


def _run(path: Path) -> None:
    sys.argv = ["tillpost", "--config", str(path), "run", "--until-idle"]
    with (path.parent / "run.log").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    cli.main()


def _fork(job: dict[str, str]) -> int:
    """Do a job in a process of its own; its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 70
    try:
        if job["do"] == "run":
            _run(Path(job["config"]))
        else:
            _step(job["do"], Path(job["config"]), job["control"])
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - a forked child must not go on as its parent
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def main() -> None:
    """Jobs until standard input ends. Read byte by byte: the one byte a step waits for is not a job's."""
    pending = bytearray()
    while byte := os.read(0, 1):
        pending += byte
        if byte == b"\n":
            job = json.loads(pending)
            pending.clear()
            _say(f"ended {_fork(job)}")


if __name__ == "__main__":
    main()
