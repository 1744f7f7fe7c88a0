"""Trials in processes of their own. `python -m tillpost.compose.trial FILE PIPELINE` is one; its job is a line of JSON.

The process opens the journal for reading only, and calls the plugins as the pipeline does. What it shows: `>` once it
begins, a dot for each record it has read, the outcome of a delivery, and `!` when it comes to its end. Of many jobs
it shows the outcome of each in a line, `null` where it has none.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory
from typing import Any

import attrs

from tillpost import model
from tillpost.clock import SystemClock
from tillpost.compose.config import load
from tillpost.compose.pipeline import compose
from tillpost.errors import TillpostError
from tillpost.flow.delivery.histories import reference
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.rate_limit.budget import Budgets
from tillpost.flow.trials import Verdict
from tillpost.flow.upkeep.mapping_guard import PLACEHOLDER_CONTACT
from tillpost.journal import Entry, Journal, State
from tillpost.model import Contact, Document, FallbackBatch, Gone, Identifier, Outcome, Payload

_log = logging.getLogger("tillpost.flow")
WITHIN = 600.0
"""Seconds a trial may take; one that takes longer hangs, and shows nothing."""
_MANY_WITHIN = 20.0
"""Seconds in which a trial of many jobs begins another one: threads wait for it, and a pipeline must stop in time."""
_MANY_HANG = 120.0
"""Seconds after which a trial of many jobs hangs at one of them."""
_ASKED_TO_END = (-signal.SIGTERM, -signal.SIGINT)


@attrs.frozen
class ProcessTrials:
    """The trials of one pipeline of a configuration file."""

    file: Path
    pipeline: str

    def run(self, job: Mapping[str, Any]) -> Verdict:
        """See `Trials`."""
        words = [sys.executable, "-m", "tillpost.compose.trial", str(self.file), self.pipeline]
        try:
            process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        except OSError:
            return Verdict()
        assert process.stdin is not None
        assert process.stdout is not None
        hanging = threading.Event()

        def end() -> None:
            hanging.set()
            process.kill()

        timer = threading.Timer(_MANY_HANG if job["do"] == "all" else WITHIN, end)
        timer.daemon = True
        timer.start()
        with process:  # its input stays open until it ends: it ends itself when this process does
            with suppress(OSError):
                process.stdin.write(json.dumps(job).encode() + b"\n")
                process.stdin.flush()
            said = process.stdout.read()
            code = process.wait()
        timer.cancel()
        verdict = _verdict(said, code, many=job["do"] == "all")
        if hanging.is_set() or code in _ASKED_TO_END:
            return Verdict(parts=verdict.parts, how="hangs")
        what = f"it ended ({verdict.how})" if verdict.died else "it came to its end"
        _log.warning("pipeline %s: %s tried in a process of its own: %s", self.pipeline, _named(job), what)
        return verdict


def _named(job: Mapping[str, Any]) -> str:
    if job["do"] == "all":
        return f"{len(job['jobs'])} jobs, the first of which is {_named(job['jobs'][0])}"
    what = job.get("name") or job.get("receipt") or f"{len(job.get('receipts', ()))} receipts for a file"
    return f"{job['do']} {what}"


def _verdict(said: bytes, code: int, many: bool = False) -> Verdict:
    """What the process has shown. One that never began shows nothing."""
    begun, _, shown = said.partition(b">")
    if begun or not said.startswith(b">"):
        return Verdict()
    died, records = not shown.endswith(b"!"), len(shown) - len(shown.lstrip(b"."))
    how = "" if not died else f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    if many:
        parts = tuple(Verdict(outcome=_outcome(line)) for line in shown.split(b"\n")[:-1])
        return Verdict(died=died, how=how, parts=parts)
    return Verdict(died=died, how=how, records=records, outcome=None if died else _outcome(shown.strip(b".!")))


def _outcome(shown: bytes) -> Outcome | Gone | None:
    with suppress(ValueError, TypeError):
        kind, fields = json.loads(shown)
        outcome: Outcome | Gone = getattr(model, kind)(**fields)
        return outcome
    return None


# --- in the process of the trial ---------------------------------------------------------------------------------


def main(file: str, pipeline: str) -> None:
    """Do the job, and end without any cleaning up."""
    shown = os.dup(1)
    os.dup2(2, 1)  # what plugins print is none of it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    config = load(Path(file))
    (own,) = (each for each in config.pipelines if each.name == pipeline)
    budgets = Budgets(config.state)
    hooks = compose(config, own, clock=SystemClock(), random=SystemRandom(), budget=budgets).hooks
    journal = Journal.read_only(own.state)
    os.write(shown, b">")
    if job["do"] == "all":
        end = time.monotonic() + _MANY_WITHIN
        for each in job["jobs"]:
            os.write(shown, _do(journal, hooks, each, shown) + b"\n")
            if time.monotonic() > end:
                break
    elif (outcome := _do(journal, hooks, job, shown)) != b"null":
        os.write(shown, outcome)
    os.write(shown, b"!")
    os._exit(0)


def _do(journal: Journal, hooks: HookCalls, job: Mapping[str, Any], shown: int) -> bytes:
    """Do one job; its outcome as JSON."""
    outcome: Outcome | Gone | None = None
    with suppress(TillpostError, OSError):  # what it raises, it raises in the pipeline too, and is charged there
        outcome = _JOBS[job["do"]](journal, hooks, job, shown)
    return json.dumps(None if outcome is None else [type(outcome).__name__, attrs.asdict(outcome)]).encode()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _read(journal: Journal, hooks: HookCalls, job: Mapping[str, Any], shown: int) -> None:
    if "path" in job:
        document = Document.from_path(Path(job["path"]))
    else:
        document = Document.from_bytes(job["name"], base64.b64decode(job["content"]))
    for _ in hooks.parse_receipts(attrs.evolve(document, name=job["name"])):
        os.write(shown, b".")


def _ask(journal: Journal, hooks: HookCalls, job: Mapping[str, Any], shown: int) -> None:
    """Whatever the pipeline asks before it sends the receipt; what follows from the answers is done there."""
    entry = _entry(journal, job["receipt"])
    if entry.contact is not None:
        contact = journal.contacts.get(entry.contact)
        if entry.state is State.UNCERTAIN and contact.contact_id and hooks.implements("confirm_receipts"):
            hooks.confirm_receipts(contact, [reference(entry)])
        hooks.resolve_contact(contact)
        if contact.contact_id and contact.changes() and hooks.implements("update_contact"):
            hooks.update_contact(contact, contact.changes())
        _map(journal, hooks, entry, PLACEHOLDER_CONTACT)


def _deliver(journal: Journal, hooks: HookCalls, job: Mapping[str, Any], shown: int) -> Outcome | Gone:
    entry = _entry(journal, job["receipt"])
    return hooks.deliver(_map(journal, hooks, entry, Identifier("contactId", job["contact_id"])))


def _map_for_file(journal: Journal, hooks: HookCalls, job: Mapping[str, Any], shown: int) -> None:
    """Into a file of its own, where a file can name its contact."""
    entry = _entry(journal, job["receipt"])
    match = _match_in_file(journal, hooks, entry)
    if match is None:
        _map(journal, hooks, entry, PLACEHOLDER_CONTACT)
    else:
        _write(journal, hooks, {"receipts": [entry.id], "contacts": [entry.contact]}, shown)


def _write(journal: Journal, hooks: HookCalls, job: Mapping[str, Any], shown: int) -> None:
    entries = [_entry(journal, receipt) for receipt in job["receipts"]]
    named = [(entry, _match_in_file(journal, hooks, entry)) for entry in entries]
    payloads = [_map(journal, hooks, entry, match) for entry, match in named if match is not None]
    contacts = [journal.contacts.get(key) for key in job["contacts"]]
    with TemporaryDirectory(prefix=".trial-", dir=journal.folder, ignore_cleanup_errors=True) as folder:
        hooks.write_files(_batch(contacts, payloads, Path(folder)))


def _entry(journal: Journal, receipt: str) -> Entry:
    entry = journal.receipts.get(receipt)
    if entry is None:
        raise TillpostError("the receipt is gone")
    return entry


def _match_in_file(journal: Journal, hooks: HookCalls, entry: Entry) -> Identifier | None:
    if entry.contact is None or not hooks.implements("match_in_file"):
        return None
    return hooks.match_in_file(journal.contacts.for_file(entry.contact))


def _map(journal: Journal, hooks: HookCalls, entry: Entry, match: Identifier) -> Payload:
    receipt = journal.bodies.get(entry.seq)
    return hooks.amend_payload(hooks.map_receipt(receipt, match), receipt)


def _batch(contacts: Sequence[Contact], payloads: Sequence[Payload], folder: Path) -> FallbackBatch:
    return FallbackBatch(
        created=tuple(each for each in contacts if not each.contact_id),
        updated=tuple(each for each in contacts if each.contact_id),
        receipts=tuple(payloads),
        stamp=datetime.now(UTC).astimezone(),
        sequence=1,
        folder=folder,
    )


_JOBS: Mapping[str, Callable[[Journal, HookCalls, Mapping[str, Any], int], Outcome | Gone | None]] = {
    "read": _read, "ask": _ask, "deliver": _deliver, "map": _map_for_file, "write": _write,
}  # fmt: skip

if __name__ == "__main__":
    main(*sys.argv[1:3])
