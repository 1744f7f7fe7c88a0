"""`tillpost run`: the line at work, until SIGTERM or, with --until-idle, until everything is settled."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from tillpost.cli.debug import debugging
from tillpost.cli.output import json_option
from tillpost.cli.pipelines import runnable_pipelines
from tillpost.clock import SystemClock
from tillpost.compose.journals import remember
from tillpost.daemon.logs import OWN, Form, log_to_stderr
from tillpost.daemon.signals import set_on_signals
from tillpost.daemon.supervisor import Supervisor
from tillpost.daemon.systemd import Notifier
from tillpost.errors import JournalDamaged, NotCommitted, describe
from tillpost.journal.sqlite import doctor
from tillpost.terminal import answer, counted
from tillpost.web.server import check

_log = logging.getLogger(OWN)
_RETRY_AFTER = 2.0
"""Seconds between two attempts to take a state folder."""


@click.command("run")
@click.option("--until-idle", is_flag=True, help="End when the source is empty and every receipt is settled.")
@click.option("--new", is_flag=True, help="Begin a new journal where there was one that is gone for good.")
@click.option("--grace", default=30.0, show_default=True, help="Seconds for calls in flight at the stop.")
@click.option("--pipeline", "-p", "names", multiple=True, help="Only these pipelines.")
@click.option(
    "--log", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Form of the log."
)
@click.option("--status", metavar="HOST:PORT", help="Serve the status page there, such as 127.0.0.1:8090.")
@json_option
@click.pass_obj
def command(
    file: Any,
    until_idle: bool,
    new: bool,
    grace: float,
    names: tuple[str, ...],
    form: Form,
    status: str | None,
    as_json: bool,
) -> None:
    """Deliver receipts until stopped (SIGTERM, Ctrl-C). SIGHUP reads the configuration again.

    \b
    Examples:
      tillpost run
      tillpost run --status 127.0.0.1:8090
      tillpost run --until-idle --json
    """
    log_to_stderr(form, debugging())
    notifier = Notifier()
    if status is not None:
        check(status)
    config, wanted, refused = runnable_pipelines(file, names)
    stop, reload = threading.Event(), threading.Event()
    _follow_signals(stop, reload)
    repaired: set[Path] = set()
    with Supervisor(config, names, grace, as_json, notifier, status) as supervisor:
        _take(partial(supervisor.take, wanted, refused, new), stop, until_idle)
        while True:
            outcome = supervisor.run(stop, reload, until_idle)
            damaged = [fault for fault in outcome.faults if isinstance(fault, JournalDamaged)]
            if not damaged or len(damaged) < len(outcome.faults) or outcome.late or stop.is_set():
                break
            if any(fault.folder in repaired for fault in damaged):
                break  # once is an accident; again is the disk
            for fault in damaged:
                with notifier.pinging():
                    _repair(fault, as_json)
                    for pipeline in wanted:
                        if pipeline.state == fault.folder:
                            remember(pipeline)
                repaired.add(fault.folder)
    notifier.stopping()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # everything is committed: a second one must not change the exit code
    if outcome.late:
        _log.error("calls in flight did not end within the grace period; they are asked for again")
    for each in outcome.faults:
        _log.error("%s", describe(each))
    troubled = outcome.faults or outcome.late or supervisor.refused
    sys.exit(1 if troubled or (until_idle and (outcome.held or repaired)) else 0)


def _take(take: Callable[[], None], stop: threading.Event, until_idle: bool) -> None:
    """Take the state folders; where nothing can be written in them, wait as at work. Raises NotCommitted at a stop."""
    said = ""
    while True:
        try:
            return take()
        except NotCommitted as error:
            if until_idle or stop.is_set():
                raise
            if said != str(error):
                _log.error("waiting, and starting when the state folder can be written: %s", error)
            said = str(error)
            stop.wait(_RETRY_AFTER)


def _follow_signals(stop: threading.Event, reload: threading.Event) -> None:
    events = {signal.SIGTERM: stop, signal.SIGINT: stop}
    if hasattr(signal, "SIGHUP"):  # Windows has none
        # From a terminal it says that the window was closed: who started the line there does not see it any more.
        events[signal.SIGHUP] = stop if sys.stdout.isatty() else reload
    set_on_signals(events)


def _repair(fault: JournalDamaged, as_json: bool) -> None:
    """Repair a damaged journal at once, since other pipelines would wait for a person; the damaged one is kept."""
    _log.error("%s", fault)
    done = doctor.repair(fault.folder, SystemClock().time())
    for damage in done.damages:
        whose = f" (receipt {damage.receipt})" if damage.receipt else ""
        what = f"{damage.table} {damage.row}{whose}: {damage.reason}; lost: {damage.lost}; {damage.remedy}"
        _log.error("repaired: %s", what)
    event = {"event": "repaired", "folder": str(fault.folder), "damages": len(done.damages), "kept": str(done.kept)}
    findings = counted(len(done.damages), "finding")
    answer(as_json, event, f"{fault.folder}: journal repaired, {findings}; the damaged one is kept as {done.kept}")
