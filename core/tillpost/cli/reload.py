"""`tillpost reload`: have the running process read its configuration again, and say what came of it."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from tillpost.cli.drill import Duration
from tillpost.cli.output import json_option
from tillpost.compose.change import compare
from tillpost.compose.config import examine
from tillpost.daemon.reload import Reloaded, sentences
from tillpost.journal.sqlite import control_files
from tillpost.journal.sqlite.locks import running_process
from tillpost.terminal import say


@click.command("reload")
@click.option("--timeout", type=Duration(), default="60s", show_default=True, help="How long to wait for the answer.")
@json_option
@click.pass_obj
def command(file: Any, timeout: timedelta, as_json: bool) -> None:
    """Have the running `tillpost run` read the configuration again. No receipt in flight is lost or repeated.

    Unchanged pipelines are left running; a changed one is rebuilt, or refused, and then goes on as it was. Exit code 78
    when something was refused, 1 when nobody runs or answers, or when receipts wait in a pipeline that was taken out.

    \b
    Examples:
      tillpost reload
      tillpost reload --timeout 5m --json
    """
    config, findings = examine(file, plugins=False)
    if config is None:
        _print(Reloaded(refused=list(compare({}, None, findings).refused)).as_json() | {"process": None}, as_json)
        sys.exit(78)
    folders = {each.state: running_process(each.state) for each in config.pipelines}
    processes: dict[int, Path] = {process: folder for folder, process in folders.items() if process is not None}
    if not processes:
        where = ", ".join(str(folder) for folder in folders)
        click.echo(f"tillpost: no `tillpost run` is running on {where}; start one", err=True)
        sys.exit(1)
    code = 0
    for process, folder in processes.items():
        answer = control_files.request_reload(folder, timeout.total_seconds())
        if answer is None:
            silent = f"process {process} has not answered within {timeout.total_seconds():g} s"
            click.echo(f"tillpost: {silent}; see its log", err=True)
            code = max(code, 1)
            continue
        _print(answer | {"process": process}, as_json)
        code = max(code, 78 if answer["refused"] else 1 if answer["late"] or answer["stranded"] else 0)
    sys.exit(code)


def _print(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say(answer)
        return
    for line in sentences(answer):
        click.echo(line)
